/** A bridge in trouble, for tests of those who show it. */
import { millis } from '../../src/base/units.ts';
import { BRIDGE_COUNTS, type BridgeCount, type BridgeReport } from '../../src/rpc/bridge-port.ts';
import { idOfOperation, plain, stateAfter } from '../protocol/bridge/operations-of.ts';
import { height, world } from '../protocol/consensus/fixture.ts';

const place = world();
export const [PEER, OTHER] = [place.addressAt(1), place.addressAt(2)];

/** Each count another number, from 1 on. */
const counts: Readonly<Record<BridgeCount, number>> = {
  ...{ messagesProcessed: 1, consensusRoundsCompleted: 2, failedOperations: 3, submitted: 4 },
  ...{ committed: 5, expired: 6, rejected: 7, duplicates: 8, stateSyncsSent: 9, partitions: 10 },
  ...{ unanswered: 11, forgotten: 12, handedAgain: 13, notKept: 14, turnedAway: BRIDGE_COUNTS.length },
};

export const IN_TROUBLE: BridgeReport = {
  reach: 'partitioned',
  partition: 'unreachable: validators with power 2 of 4 can be reached, 3 are needed',
  healedAfter: millis(1_234.5),
  healthy: false,
  reachablePower: 2n,
  requiredVotes: 3n,
  pending: 9,
  pendingMax: 10,
  queued: 2,
  overdue: 1,
  counts,
  divergences: [
    {
      height: height(7),
      ours: stateAfter(7).appHash,
      theirs: stateAfter(7, 'otherwise').appHash,
      by: 'the certificate of height 9',
    },
  ],
  breakers: [
    { peer: PEER, state: 'open' },
    { peer: OTHER, state: 'closed' },
  ],
  missing: [
    { peer: OTHER, name: 'node2' },
    { peer: PEER, name: '' },
  ],
  stateSync: { height: height(7), age: millis(12.5), interval: millis(10_000) },
  pacing: {
    roundTrip: millis(81.26),
    roundTimeout: { now: millis(1_500), least: millis(200), greatest: millis(30_000) },
    blockTime: millis(240.04),
    blockTimeTarget: millis(500),
    sealInterval: { now: millis(60.01), least: millis(10), greatest: millis(100) },
    sealBytes: { now: 262_144, least: 262_144, greatest: 1_048_576 },
    blockShare: { now: 0.343, least: 0.015_625, greatest: 1 },
  },
  operations: [
    {
      ...{ id: idOfOperation(plain('one')), bytes: 3, age: millis(45.6), expiresAtHeight: height(20) },
      votesReceived: 2n,
    },
    {
      ...{ id: idOfOperation(plain('two')), bytes: 3, age: millis(40), expiresAtHeight: height(21) },
      votesReceived: undefined,
    },
  ],
};
