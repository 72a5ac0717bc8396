/**
 * How a node is, as a row of the feed: its own reports, read off the cells' snapshots. What lies outside the cells is given, and missing in
 * a replay. Pure reading. Rules IN-1, TM-3, SY-11, BR-9, docs/inspector.md.
 */
import { ADDRESSES } from '../../actors/addresses.ts';
import type { Instant, System } from '../../actors/runtime/index.ts';
import { load } from '../../machines/bridge/bridge.setup.ts';
import type { NodeHealth } from '../../observe/feed/feed.ts';
import type { Address } from '../../protocol/chain/types.ts';
import { isValidator, powerOf } from '../../protocol/chain/validator-set.ts';
import { deadlinesOf } from '../../protocol/consensus/pacemaker.ts';
import type { TimeReport } from '../../rpc/time-port.ts';
import { reasonsAgainst } from '../health.ts';
import { timeReport } from '../time-report.ts';
import {
  blockSyncOf,
  bridgeOf,
  epochOf,
  networkSyncOf,
  safetyOf,
  timeOf,
  treeOf,
  viewChangeOf,
  viewOf,
} from '../views.ts';
import type { RoundTimes } from './round-times.ts';
import { routerIn } from './snapshots.ts';

/** What of a node moves outside its cells. All of it is missing in a replay. */
export interface Beside {
  /** Of this machine's clock to adjusted time. @unit ms */
  readonly systemOffset?: () => number;
  readonly loopLag?: () => NonNullable<NodeHealth['loopLagMs']>;
  readonly journal?: () => NonNullable<NodeHealth['journal']>;
  /** As `/readyz` has it; else what the cells say. */
  readonly reasons?: () => readonly string[];
  /** Of peers and validators, by address. */
  readonly names?: ReadonlyMap<Address, string>;
}

const NO_NAMES: ReadonlyMap<Address, string> = new Map();
/** Where nothing outside the cells is known, no stall of the loop is too long. @unit ms */
const LAG_UNKNOWN = 0;

export class HealthReader {
  readonly #system: System;
  readonly #beside: Beside;
  readonly #rounds: RoundTimes;
  #before: Instant;
  #turnsPerSecond: number | undefined;

  constructor(system: System, beside: Beside, rounds: RoundTimes) {
    this.#system = system;
    this.#beside = beside;
    this.#rounds = rounds;
    this.#before = system.instant();
  }

  read(): Omit<NodeHealth, 'node'> | undefined {
    const system = this.#system;
    const instant = system.instant();
    const viewChange = viewChangeOf(system);
    const view = viewOf(system);
    const time = this.#time(instant);
    const reasons = this.#beside.reasons?.() ?? reasonsByCells(system, time);
    const bridge = bridgeOf(system);
    const router = routerIn(system.ref(ADDRESSES.router).info()?.snapshot);
    const lag = this.#beside.loopLag?.();
    const journal = this.#beside.journal?.();
    const pace = this.#pace(instant);
    const offsetMs = this.#beside.systemOffset?.();
    return {
      at: instant.wall,
      isReady: reasons.length === 0,
      reasons,
      clock: { ...(offsetMs === undefined ? {} : { offsetMs }), ...clockOf(time) },
      round: {
        ...this.#rounds.figures,
        timeoutMs:
          view === undefined || viewChange === undefined
            ? 0
            : Math.round(deadlinesOf(view.pacemaker, viewChange.timeouts).timeout),
      },
      sync: syncOf(system),
      ...(lag === undefined ? {} : { loopLagMs: lag }),
      reach: bridge?.reach ?? 'starting',
      breakers: [...(bridge?.context.breakers ?? [])].map(([peer, state]) => ({ peer, state })),
      peers: router?.links.size ?? 0,
      pending: bridge === undefined ? 0 : load(bridge.context),
      ...(pace === undefined ? {} : { turnsPerSecond: pace }),
      ...(journal === undefined ? {} : { journal }),
    };
  }

  #time(instant: Instant): TimeReport {
    const { names = NO_NAMES } = this.#beside;
    const clocks = {
      clock: { now: () => instant.now, wall: () => instant.wall },
      adjusted: { read: () => instant.wall, isAdjusted: true },
      source: 'peers' as const,
    };
    return timeReport(clocks, timeOf(this.#system), names);
  }

  /** Since it was read last; of two reads at one instant the second has nothing to count, and tells what the first did. */
  #pace(instant: Instant): number | undefined {
    const elapsed = instant.now - this.#before.now;
    if (elapsed <= 0) return this.#turnsPerSecond;
    this.#turnsPerSecond = Math.round(((instant.turn - this.#before.turn) * 1_000) / elapsed);
    this.#before = instant;
    return this.#turnsPerSecond;
  }
}

/** Offsets of the sources are to adjusted time. */
function clockOf({
  state,
  error,
  peers,
  servers,
  findings,
}: TimeReport): Omit<NodeHealth['clock'], 'offsetMs'> {
  const outside = new Set<string>(
    findings?.peers.status === 'agreed' ? [...findings.peers.low, ...findings.peers.high] : [],
  );
  return {
    ...(error === undefined ? {} : { errorMs: error }),
    state,
    sources: [
      ...peers.flatMap(({ id, name, offset, roundTripTime, isSynchronised }) =>
        offset === undefined
          ? []
          : [
              {
                name: name === '' ? id : name,
                offsetMs: offset,
                errorMs: (roundTripTime ?? 0) / 2,
                isUsed: isSynchronised && !outside.has(id),
              },
            ],
      ),
      ...servers.flatMap(({ server, offset, rootDistance, status }) =>
        offset === undefined
          ? []
          : [{ name: server, offsetMs: offset, errorMs: rootDistance ?? 0, isUsed: status === 'selected' }],
      ),
    ],
  };
}

function syncOf(system: System): NodeHealth['sync'] {
  const sync = networkSyncOf(system);
  const own = sync?.context.ownHeight ?? treeOf(system)?.tree.root.height ?? 0;
  const progress = sync?.context.progress;
  const target = progress?.to ?? sync?.context.consensusHeight;
  return {
    state: sync === undefined ? 'starting' : `${sync.state}: ${sync.context.status.kind}`,
    ...(progress === undefined ? {} : { tier: String(progress.tier) }),
    height: progress?.at ?? own,
    ...(target === undefined ? {} : { target }),
    ...(progress?.remainingMs === undefined ? {} : { etaMs: progress.remainingMs }),
  };
}

function reasonsByCells(system: System, time: TimeReport): readonly string[] {
  const [epoch, tree] = [epochOf(system), treeOf(system)?.tree];
  if (epoch === undefined || tree === undefined) return ['consensus has not recovered from the store'];
  const self = safetyOf(system)?.signer.address;
  const router = routerIn(system.ref(ADDRESSES.router).info()?.snapshot);
  const reachable = [...(self === undefined ? [] : [self]), ...(router?.links.keys() ?? [])];
  const blocks = blockSyncOf(system);
  return reasonsAgainst({
    sync: networkSyncOf(system)?.context.status,
    fetching: blocks !== undefined && (blocks.wanted !== undefined || blocks.askers.length > 0),
    executionFailure: undefined,
    committedHeight: tree.root.height,
    executedHeight: tree.executedHeight,
    isValidator: self !== undefined && isValidator(epoch.set, self),
    missingKey: undefined,
    refusedBy: [],
    reachablePower: reachable.reduce((sum, address) => sum + powerOf(epoch.set, address), 0n),
    quorumPower: epoch.set.quorumPower,
    recovered: viewOf(system) !== undefined,
    mayPropose: time.mayPropose,
    bridge: bridgeOf(system),
    loopLagMs: LAG_UNKNOWN,
    loopLagMsMax: LAG_UNKNOWN,
  });
}
