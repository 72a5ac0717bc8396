/**
 * Parts of the peer chart: one cell for each node that this one may be connected to. Pure; it owns the peer's score and
 * decides which connection stands. Its dialer and its link are boundary actors that it spawns.
 * Rules TP-2, TP-6, docs/protocol/transport.md.
 */
import { setup } from 'xstate';
import { type Millis, type Monotonic, millis, monotonic } from '../../base/units.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { DIAL_BACKOFF, type DialBackoff, dialDelay } from '../../protocol/transport/backoff.ts';
import { type CloseReason, isLasting, type NamedCloseReason } from '../../protocol/transport/closing.ts';
import { KINDS, type Lane, type WireKind } from '../../protocol/transport/kinds.ts';
import { STABLE_AFTER_MS } from '../../protocol/transport/limits.ts';
import type { Endpoint, NodeId } from '../../protocol/transport/messages.ts';
import type {
  ConnectionCard,
  ConnectionOffered,
  ConnectionRefused,
  DialEvent,
  LinkEvent,
  LinkRequest,
  PeerReport,
  PeerRequest,
  Standing,
} from '../../protocol/transport/peering.ts';
import type { FrameRefusal } from '../../protocol/transport/refusal.ts';
import {
  cleanScore,
  isBanned,
  type PeerScore,
  type Penalty,
  penalize,
  penaltyFor,
  penaltyForFrame,
} from '../../protocol/transport/score.ts';
import { breakTie } from '../../protocol/transport/tie-break.ts';
import { type CellDown, type Decision, declare, on, step, types } from '../vocabulary/index.ts';

export interface PeerInput {
  readonly self: NodeId;
  readonly peer: NodeId;
  readonly standing: Standing;
  /** Where it is found, as configured; learned later when left out. */
  readonly endpoint?: Endpoint;
  /** The configuration names it: a guest too is dialed, and stays. Default: false. */
  readonly kept?: boolean;
  /** The connection that brought a guest. */
  readonly offer?: ConnectionCard;
  readonly router: CellAddress;
  readonly listener: CellAddress;
  /** Default DIAL_BACKOFF. */
  readonly backoff?: DialBackoff;
}

/** What a link was given and what became of it. */
interface Link {
  readonly card: ConnectionCard;
  /** When it was up; undefined before. */
  readonly upSince: Monotonic | undefined;
}

export interface PeerContext extends PeerInput {
  /** Endpoints to try in turn: the learned one first. At most two. */
  readonly endpoints: readonly Endpoint[];
  /** Number of the last dial. */
  readonly attempt: number;
  /** Dials and short connections that failed in a row. */
  readonly failures: number;
  readonly lastEnd: { readonly reason: CloseReason; readonly detail: string } | undefined;
  /** In [0, 1), for the next wait. */
  readonly draw: number;
  /** The peer's own dial, while this node's preferred dial is under way. */
  readonly held: ConnectionCard | undefined;
  readonly link: Link | undefined;
  readonly score: PeerScore;
  /** The ban in force. */
  readonly ban: { readonly until: Monotonic; readonly duration: Millis } | undefined;
}

/** What the input of a dialer is. */
export interface DialerInput {
  readonly attempt: number;
  readonly endpoint: Endpoint;
  readonly peer: NodeId;
}

/** What the input of a link is. */
export interface LinkInput {
  readonly card: ConnectionCard;
  readonly peer: NodeId;
  readonly standing: Standing;
  readonly syncLaneOpen: boolean;
}

type PeerPublicEvent = ConnectionOffered | DialEvent | LinkEvent | PeerRequest;
type PeerPrivateEvent = { readonly type: 'syncBan.ended' };
type PeerEvent = PeerPublicEvent | PeerPrivateEvent | CellDown;

/** Event types that other cells may send (RT-16). */
export const PEER_EVENTS = declare<PeerPublicEvent>()(
  'connection.offered',
  'dial.upgrading',
  'dial.succeeded',
  'dial.failed',
  'link.opened',
  'link.closed',
  'frame.refused',
  'peer.misbehaved',
  'endpoint.learned',
  'standing.changed',
  'router.started',
);

/** The context of a peer of which nothing is known. */
export const newPeer = (input: PeerInput): PeerContext => ({
  ...input,
  endpoints: input.endpoint === undefined ? [] : [input.endpoint],
  attempt: 0,
  failures: 0,
  lastEnd: undefined,
  draw: 0,
  held: input.offer,
  link: undefined,
  score: cleanScore(monotonic(0)),
  ban: undefined,
});

const dialerId = (attempt: number): string => `dialer-${attempt}`;
/** Links of one peer are lives of one sender: they share what one may have waiting (RT-7). */
const linkId = ({ connection }: { readonly connection: number }): string => `link#${connection}`;

const toRouter = (context: PeerContext, report: PeerReport): Effect => telling(context.router, report);

/** A guest's cell is watched by the router: its place is free when it ends. */
const greeting = (context: PeerContext): Effect[] =>
  context.standing === 'guest' ? [toRouter(context, { type: 'guest.started', peer: context.peer })] : [];

const refuse = (context: PeerContext, card: ConnectionCard, reason: NamedCloseReason): Effect => {
  const refusal: ConnectionRefused = { type: 'connection.refused', connection: card.connection, reason };
  return telling(context.listener, refusal);
};

const toLink = (address: CellAddress, context: PeerContext, request: LinkRequest): Effect[] =>
  context.link === undefined ? [] : [telling(`${address}/${linkId(context.link.card)}`, request)];

/** The link ends itself, saying why; until its end comes it is no longer ours. */
const closeLink = (address: CellAddress, context: PeerContext, reason: NamedCloseReason): Effect[] =>
  toLink(address, context, { type: 'link.closeRequested', reason });

const isSyncLane = (lane: Lane): boolean => lane === 'sync' || lane === 'gossip';

/** Charges a penalty, and says what a ban that follows from it changes (TP-6). */
function charge(
  context: PeerContext,
  penalty: Penalty,
  now: Monotonic,
  address: CellAddress,
): Decision<PeerContext> {
  const { score, banned } = penalize(context.score, penalty, now);
  if (banned === undefined) return { context: { score } };
  const until = score[banned].bannedUntil;
  // A validator is needed for consensus: its sync lane alone is closed. A guest has nothing else.
  if (banned === 'sync' && context.standing === 'validator') {
    return {
      context: { score },
      effects: [
        ...toLink(address, context, { type: 'link.syncLaneChanged', open: false }),
        { kind: 'startTimer', key: 'syncBan', delayMs: until - now, message: { type: 'syncBan.ended' } },
      ],
    };
  }
  return { context: { score, ban: { until, duration: millis(until - now) } } };
}

function penaltyOfFrame(refusal: FrameRefusal): Penalty {
  const kind = 'kind' in refusal ? refusal.kind : undefined;
  const lane = kind !== undefined && isWireKind(kind) && isSyncLane(KINDS[kind].lane) ? 'sync' : 'consensus';
  return penaltyForFrame(refusal, lane);
}

const isWireKind = (kind: string): kind is WireKind => Object.hasOwn(KINDS, kind);

/** Why a dial or a link ended: in its own words, or as its cell did. */
function endOf(event: PeerEvent, whenItsCellEnds: CloseReason): { reason: CloseReason; detail: string } {
  if (event.type === 'dial.failed' || event.type === 'link.closed') {
    return { reason: event.reason, detail: event.detail };
  }
  const why = event.type === 'cell.down' ? event.reason : undefined;
  const detail = why?.kind === 'crash' ? why.error : (why?.kind ?? event.type);
  return { reason: whenItsCellEnds, detail: `its cell ended: ${detail}` };
}

/** A connection that held for a while clears the count; one that ended at once adds to it. */
function failuresAfter(context: PeerContext, now: Monotonic): number {
  const upSince = context.link?.upSince;
  return upSince !== undefined && now - upSince >= STABLE_AFTER_MS ? 0 : context.failures + 1;
}

const withoutBan = (context: PeerContext): PeerContext => ({ ...context, ban: undefined, failures: 0 });

const identityOf = (card: ConnectionCard) => ({ end: card.end, instance: card.instance });

export const peerSetup = setup({
  types: types<PeerContext, PeerEvent, PeerInput>(),
  guards: {
    isBanned: ({ context }) => context.ban !== undefined,
    isLeaving: ({ context }) => context.standing === 'guest' && context.kept !== true,
    hasHeldOffer: ({ context }) => context.held !== undefined,
    knowsEndpoint: ({ context }) => context.endpoints.length > 0,
    /** Between two that dial each other the lower id's connection stays (TP-2). */
    ownDialIsPreferred: ({ context }) => context.self < context.peer,
    offerReplacesLink: ({ context, event }) =>
      event.type === 'connection.offered' &&
      (context.link === undefined ||
        breakTie(context.self, context.peer, identityOf(context.link.card), identityOf(event.card)) ===
          'replace'),
    isPresentDial: ({ context, event }) => 'attempt' in event && event.attempt === context.attempt,
    isPresentLink: ({ context, event }) =>
      'connection' in event && event.connection === context.link?.card.connection,
    isLateDial: ({ context, event }) => 'attempt' in event && event.attempt !== context.attempt,
    isOtherCell: ({ context, event }) =>
      event.type === 'cell.down' && !event.address.endsWith(`/${dialerId(context.attempt)}`),
    linkIsDown: ({ context, event }) =>
      event.type === 'cell.down' &&
      context.link !== undefined &&
      event.address.endsWith(`/${linkId(context.link.card)}`),
  },
  delays: {
    dialBackoff: ({ context: { failures, lastEnd, draw, backoff = DIAL_BACKOFF } }) =>
      dialDelay(failures, lastEnd !== undefined && isLasting(lastEnd.reason), draw, backoff),
    banTime: ({ context }) => context.ban?.duration ?? 0,
  },
  actions: {
    greetRouter: step(({ context }) => ({ effects: greeting(context) })),
    recordEndpoint: step(
      on('endpoint.learned', ({ context, event: { endpoint } }) => ({
        context: {
          endpoints: [endpoint, ...context.endpoints.filter((other) => !isSame(other, endpoint)).slice(-1)],
        },
      })),
    ),
    recordStanding: step(
      on('standing.changed', ({ context, event: { standing }, address }) => ({
        context: { standing },
        effects: [
          ...toLink(address, context, { type: 'link.standingChanged', standing }),
          ...greeting({ ...context, standing }),
        ],
      })),
    ),
    startDial: step(({ context }) => {
      const attempt = context.attempt + 1;
      const endpoint = context.endpoints[context.failures % context.endpoints.length];
      if (endpoint === undefined) return {};
      const input: DialerInput = { attempt, endpoint, peer: context.peer };
      return {
        context: { attempt },
        effects: [{ kind: 'spawn', logic: 'dialer', id: dialerId(attempt), input }],
      };
    }),
    /** Dialers and links say how they ended, and then wait to be stopped: no end overtakes its reason. */
    stopDialer: step(({ event }) => ({
      effects: 'attempt' in event ? [{ kind: 'stop', id: dialerId(event.attempt) }] : [],
    })),
    stopLink: step(({ event }) => ({
      effects: 'connection' in event ? [{ kind: 'stop', id: linkId(event) }] : [],
    })),
    giveUpDial: step(({ context }) => ({ effects: [{ kind: 'stop', id: dialerId(context.attempt) }] })),
    recordDialFailure: step(({ context, event, draw }) => ({
      context: {
        failures: context.failures + 1,
        draw: draw(),
        lastEnd: endOf(event, 'UNREACHABLE'),
      },
    })),
    /** An answer to a dial that was given up. */
    refuseLateDial: step(
      on('dial.succeeded', ({ context, event }) => ({ effects: [refuse(context, event.card, 'DUPLICATE')] })),
    ),
    holdOffer: step(
      on('connection.offered', ({ context, event }) => ({
        context: { held: event.card },
        effects: context.held === undefined ? [] : [refuse(context, context.held, 'REPLACED')],
      })),
    ),
    refuseHeld: step(({ context }) => ({
      context: { held: undefined },
      effects: context.held === undefined ? [] : [refuse(context, context.held, 'DUPLICATE')],
    })),
    recordDialed: step(
      on('dial.succeeded', ({ event }) => ({ context: { link: { card: event.card, upSince: undefined } } })),
    ),
    recordOffered: step(
      on('connection.offered', ({ event }) => ({
        context: { link: { card: event.card, upSince: undefined } },
      })),
    ),
    recordHeld: step(({ context }) =>
      context.held === undefined
        ? {}
        : { context: { link: { card: context.held, upSince: undefined }, held: undefined } },
    ),
    openLink: step(({ context, now }) => {
      if (context.link === undefined) return {};
      const { card } = context.link;
      const input: LinkInput = {
        card,
        peer: context.peer,
        standing: context.standing,
        syncLaneOpen: !isBanned(context.score, 'sync', now),
      };
      return { effects: [{ kind: 'spawn', logic: 'link', id: linkId(card), input }] };
    }),
    recordLinkUp: step(({ context, now }) =>
      context.link === undefined ? {} : { context: { link: { ...context.link, upSince: now } } },
    ),
    reportLinkUp: step(({ context, address }) => {
      if (context.link?.upSince === undefined) return {};
      const { peer } = context;
      const link = `${address}/${linkId(context.link.card)}`;
      return { effects: [toRouter(context, { type: 'link.up', peer, link })] };
    }),
    replaceLink: step(({ context, address }) => ({
      context: { link: undefined },
      effects: closeLink(address, context, 'REPLACED'),
    })),
    /** The link in place may be dead without this node knowing: it is asked. */
    refuseOfferAndProbe: step(
      on('connection.offered', ({ context, event, address }) => ({
        effects: [
          refuse(context, event.card, 'DUPLICATE'),
          ...toLink(address, context, { type: 'link.probeRequested' }),
        ],
      })),
    ),
    refuseOfferOfBanned: step(
      on('connection.offered', ({ context, event }) => ({
        effects: [refuse(context, event.card, 'BANNED')],
      })),
    ),
    recordLinkEnd: step(({ context, event, now, draw }) => ({
      context: {
        failures: failuresAfter(context, now),
        draw: draw(),
        link: undefined,
        lastEnd: endOf(event, 'CONNECTION_LOST'),
      },
    })),
    chargeFrame: step(
      on('frame.refused', ({ context, event, now, address }) =>
        charge(context, penaltyOfFrame(event.refusal), now, address),
      ),
    ),
    /** ws itself refused what came: beyond the greatest frame, or no WebSocket frame at all. */
    chargeLinkEnd: step(
      on('link.closed', ({ context, event, now, address }) =>
        event.reason === 'FRAME_REFUSED' ? charge(context, penaltyFor('FRAME_TOO_LARGE'), now, address) : {},
      ),
    ),
    chargeMisbehaviour: step(
      on('peer.misbehaved', ({ context, event, now, address }) =>
        charge(context, penaltyFor(event.code), now, address),
      ),
    ),
    reopenSyncLane: step(({ context, address }) => ({
      effects: toLink(address, context, { type: 'link.syncLaneChanged', open: true }),
    })),
    imposeBan: step(({ context, address }) => ({
      context: { link: undefined, held: undefined },
      effects: [
        ...closeLink(address, context, 'BANNED'),
        ...(context.held === undefined ? [] : [refuse(context, context.held, 'BANNED')]),
        { kind: 'stop', id: dialerId(context.attempt) },
        toRouter(context, {
          type: 'peer.banned',
          peer: context.peer,
          until: context.ban?.until ?? monotonic(0),
        }),
      ],
    })),
    liftBan: step(({ context }) => ({ context: withoutBan(context) })),
  },
});

const isSame = (left: Endpoint, right: Endpoint): boolean =>
  left.host === right.host && left.port === right.port;
