/** The committed chain as a row of epochs: a run in which validators change, as it was and with one thing altered. SM-4, CS-15 to CS-17. */
import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import type { Header } from '../../../src/protocol/chain/types.ts';
import type { ValidatorUpdate } from '../../../src/protocol/ports/application.ts';
import type { CommittedBlock } from '../../../src/protocol/ports/storage.ts';
import { play } from '../../../src/simulation/acts.ts';
import {
  BY_LEADER,
  EMPTY_END,
  ENDS_WHEN_DUE,
  EpochChain,
  NAMES_NEXT,
  NO_SUFFIX,
  OF_ITS_EPOCH,
} from '../../../src/simulation/checkers/epoch-chain.ts';
import { Cluster } from '../../../src/simulation/cluster.ts';
import { membersKvBy } from '../../../src/simulation/replicated.ts';

/** Four validators and one that comes, has another key, and leaves, while a member is down. */
const history = (() => {
  const blocks: CommittedBlock[] = [];
  const updates = new Map<number, readonly ValidatorUpdate[]>();
  const run = new Cluster({
    seed: 'epochs',
    validators: 5,
    members: 4,
    epochLength: 7,
    application: membersKvBy(100),
    leadership: { leaderSchedule: 'stake_weighted', leaderReputation: true, vrf: true },
    timeouts: { emptyBlockIntervalMs: millis(200) },
    observers: [
      {
        executed: (_, { executed, validatorUpdates }) => updates.set(executed.height, validatorUpdates),
        committed: (_, block) => blocks.push(block),
      },
    ],
  });
  const change = (power: number, key: number): void => {
    play(run, { kind: 'change-validator', node: 0, validator: 4, power, key }, run.clock.now());
    run.advance(3_000);
  };
  run.advance(1_000);
  change(2, 0);
  run.crash(3);
  change(2, 1);
  change(0, 1);
  run.start(3);
  run.advance(5_000);
  run.finish();
  expect(run.checker.violations).toEqual([]);
  return { run, blocks, updates };
})();

const isLast = ({ validatorsHash, nextValidatorsHash }: Header): boolean =>
  validatorsHash !== nextValidatorsHash;

/** Claims that the history breaks with the header of some blocks, or with what was executed, altered. */
function claims(alter: (header: Header) => Partial<Header>, updates = history.updates): ReadonlySet<string> {
  const found = new Set<string>();
  const { run, blocks } = history;
  const chain = new EpochChain(run.epoch, run.vrf, (claim) => found.add(claim));
  for (const [height, asked] of updates) chain.executed(height, asked);
  for (const committed of blocks) {
    const { block } = committed;
    const header = { ...block.header, ...alter(block.header) };
    chain.committed('somebody', { ...committed, block: { ...block, header } });
  }
  return found;
}

const OTHER = digestOf(new Uint8Array(1));

describe('a chain of epochs', () => {
  it('as validators made it breaks nothing, in any order of telling', () => {
    const newest = history.run.present;
    expect(newest.epoch).toBeGreaterThan(5);
    expect([...history.updates.values()].filter(({ length }) => length > 0)).toHaveLength(3);
    const passed = Array.from({ length: newest.epoch }, (_, epoch) => history.run.epochs.of(epoch));
    expect(passed.some((one) => (one?.descriptor.passedOver.length ?? 0) > 0)).toBe(true);
    expect(claims(() => ({}))).toEqual(new Set());
  });

  it("has no block of another epoch or set, and none that is not its leader's (CS-15)", () => {
    expect(claims(({ height }) => (height === 20 ? { validatorsHash: OTHER } : {}))).toContain(OF_ITS_EPOCH);
    const [first, second] = history.run.epoch.set.validators.map(({ address }) => address);
    const other = (header: Header) => (header.proposer === first ? second : first) ?? header.proposer;
    const found = claims((header) => (header.height === 20 ? { proposer: other(header) } : {}));
    expect(found).toContain(BY_LEADER);
  });

  it('ends an epoch where it is due, in an empty block that names the next (CS-16)', () => {
    const earliest = history.blocks.find(({ block }) => isLast(block.header))?.block.header;
    const atEnd = (change: Partial<Header>) =>
      claims(({ height }) => (height === earliest?.height ? change : {}));
    expect(atEnd({ nextValidatorsHash: history.run.epoch.hash })).toContain(ENDS_WHEN_DUE);
    expect(atEnd({ nextValidatorsHash: OTHER })).toContain(NAMES_NEXT);
    const batches = history.blocks.map(({ block }) => block.header.batches).find(({ length }) => length > 0);
    expect(atEnd({ batches: batches ?? [] })).toContain(EMPTY_END);
    expect(claims(({ height }) => (height === 2 ? { nextValidatorsHash: OTHER } : {}))).toContain(
      ENDS_WHEN_DUE,
    );
  });

  it('has nothing of what stands above the end of an epoch (CS-16)', () => {
    const nobody = '0'.repeat(64);
    const found = claims(({ height, nextValidatorsHash }) =>
      height === 20 ? { nextValidatorsHash: nobody as typeof nextValidatorsHash } : {},
    );
    expect(found).toContain(NO_SUFFIX);
  });

  it('hands on the validators that were asked for, and the outputs of its blocks (CS-16, CS-17)', () => {
    const [asked] = [...history.updates].filter(([, { length }]) => length > 0);
    if (asked === undefined) throw new Error('somebody came');
    const [height, changes] = asked;
    const more = new Map(history.updates).set(
      height,
      changes.map((one) => ({ ...one, power: one.power + 1n })),
    );
    expect(claims(() => ({}), more)).toContain(NAMES_NEXT);
    expect(claims((header) => (header.height === 3 ? { vrfProof: new Uint8Array(80) } : {}))).toContain(
      NAMES_NEXT,
    );
  });
});
