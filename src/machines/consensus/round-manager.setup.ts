/**
 * Parts of the RoundManager chart: owner of the block tree and of the votes, parent of the rounds. Pure.
 * The one place where a block is committed. Rules CS-4, CS-5, CS-10, CS-12, CS-13, docs/protocol/consensus.md; the
 * decisions are in protocol/consensus/{block-tree,vote-book}.ts.
 */

import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import { ROOT_ROUND } from '../../protocol/chain/ordinals.ts';
import { epochNow } from '../../protocol/consensus/epoch.ts';
import type { ProposalMessage, VoteMessage, VoteShownMessage } from '../../protocol/consensus/types.ts';
import type { StateDiverged } from '../../protocol/ports/bridge.ts';
import type {
  BlocksFetched,
  EpochProven,
  EpochRequested,
  EvidenceWaits,
  HighQcAdopted,
  RoundEntered,
  RoundReport,
  RoundTimedOut,
  TimeoutSeen,
  VoteFound,
  WorkChanged,
} from '../../protocol/ports/consensus.ts';
import type { BlockExecuted, ExecutionReply } from '../../protocol/ports/execution.ts';
import type { ConnectivityEvent, PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import type { SyncStatusChanged, SyncStatusRequested } from '../../protocol/ports/sync.ts';
import type { TimeChanged, TimeStatusRequested } from '../../protocol/ports/time.ts';
import {
  type CellDown,
  crash,
  type Effect,
  isOrderlyExit,
  telling,
} from '../../protocol/supervision/effect.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';
import { roundMachine } from './round.machine.ts';
import { begin } from './round-manager.beginning.ts';
import {
  alive,
  countVote,
  enter,
  receiveProposal,
  recordDurableCommit,
  recordExecuted,
  takeFetched,
} from './round-manager.decisions.ts';
import { endEpoch, tellEpoch } from './round-manager.epoch.ts';
import {
  adopt,
  blamed,
  chained,
  insertCandidates,
  type RoundManagerContext,
  type RoundManagerInput,
  roundCellId,
  still,
  tellFacts,
  toRound,
  toStorage,
  toViewChange,
  weighWork,
} from './round-manager.live.ts';
import { showContradicted, takeShown, watchTimeout } from './round-manager.offences.ts';
import { settle } from './round-manager.settling.ts';

export { type LiveTree, type RoundManagerContext, roundCellId } from './round-manager.live.ts';

/** Pause before a refused commit is written again, or the store is asked again. @unit ms @source chosen */
const STORAGE_RETRY_MS = millis(500);

type RoundManagerPublicEvent =
  | PeerMessageReceived<ProposalMessage | VoteMessage | VoteShownMessage>
  | RoundEntered
  | HighQcAdopted
  | RoundTimedOut
  | VoteFound
  | TimeoutSeen
  | EvidenceWaits
  | WorkChanged
  | TimeChanged
  | SyncStatusChanged
  | StateDiverged
  | BlocksFetched
  | EpochProven
  | EpochRequested
  | BlockExecuted
  | Extract<ExecutionReply, { type: 'execution.failed' }>
  | RoundReport
  | ConnectivityEvent
  | Extract<StorageReply, { type: 'recovery.found' | 'blocks.committed' | 'epoch.ended' | 'storage.failed' }>;

type RoundManagerPrivateEvent = { readonly type: 'commit.retryDue' } | CellDown;

/** Event types that other cells may send (RT-16). */
export const ROUND_MANAGER_EVENTS = declare<RoundManagerPublicEvent>()(
  'message.received',
  'round.entered',
  'highQc.adopted',
  'round.timedOut',
  'vote.found',
  'timeout.seen',
  'evidence.waits',
  'work.changed',
  'time.changed',
  'sync.statusChanged',
  'state.diverged',
  'blocks.fetched',
  'epoch.proven',
  'epoch.requested',
  'block.executed',
  'execution.failed',
  'proposal.authenticated',
  'peer.connected',
  'peer.disconnected',
  'recovery.found',
  'blocks.committed',
  'epoch.ended',
  'storage.failed',
);
export const roundManagerSetup = setup({
  types: types<RoundManagerContext, RoundManagerPublicEvent | RoundManagerPrivateEvent, RoundManagerInput>(),
  actors: { round: roundMachine },
  guards: {
    isForThisRequest: ({ context, event }) => 'tag' in event && event.tag === context.tag,
    recoveryFailed: ({ context, event }) =>
      event.type === 'storage.failed' && event.request === 'recovery.requested' && event.tag === context.tag,
    isAboutACommit: ({ event }) =>
      event.type === 'storage.failed' &&
      (event.request === 'blocks.commitRequested' || event.request === 'epoch.endRequested'),
    epochIsOver: ({ context, event }) => event.type === 'epoch.ended' && event.tag === context.live?.endTag,
    endedInOrder: ({ event }) => event.type === 'cell.down' && isOrderlyExit(event.reason),
  },
  delays: { storageRetry: STORAGE_RETRY_MS },
  actions: {
    requestRecovery: step(({ context, address }) => {
      const tag = context.tag + 1;
      return {
        context: { tag },
        effects: [toStorage(context, { type: 'recovery.requested', replyTo: address, tag })],
      };
    }),
    beginWithRecovered: step(
      on('recovery.found', ({ context: before, event: { recovered }, ...clock }) => {
        const epoch = epochNow(before.setting.epoch, recovered);
        const context = { ...before, setting: { ...before.setting, epoch } };
        const begun = settle(context, begin(context, recovered), clock);
        // View-change may have outlived an earlier life of this cell, and think as that one did.
        const work = toViewChange(context, { type: 'work.changed', hasWork: begun.live.hasWork });
        // An earlier life may have died between the commit and its news: without them nothing is executed any more.
        const { committed } = recovered;
        const news =
          committed === undefined
            ? []
            : context.commitListeners.map((to) =>
                telling(to, { type: 'blocks.committed', blocks: [committed] }),
              );
        const asking: TimeStatusRequested = { type: 'time.statusRequested', replyTo: clock.address };
        const time = telling(context.timeCoordinator, asking);
        const askingSync: SyncStatusRequested = { type: 'sync.statusRequested', replyTo: clock.address };
        const sync = telling(context.networkSync, askingSync);
        return {
          context: { setting: context.setting, live: begun.live },
          effects: [...tellEpoch(context, epoch), ...begun.effects, work, time, sync, ...news],
        };
      }),
    ),
    receiveMessage: step(
      on('message.received', ({ context, event: { from, message }, ...clock }) =>
        alive(context, (live) => {
          if (message.kind === 'Proposal') return receiveProposal(context, live, from, message, clock);
          if (message.kind === 'VoteShown') {
            return takeShown(live, message.vote, () => countVote(context, live, from, message.vote, clock));
          }
          if (message.vote.validator !== from)
            return { live, effects: blamed(context, from, 'VOTE_NOT_OF_SENDER') };
          return countVote(context, live, from, message.vote, clock);
        }),
      ),
    ),
    countFoundVote: step(
      on('vote.found', ({ context, event: { vote }, ...clock }) =>
        alive(context, (live) => countVote(context, live, vote.validator, vote, clock)),
      ),
    ),
    watchTimeout: step(
      on('timeout.seen', ({ context, event }) =>
        alive(context, (live) => watchTimeout(context, live, event)),
      ),
    ),
    enterRound: step(
      on('round.entered', ({ context, event, ...clock }) =>
        alive(context, (live) =>
          event.epoch === context.setting.epoch.epoch ? enter(context, live, event, clock) : still(live),
        ),
      ),
    ),
    adoptHighQc: step(
      on('highQc.adopted', ({ context, event: { qc }, ...clock }) =>
        alive(context, (live) =>
          qc.epoch !== context.setting.epoch.epoch
            ? still(live)
            : chained(
                live,
                (now) => ({ live: now, effects: showContradicted(context, now, qc) }),
                (now) => adopt(context, now, qc, clock),
                (now) => settle(context, now, clock),
              ),
        ),
      ),
    ),
    repeatToPeer: step(
      on('peer.connected', ({ context, event, ...clock }) =>
        alive(context, (live) => ({
          live,
          effects: toRound(context, live, clock, live.entered?.round ?? ROOT_ROUND, event),
        })),
      ),
    ),
    recordTimedOut: step(
      on('round.timedOut', ({ context, event: { epoch, round }, ...clock }) =>
        alive(context, (live) => ({
          live,
          effects:
            epoch === context.setting.epoch.epoch
              ? toRound(context, live, clock, round, { type: 'round.gaveUp' })
              : [],
        })),
      ),
    ),
    recordBatchesWait: step(
      on('work.changed', ({ context, event: { hasWork }, ...clock }) =>
        alive(context, (live) =>
          chained(
            { ...live, batchesWait: hasWork },
            (now) => weighWork(context, now),
            (now) => tellFacts(context, now, clock),
          ),
        ),
      ),
    ),
    recordEvidenceWaits: step(
      on('evidence.waits', ({ context, event: { waits }, ...clock }) =>
        alive(context, (live) => tellFacts(context, { ...live, evidenceWaits: waits }, clock)),
      ),
    ),
    recordTime: step(
      on('time.changed', ({ context, event: { mayPropose }, ...clock }) =>
        alive(context, (live) => tellFacts(context, { ...live, mayPropose }, clock)),
      ),
    ),
    recordSync: step(
      on('sync.statusChanged', ({ context, event: { status, forkProved }, ...clock }) =>
        alive(context, (live) => tellFacts(context, { ...live, sync: { status, forkProved } }, clock)),
      ),
    ),
    recordDivergence: step(({ context, ...clock }) =>
      alive(context, (live) => tellFacts(context, { ...live, isDiverged: true }, clock)),
    ),
    recordCandidate: step(
      on('proposal.authenticated', ({ context, event: { round, blockId, block }, ...clock }) =>
        alive(context, (live) => {
          if (block.header.epoch !== context.setting.epoch.epoch) return still(live);
          const candidates = new Map(live.candidates).set(round, { blockId, block });
          // The round now asks about the parent of its proposal, and knows nothing of it yet.
          const { told: _, ...others } = live;
          const next = insertCandidates({ ...others, candidates });
          const qc = next.tree.certificates.get(blockId);
          const certified: Effect[] =
            qc === undefined
              ? []
              : [toStorage(context, { type: 'blocks.certified', blocks: [{ block, qc }] })];
          return chained(
            next,
            (now) => ({ live: now, effects: certified }),
            (now) => settle(context, now, clock),
          );
        }),
      ),
    ),
    takeFetched: step(
      on('blocks.fetched', ({ context, event, ...clock }) =>
        alive(context, (live) => takeFetched(context, live, event, clock)),
      ),
    ),
    recordExecuted: step(
      on('block.executed', ({ context, event, ...clock }) =>
        alive(context, (live) => recordExecuted(context, live, event, clock)),
      ),
    ),
    recordDurableCommit: step(
      on('blocks.committed', ({ context, event: { tag }, ...clock }) =>
        alive(context, (live) => recordDurableCommit(context, live, tag, clock)),
      ),
    ),
    retryCommitLater: step(() => ({
      effects: [
        {
          kind: 'startTimer',
          key: 'commit',
          delayMs: STORAGE_RETRY_MS,
          message: { type: 'commit.retryDue' },
        },
      ],
    })),
    retryCommits: step(({ context, ...clock }) =>
      alive(context, ({ endTag: _, ...live }) =>
        chained(
          live,
          (now) => ({
            live: now,
            effects: now.committing.map(({ tag, blocks, standing }) =>
              toStorage(context, {
                ...{ type: 'blocks.commitRequested', replyTo: clock.address, tag, blocks },
                ...(standing === undefined ? {} : { standing }),
              }),
            ),
          }),
          (now) => endEpoch(context, now, clock),
        ),
      ),
    ),
    takeProven: step(
      on('epoch.proven', ({ context, event: { change }, ...clock }) =>
        alive(context, (live) => {
          // It may have been on its way while this node came to the same end by itself.
          if (change.qc.epoch !== context.setting.epoch.epoch) return still(live);
          // Told again where block-sync began anew: its last block is asked for again, since no new round does (CS-12).
          const { wanted: _, ...asking } = live;
          return settle(context, { ...asking, proven: change }, clock);
        }),
      ),
    ),
    answerEpoch: step(
      on('epoch.requested', ({ context, event: { replyTo }, ...clock }) => {
        const began = telling(replyTo, { type: 'epoch.began', epoch: context.setting.epoch });
        if (replyTo !== context.blockSync) return { effects: [began] };
        // It begins anew, and no round may come any more that asks again for what it had been asked for (CS-12, CS-16).
        const asked = alive(context, ({ wanted: _, ...live }) => settle(context, live, clock));
        return { ...asked, effects: [began, ...(asked.effects ?? [])] };
      }),
    ),
    /** The rounds of the epoch that has ended are over; what is durable says how it goes on. */
    closeRounds: step(({ context }) =>
      alive(context, (live) => ({
        live: { ...live, rounds: [] },
        effects: live.rounds.map((round) => ({
          kind: 'stop',
          id: roundCellId(context.setting.epoch.epoch, round),
        })),
      })),
    ),
    /** A round that crashed broke an invariant of ours: the supervisor decides, with the whole of consensus. */
    crashWithRound: step(({ event }) => ({
      effects:
        event.type === 'cell.down'
          ? [{ kind: 'exit', reason: crash(`${event.address} ended: ${JSON.stringify(event.reason)}`) }]
          : [],
    })),
  },
});
