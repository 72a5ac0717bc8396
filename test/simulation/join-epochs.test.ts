/**
 * Whole networks whose chain has ended epochs: new nodes join it by a snapshot, and nodes download all of it anew; liars about
 * epochs, crashes in each phase, validators that come at that moment. Rules SY-9, SY-10, SY-12, SY-16, CS-16.
 */
import { describe, expect, it } from 'vitest';
import { ADDRESSES } from '../../src/actors/addresses.ts';
import { millis } from '../../src/base/units.ts';
import { FIRST_EPOCH } from '../../src/protocol/chain/ordinals.ts';
import { encodeEpochProof, parseEpochProof } from '../../src/protocol/light/encoding.ts';
import type { EpochsMessage } from '../../src/protocol/sync/messages.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';
import { membersKv } from '../../src/simulation/replicated.ts';
import { isJoined, isLevel, lowest, phaseOf, QUICK_SYNC, syncOf, until } from './support/joining.ts';

const NEW = 4;
const WINDOW = 12;

const network = (options: Partial<ClusterOptions> = {}): Cluster =>
  new Cluster({
    seed: 'join over epochs',
    validators: 5,
    members: 4,
    application: membersKv,
    timeouts: { emptyBlockIntervalMs: millis(100) },
    batchTtlHeights: WINDOW,
    absent: [NEW],
    joining: [NEW],
    epochLength: 30,
    snapshotIntervalHeights: 20,
    sync: { ...QUICK_SYNC, tier3TrustTime: millis(1) },
    ...options,
  });

/** How the first four epochs ended, as a node holds it. */
function endsIn(run: Cluster, index: number): readonly unknown[] {
  const found = run.node(index).read((store) => store.changes(FIRST_EPOCH, 4));
  if (found?.status !== 'found') throw new Error('the store cannot be read');
  return found.value.map(({ qc }) => [qc.epoch, qc.height, qc.blockId]);
}

async function grown(run: Cluster, epochs = 4): Promise<void> {
  run.submit(0, 'key=value');
  expect(await until(run, () => (run.epochAt(0)?.epoch ?? 0) >= epochs, 400, 100)).toBe(true);
}

function expectSound(run: Cluster): void {
  run.finish();
  expect(run.checker.violations).toEqual([]);
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
/** What an operator would send to bring a node in. */
function bringing(run: Cluster, index: number): string {
  const { nodeKey, consensusKey, possessionProof } = run.updateOf(index, 1n);
  return `val:${base64(nodeKey)}!${base64(consensusKey)}!${base64(possessionProof)}!1`;
}

type Lie = (message: EpochsMessage) => EpochsMessage | undefined;
const LIES: readonly (readonly [string, Lie])[] = [
  ['an epoch that is left out', (message) => ({ ...message, changes: message.changes.slice(1) })],
  ['nothing in time', () => undefined],
  [
    'an end of another epoch than the validators signed',
    (message) => ({
      ...message,
      changes: message.changes.map(({ qc, proof: bytes }) => {
        const proof = parseEpochProof(bytes);
        if (proof === 'malformed') throw new Error('an honest node tells what can be read');
        const passedOver = proof.next.validators.validators.slice(0, 1).map(({ address }) => address);
        return { qc, proof: encodeEpochProof({ ...proof, next: { ...proof.next, passedOver } }) };
      }),
    }),
  ],
];

/** Of those who claim the same epoch the one with the lowest address is asked first. */
function askedFirst(): number {
  const [first] = network()
    .nodes.filter(({ index }) => index !== NEW)
    .sort((left, right) => (left.address < right.address ? -1 : 1));
  return first?.index ?? 0;
}

function lying(lie: Lie) {
  let told = 0;
  const options: Partial<ClusterOptions> = {
    liars: [askedFirst()],
    voiceOf: () => ({
      heard: () => {},
      outgoing: (sent) => {
        if (sent.message.kind !== 'Epochs') return [sent];
        told += 1;
        const said = lie(sent.message);
        return said === undefined ? [] : [{ ...sent, message: said }];
      },
    }),
  };
  return { options, told: () => told };
}

describe('a new node joins, by a snapshot, a chain that has ended epochs (SY-10, SY-16)', () => {
  it('knows how each ended, executes as the others, is brought in, and votes over the end of the next', async () => {
    const run = network();
    await grown(run);
    run.start(NEW);
    expect(await until(run, () => isJoined(run, NEW), 600)).toBe(true);
    expect(endsIn(run, NEW)).toEqual(endsIn(run, 0));
    run.submit(NEW, bringing(run, NEW));
    const isIn = (): boolean => run.epochAt(NEW)?.set.indexByAddress.has(run.node(NEW).address) === true;
    expect(await until(run, isIn, 200)).toBe(true);
    run.crash(0);
    const joinedAt = run.epochAt(NEW)?.epoch ?? 0;
    // Four of five are a quorum: without its votes no epoch would end.
    expect(await until(run, () => (run.epochAt(2)?.epoch ?? 0) >= joinedAt + 2, 600)).toBe(true);
    run.start(0);
    expect(await until(run, () => isLevel(run, 0), 200)).toBe(true);
    expectSound(run);
  }, 60_000);

  it.each(LIES)(
    'one tells of %s: it joins all the same',
    async (_, lie) => {
      const { options, told } = lying(lie);
      const run = network(options);
      await grown(run);
      run.start(NEW);
      expect(await until(run, () => isJoined(run, NEW), 600)).toBe(true);
      expect(told()).toBeGreaterThan(0);
      expect(endsIn(run, NEW)).toEqual(endsIn(run, 0));
      expectSound(run);
    },
    60_000,
  );

  it.each(['walking', 'downloading'])(
    'is killed while chain-sync is %s, twice, and joins in the end (SY-12)',
    async (phase) => {
      const run = network({ seed: `killed ${phase}` });
      await grown(run);
      for (let kills = 0; kills < 2; kills += 1) {
        run.start(NEW);
        expect(await until(run, () => phaseOf(run, NEW) === phase, 8_000, 1)).toBe(true);
        run.crash(NEW);
        run.advance(100);
      }
      run.start(NEW);
      expect(await until(run, () => isJoined(run, NEW), 600)).toBe(true);
      expect(endsIn(run, NEW)).toEqual(endsIn(run, 0));
      expectSound(run);
    },
    60_000,
  );

  it('nobody keeps one: it fetches the blocks of each epoch, from the first', async () => {
    const run = network({ snapshotIntervalHeights: 0 });
    await grown(run, 2);
    run.start(NEW);
    expect(await until(run, () => isLevel(run, NEW), 600)).toBe(true);
    expect([syncOf(run, NEW)?.joining, lowest(run, NEW)]).toEqual(['failed', 1]);
    expectSound(run);
  }, 60_000);
});

describe('a full re-sync of a chain that has ended epochs (SY-9, SY-16)', () => {
  it('takes the place of the old one, each block judged by its epoch; what was signed is not forgotten', async () => {
    const leadership = { leaderSchedule: 'stake_weighted', leaderReputation: true, vrf: true } as const;
    const run = network({ joining: [], leadership });
    await grown(run, 3);
    const version = (): number => {
      const recovered = run.node(2).read((store) => store.recover());
      return recovered?.status === 'found' ? recovered.value.recordVersion : 0;
    };
    const before = version();
    const life = run.node(2).process?.life ?? 0;
    run
      .node(2)
      .reach((system) =>
        system.ref(ADDRESSES.networkSync).tell({ type: 'resync.requested', replyTo: ADDRESSES.rpc, tag: 1 }),
      );
    expect(await until(run, () => (run.node(2).process?.life ?? 0) > life, 600)).toBe(true);
    expect(await until(run, () => isLevel(run, 2), 600)).toBe(true);
    expect([lowest(run, 2), endsIn(run, 2)]).toEqual([1, endsIn(run, 0)]);
    expect(version()).toBeGreaterThanOrEqual(before);
    // One of four may be gone: it judges the end of its epoch as the others do (CS-15, CS-17).
    run.crash(0);
    const epoch = run.epochAt(2)?.epoch ?? 0;
    expect(await until(run, () => (run.epochAt(2)?.epoch ?? 0) >= epoch + 2, 800)).toBe(true);
    run.finish();
    // It was ordered here, and by nobody's message.
    const others = run.checker.violations.filter(({ claim }) => !claim.includes('begins a full resync'));
    expect(others).toEqual([]);
  }, 60_000);
});
