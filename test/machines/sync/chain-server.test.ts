import { afterAll, describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { chainServerMachine } from '../../../src/machines/sync/chain-server.machine.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseBatchDigest } from '../../../src/protocol/chain/parse.ts';
import type { Address, BatchDigest, BatchReference } from '../../../src/protocol/chain/types.ts';
import type { SyncAnswer } from '../../../src/protocol/sync/messages.ts';
import type { UnaskedQuestion } from '../../../src/protocol/sync/questions.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import { encode } from '../../../src/transport/codec/codec.ts';
import { GENESIS_EXECUTED, height, present, world } from '../../protocol/consensus/fixture.ts';
import { ofKind, reachOf, toldTo } from '../reach.ts';
import { answersIn, chainIn, idAt, sentIn, storageReplies, type TestChain } from './state-sync.rig.ts';

const place = world();
const reach = reachOf(chainServerMachine, 'chain-server');
const input = { epoch: place.epoch, bls: place.bls, storage: 'storage', router: 'router' };
type Chart = ReturnType<typeof reach.start>;
type Effects = Chart['effects'];

afterAll(() => expect(reach.missing()).toEqual([]));

const asker = place.addressAt(1);
let requestId = 0;

function ask(chart: Chart, question: UnaskedQuestion, from: Address = asker): Effects {
  requestId += 1;
  return chart.send({ type: 'message.received', from, message: { ...question, requestId } });
}

/** What leaves in the end, when storage answers all that it is asked about the chain. */
function served(chart: Chart, effects: Effects, chain: TestChain, committed: number): readonly SyncAnswer[] {
  const answers: SyncAnswer[] = [];
  const pending = [effects];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    answers.push(...answersIn(next));
    for (const reply of storageReplies(place, chain, committed, next)) pending.push(chart.send(reply));
  }
  return answers;
}

const answerTo = (question: UnaskedQuestion, chain: TestChain, committed: number): SyncAnswer => {
  const chart = reach.start(input);
  return present(served(chart, ask(chart, question), chain, committed)[0], 'answer');
};

function batchOf(index: number, bytes: number): { reference: BatchReference; bytes: Uint8Array } {
  const digest = parseBatchDigest(digestOf(Buffer.from(`batch ${index}`)));
  if (digest === 'malformed') throw new Error('no digest');
  return { reference: { digest, count: 1, bytes }, bytes: new Uint8Array(bytes).fill(index) };
}

/** A chain whose block at each height names one batch of so many bytes. */
function chainWithBatches(length: number, bytes: number): TestChain {
  const batches = new Map<BatchDigest, Uint8Array>();
  const chain = chainIn(place, length, (index) => {
    const batch = batchOf(index, bytes);
    batches.set(batch.reference.digest, batch.bytes);
    return { batches: [batch.reference] };
  });
  return { ...chain, batches };
}

const chain = chainIn(place, 140);
const blocksFrom = (from: number, limit: number, withBatches = false): UnaskedQuestion => ({
  ...{ kind: 'GetBlocks', from: height(from), limit, withBatches },
});
const lengthOf = (answer: SyncAnswer) => (answer.kind === 'Blocks' ? answer.blocks.length : undefined);

describe("what a peer is told of this node's chain", () => {
  it('tells the newest committed block with the proof of its commit (SY-3)', () => {
    const answer = answerTo({ kind: 'GetBlockHeight' }, chain, 12);
    expect(answer).toMatchObject({ kind: 'BlockHeight', base: 1, height: 12, tipId: idAt(place, chain, 12) });
    expect(answer).toHaveProperty('proof', chain.proofs[11]);
    expect(answerTo({ kind: 'GetBlockHeight' }, chain, 0)).toEqual({
      ...{ kind: 'BlockHeight', requestId, base: 0, height: 0, tipId: place.epoch.rootQC.blockId },
    });
  });

  it('tells its genesis, and that it keeps no snapshots, without asking storage (SY-4, SY-10)', () => {
    const chart = reach.start(input);
    const [genesis] = sentIn(ask(chart, { kind: 'GetGenesisHash' }));
    expect(genesis).toMatchObject({ to: asker, message: { genesisHash: place.epoch.domain.genesisHash } });
    const chunk = { kind: 'GetSnapshotChunk', height: height(1), format: 1, chunk: 0 } as const;
    for (const question of [{ kind: 'GetSnapshot' } as const, chunk]) {
      const [sent] = sentIn(ask(chart, question));
      expect(Object.keys(present(sent, 'answer').message).sort()).toEqual(['kind', 'requestId']);
    }
    expect(toldTo(chart.effects, 'storage')).toEqual([]);
  });

  describe('of the snapshots that it keeps (SY-10)', () => {
    const manifest = { height: height(100), format: 1, bytes: 5, chunks: [place.epoch.domain.genesisHash] };
    const keeping = { ...input, snapshotKeeper: 'keeper' };
    const tagOf = (effects: Effects): number => {
      const [request] = toldTo(effects, 'keeper');
      return request !== undefined && 'tag' in request ? Number(request['tag']) : 0;
    };
    const chunkOf = (index: number): UnaskedQuestion => ({
      ...{ kind: 'GetSnapshotChunk', height: height(100), format: 1, chunk: index },
    });

    it('tells the newest, or that there is none, as its keeper says', () => {
      for (const found of [{ manifest }, {}]) {
        const chart = reach.start(keeping);
        const asked = ask(chart, { kind: 'GetSnapshot' });
        expect(toldTo(asked, 'keeper')).toMatchObject([
          { type: 'manifest.requested', replyTo: 'chain-server' },
        ]);
        const sent = sentIn(chart.send({ type: 'manifest.found', tag: tagOf(asked), ...found }));
        expect(sent).toEqual([{ to: asker, message: { kind: 'Snapshot', requestId, ...found } }]);
      }
    });

    it('gives a chunk as its keeper has it, or says that it keeps it no more', () => {
      for (const found of [{ bytes: new Uint8Array(9) }, {}]) {
        const chart = reach.start(keeping);
        const asked = ask(chart, chunkOf(3));
        const request = { type: 'chunk.requested', height: 100, format: 1, chunk: 3 };
        expect(toldTo(asked, 'keeper')).toMatchObject([request]);
        const effects = chart.send({ type: 'chunk.found', tag: tagOf(asked), ...found });
        expect(sentIn(effects)).toEqual([
          { to: asker, message: { kind: 'SnapshotChunk', requestId, ...found } },
        ]);
        expect(ofKind(effects, 'cancelTimer')).toHaveLength(1);
      }
    });

    it('lets nobody take all places, and makes who had its share wait', () => {
      const chart = reach.start(keeping);
      const asks = [0, 1, 2, 3, 4].map((index) => toldTo(ask(chart, chunkOf(index)), 'keeper'));
      expect(asks.map(({ length }) => length)).toEqual([1, 1, 1, 1, 0]);
      expect(chart.snapshot.context.counts.dropped).toBe(1);
      const fresh = reach.start(keeping);
      for (let count = 0; count < 65; count += 1) {
        const tag = tagOf(ask(fresh, chunkOf(count)));
        fresh.send({ type: 'chunk.found', tag, bytes: new Uint8Array(1_048_576) });
      }
      const [rest] = ofKind(ask(fresh, chunkOf(65)), 'startTimer');
      expect(rest?.message).toMatchObject({ type: 'rest.ended' });
      expect(fresh.snapshot.context.counts).toMatchObject({ answered: 65, rested: 1 });
    });

    it('forgets an asker when the keeper does not answer: it may have begun anew', () => {
      const chart = reach.start(keeping);
      const effects = ask(chart, chunkOf(0));
      const [timer] = ofKind(effects, 'startTimer');
      const tag = tagOf(effects);
      expect(timer).toMatchObject({ message: { type: 'keeper.silent', tag } });
      chart.send({ type: 'keeper.silent', tag });
      expect(chart.snapshot.context.waiting.size).toBe(0);
      expect(chart.snapshot.context.counts.failed).toBe(1);
      expect(sentIn(chart.send({ type: 'chunk.found', tag, bytes: new Uint8Array(1) }))).toEqual([]);
      expect(sentIn(chart.send({ type: 'manifest.found', tag }))).toEqual([]);
    });
  });

  it('tells the block of a height, or that it holds none', () => {
    expect(answerTo({ kind: 'GetBlockHash', height: height(7) }, chain, 12)).toMatchObject({
      id: idAt(place, chain, 7),
    });
    expect(answerTo({ kind: 'GetBlockHash', height: height(13) }, chain, 12)).not.toHaveProperty('id');
  });

  it('describes its whole chain by checkpoints from base to tip (SY-9)', () => {
    const answer = answerTo({ kind: 'GetChain' }, chain, 140);
    if (answer.kind !== 'Chain') throw new Error('no Chain');
    expect(answer.checkpoints.length).toBeGreaterThan(64);
    expect(answer.checkpoints[0]).toEqual({ height: 1, id: idAt(place, chain, 1) });
    expect(answer.checkpoints.at(-1)).toEqual({ height: 140, id: idAt(place, chain, 140) });
    expect(answer.proof).toBe(chain.proofs[139]);
    expect(answerTo({ kind: 'GetChain' }, chain, 0)).toMatchObject({
      checkpoints: [{ height: 0, id: place.epoch.rootQC.blockId }],
    });
  });

  it('gives committed blocks from a height, and uncommitted ones by id with ancestors', () => {
    expect(lengthOf(answerTo(blocksFrom(3, 5), chain, 140))).toBe(5);
    expect(lengthOf(answerTo(blocksFrom(139, 128), chain, 140))).toBe(2);
    expect(answerTo(blocksFrom(141, 128), chain, 140)).toMatchObject({
      blocks: [],
      batches: [],
      height: 140,
    });
    const byId = answerTo({ kind: 'GetBlock', id: idAt(place, chain, 9), ancestors: 3 }, chain, 5);
    expect(byId).toMatchObject({ kind: 'Blocks', blocks: { length: 4 }, height: 5 });
  });

  it('gives the batches that the blocks name where they are wanted, in the order in which they are named', () => {
    const named = chainWithBatches(4, 100);
    const answer = answerTo(blocksFrom(2, 2, true), named, 4);
    expect(answer).toMatchObject({ blocks: { length: 2 } });
    expect(answer).toHaveProperty('batches', [batchOf(1, 100).bytes, batchOf(2, 100).bytes]);
    expect(answerTo(blocksFrom(2, 2), named, 4)).toMatchObject({ batches: [] });
    expect(answerTo(blocksFrom(2, 2, true), chain, 4)).toMatchObject({ batches: [] });
  });
});

describe('nothing leaves for which a reader would blame this node (SY-8)', () => {
  /** Inner certificates as a liar may have given them: never verified, of another block. */
  const unverified = (from: number, to: number, of: TestChain = chain): TestChain => ({
    ...of,
    blocks: of.blocks.map(({ block, qc }, index) =>
      index + 1 >= from && index + 1 <= to
        ? { block, qc: { ...qc, signature: new Uint8Array(qc.signature.byteLength) } }
        : { block, qc },
    ),
  });

  it('ends at the newest certificate that holds, and says so in its counts', () => {
    const chart = reach.start(input);
    const list = unverified(129, 140);
    const [answer] = served(chart, ask(chart, blocksFrom(100, 41)), list, 140);
    expect(lengthOf(present(answer, 'answer'))).toBe(29);
    expect(chart.snapshot.context.counts).toMatchObject({ shortened: 1, answered: 1 });
  });

  it('gives blocks without batches up to a certificate that holds, where the batches end the answer at one that does not', () => {
    const large = chainWithBatches(8, Math.floor(KINDS.Blocks.bytesMax / 3));
    expect(lengthOf(answerTo(blocksFrom(1, 8, true), large, 8))).toBe(2);
    const answer = answerTo(blocksFrom(1, 8, true), unverified(2, 7, large), 8);
    expect(answer).toMatchObject({ blocks: { length: 1 }, batches: { length: 1 } });
    const none = answerTo(blocksFrom(1, 8, true), unverified(1, 7, large), 8);
    expect(none).toMatchObject({ blocks: { length: 8 }, batches: [] });
    expect(answerTo(blocksFrom(1, 8), unverified(1, 8), 8)).toMatchObject({ blocks: [], height: 8 });
  });

  it('gives nothing for a block by its id whose own certificate is not here: its ancestors are no answer', () => {
    const byId = { kind: 'GetBlock', id: idAt(place, chain, 9), ancestors: 3 } as const;
    expect(answerTo(byId, unverified(9, 9), 5)).toMatchObject({ blocks: [], height: 5 });
    expect(answerTo(byId, unverified(7, 8), 5)).toMatchObject({ blocks: { length: 4 } });
  });
});

describe('bug "a reply larger than the frame limit" (TP-9)', () => {
  it('cuts an answer to what one frame takes, whatever it holds', () => {
    for (const bytes of [1, 3_000, 40_000, 700_000]) {
      const list = chainWithBatches(130, bytes);
      const answer = answerTo(blocksFrom(1, 130, true), list, 130);
      const encoding = encode(answer);
      expect(encoding.outcome === 'refused' ? encoding.refusal : 'encoded').toBe('encoded');
      expect(lengthOf(answer)).toBeGreaterThan(0);
      if (bytes <= 3_000) expect(answer).toMatchObject({ blocks: { length: 130 }, batches: { length: 130 } });
      else expect(lengthOf(answer)).toBe(Math.floor(KINDS.Blocks.bytesMax / (bytes + 1_000)));
    }
  });
});

describe('bounds', () => {
  it('keeps room for the others when one peer asks without end', () => {
    const chart = reach.start(input);
    for (let count = 0; count < 1_000; count += 1) ask(chart, blocksFrom(1, 1));
    expect(chart.snapshot.context.waiting.size).toBe(4);
    expect(chart.snapshot.context.counts.dropped).toBe(996);
    expect(toldTo(ask(chart, blocksFrom(1, 1), place.addressAt(2)), 'storage')).toHaveLength(1);
    expect(toldTo(ask(chart, { kind: 'GetBlockHeight' }), 'storage')).toHaveLength(1);
    for (let count = 0; count < 1_000; count += 1) ask(chart, { kind: 'GetBlockHeight' });
    expect(chart.snapshot.context.waiting.size).toBe(4 + 1 + 4);
  });

  it('has 64 places for blocks in all', () => {
    const crowd = world(
      Array.from({ length: 20 }, () => 1n),
      'crowd',
    ).validators;
    const chart = reach.start(input);
    for (const { address } of crowd)
      for (let count = 0; count < 4; count += 1) ask(chart, blocksFrom(1, 1), address);
    expect(chart.snapshot.context.waiting.size).toBe(64);
  });

  it('lets a peer rest that has had its share of bytes, and serves the others meanwhile', () => {
    const chart = reach.start(input);
    const list = chainWithBatches(1, 1_900_000);
    let rested: Effects = [];
    for (let count = 0; count < 100 && rested.length === 0; count += 1) {
      const effects = ask(chart, blocksFrom(1, 1, true));
      if (toldTo(effects, 'storage').length === 0) rested = effects;
      else expect(served(chart, effects, list, 1)).toHaveLength(1);
    }
    const [timer] = ofKind(rested, 'startTimer');
    expect(timer).toMatchObject({ message: { type: 'rest.ended' } });
    expect(present(timer, 'timer').delayMs).toBeLessThan(200);
    expect(toldTo(ask(chart, blocksFrom(1, 1), place.addressAt(2)), 'storage')).toHaveLength(1);
    const ended = { type: 'rest.ended', tag: chart.snapshot.context.tag - 1 } as const;
    expect(timer).toMatchObject({ message: ended });
    expect(served(chart, chart.send(ended, { now: monotonic(1_000) }), list, 1)).toHaveLength(1);
    expect(chart.snapshot.context.counts.rested).toBe(1);
    expect(chart.send(ended)).toEqual([]);
  });

  it('forgets the asker when storage fails, and passes over what it does not know', () => {
    const chart = reach.start(input);
    const questions = [blocksFrom(1, 1), { kind: 'GetBlockHeight' } as const, { kind: 'GetChain' } as const];
    for (const question of questions) {
      ask(chart, question);
      const { tag } = chart.snapshot.context;
      const failed = {
        type: 'storage.failed',
        tag,
        request: 'tip.requested',
        code: 'IO',
        detail: 'x',
      } as const;
      expect(chart.send(failed)).toEqual([]);
      expect(chart.send(failed)).toEqual([]);
    }
    expect(chart.snapshot.context).toMatchObject({ waiting: new Map(), counts: { failed: 3 } });
    const tag = 99;
    expect(chart.send({ type: 'blocks.found', tag, blocks: [], height: height(1) })).toEqual([]);
    expect(chart.send({ type: 'batches.found', tag, batches: [], missing: [] })).toEqual([]);
    expect(chart.send({ type: 'blockIds.found', tag, ids: [] })).toEqual([]);
    const tip = { base: height(1), height: height(1), id: idAt(place, chain, 1), executed: GENESIS_EXECUTED };
    expect(chart.send({ type: 'tip.found', tag, ...tip })).toEqual([]);
  });
});
