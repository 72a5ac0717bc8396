/**
 * What readers see of time: the time-coordinator's snapshot and this machine's clocks, put into one report. Its offsets
 * are relative to adjusted time. Reads the injected clocks alone. Rules TM-1 to TM-7, docs/protocol/time.md.
 */
import type { Clock } from '../actors/runtime/index.ts';
import { type Millis, type Monotonic, millis } from '../base/units.ts';
import { errorNow, isAcquiring, localClock } from '../machines/time/time-coordinator.live.ts';
import type { TimeCoordinatorContext } from '../machines/time/time-coordinator.setup.ts';
import type { Address } from '../protocol/chain/types.ts';
import { slewLeft } from '../protocol/time/adjusted.ts';
import { type LocalClock, readFilter } from '../protocol/time/clock-filter.ts';
import {
  type Association,
  candidateOf,
  hasEnoughAnswers,
  type PolledServer,
  ROOT_DISTANCE_MS_MAX,
} from '../protocol/time/ntp-association.ts';
import type { Selection } from '../protocol/time/selection.ts';
import type { Findings } from '../protocol/time/sources.ts';
import type { PeerTimeInfo, TimeSource } from '../protocol/time/types.ts';
import type {
  TimeFindings,
  TimePeer,
  TimeReport,
  TimeServer,
  TimeServerStatus,
  TimeState,
} from '../rpc/time-port.ts';
import type { AdjustedClock } from '../time/adjusted-clock.ts';

/** The clocks of a node, and whom its configuration says to believe. */
export interface Clocks {
  readonly clock: Pick<Clock, 'now' | 'wall'>;
  readonly adjusted: Pick<AdjustedClock, 'read' | 'isAdjusted'>;
  readonly source: TimeSource;
}

/** @param coordinator undefined while its cell is down */
export function timeReport(
  { clock, adjusted, source }: Clocks,
  coordinator: { readonly value: TimeState; readonly context: TimeCoordinatorContext } | undefined,
  names: ReadonlyMap<Address, string>,
): TimeReport {
  const now = clock.now();
  const [systemTime, adjustedTime] = [clock.wall(), adjusted.read()];
  const readings = {
    source,
    adjustedTime,
    isAdjusted: adjusted.isAdjusted,
    systemTime,
    systemOffset: systemTime - adjustedTime,
  };
  if (coordinator === undefined) return { ...readings, ...UNKNOWN };
  const { value: state, context } = coordinator;
  const { discipline, updates, lastUpdate, history, findings } = context;
  const own = adjustedTime - now;
  const error = errorNow(context, now);
  return {
    ...readings,
    state,
    ledBy: history.at(-1)?.by,
    error: Number.isFinite(error) ? millis(error) : undefined,
    ratePpm: discipline?.ratePpm ?? 0,
    slewLeft: discipline === undefined ? 0 : slewLeft(discipline, now),
    updates,
    lastUpdateAge: ageOf(lastUpdate, now),
    mayPropose: !isAcquiring(context),
    alerts: [...context.alerts].map(([alert, detail]) => ({ alert, detail })),
    alertCounts: context.alertCounts,
    peers: [...context.peers.values()].map((peer) => peerOf(peer, names, own, now)),
    servers: [...context.servers.values()].map((server) =>
      serverOf(server, findings?.ntp, own, now, localClock(context)),
    ),
    findings: findings === undefined ? undefined : findingsOf(findings, own),
    history,
  };
}

const UNKNOWN = {
  state: 'starting',
  ledBy: undefined,
  error: undefined,
  ratePpm: 0,
  slewLeft: 0,
  updates: 0,
  lastUpdateAge: undefined,
  mayPropose: false,
  alerts: [],
  alertCounts: new Map(),
  peers: [],
  servers: [],
  findings: undefined,
  history: [],
} as const;

const ageOf = (at: Monotonic | undefined, now: Monotonic): Millis | undefined =>
  at === undefined ? undefined : millis(Math.max(0, now - at));

const peerOf = (
  { peerId, timeOffset, lastUpdate, roundTripTime, reliabilityScore, isSynchronised }: PeerTimeInfo,
  names: ReadonlyMap<Address, string>,
  own: number,
  now: Monotonic,
): TimePeer => ({
  id: peerId,
  name: names.get(peerId) ?? '',
  offset: timeOffset === undefined ? undefined : timeOffset - own,
  lastUpdateAge: ageOf(lastUpdate, now),
  roundTripTime,
  reliabilityScore,
  isSynchronised,
});

function serverOf(
  association: Association,
  selection: Selection | undefined,
  own: number,
  now: Monotonic,
  local: LocalClock,
): TimeServer {
  const { server } = association;
  const unknown = {
    server,
    reach: 0,
    offset: undefined,
    delay: undefined,
    rootDistance: undefined,
    stratum: undefined,
  };
  if (association.status === 'denied') {
    return { ...unknown, status: 'denied', why: `it answered ${association.kiss}, and is not asked again` };
  }
  const candidate = candidateOf(association, now, local);
  const reading = readFilter(association.register, now, local);
  const judged =
    candidate === undefined
      ? whyUnusable(association, reading !== undefined)
      : JUDGEMENTS[placeOf(server, selection)];
  return {
    ...unknown,
    ...judged,
    reach: association.reach,
    offset: reading === undefined ? undefined : reading.offset - own,
    delay: reading === undefined ? undefined : millis(reading.delay),
    rootDistance: candidate === undefined ? undefined : millis(candidate.rootDistance),
    stratum: association.answer?.stratum,
  };
}

type Judgement = Pick<TimeServer, 'status' | 'why'>;

const JUDGEMENTS: Readonly<
  Record<'selected' | 'agreeing' | 'falseticker' | 'noMajority' | 'unheard', Judgement>
> = {
  selected: { status: 'selected', why: '' },
  agreeing: { status: 'agreeing', why: 'it agrees with the selected ones, which are steadier' },
  falseticker: { status: 'falseticker', why: 'it contradicts the majority of the servers' },
  noMajority: { status: 'undecided', why: 'the servers contradict each other, and no majority agrees' },
  unheard: { status: 'undecided', why: 'usable, and in no update yet' },
};

/** What the newest update made of a server that is usable now. */
function placeOf(server: string, selection: Selection | undefined): keyof typeof JUDGEMENTS {
  switch (selection?.status) {
    case 'selected':
      if (selection.survivors.includes(server)) return 'selected';
      return selection.falsetickers.includes(server) ? 'falseticker' : 'agreeing';
    case 'noMajority':
      return 'noMajority';
    default:
      return 'unheard';
  }
}

function whyUnusable(association: PolledServer, hasReading: boolean): Judgement {
  const { reach, answer, failures } = association;
  if (failures === 0 && !hasEnoughAnswers(association))
    return because('waiting', 'its first answers are to come');
  if (reach === 0 && failures === 0) return because('unusable', 'it wants to be asked less often (RATE)');
  if (reach === 0) {
    const when = failures === 1 ? 'the last question' : `the last ${failures} questions`;
    return because('unreachable', `no time of it after ${when}: no answer, or not synchronised itself`);
  }
  if (answer === undefined) return because('unusable', 'it says that it is not synchronised itself');
  if (!hasReading || !hasEnoughAnswers(association))
    return because('waiting', 'more answers of it are needed');
  return because('unusable', `it may be wrong by more than ${ROOT_DISTANCE_MS_MAX} ms`);
}

const because = (status: TimeServerStatus, why: string): Judgement => ({ status, why });

function findingsOf({ peers, ntp, conflict, peersAreSynchronised }: Findings, own: number): TimeFindings {
  return {
    peers:
      peers.status === 'agreed'
        ? {
            status: 'agreed',
            lo: peers.interval.lo - own,
            hi: peers.interval.hi - own,
            offset: peers.offset - own,
            error: peers.error,
            low: peers.low,
            high: peers.high,
          }
        : peers,
    ntp:
      ntp.status === 'selected'
        ? {
            status: 'selected',
            offset: ntp.offset - own,
            error: ntp.error,
            falsetickers: ntp.falsetickers,
          }
        : ntp,
    conflict,
    peersAreSynchronised,
  };
}
