import { afterAll, describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { chainServerMachine } from '../../../src/machines/sync/chain-server.machine.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseAddress, parseBatchDigest } from '../../../src/protocol/chain/parse.ts';
import type { Address, BatchDigest, BatchReference } from '../../../src/protocol/chain/types.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import type { SyncAnswer } from '../../../src/protocol/sync/messages.ts';
import type { UnaskedQuestion } from '../../../src/protocol/sync/questions.ts';
import { checkDescent, verifySegment } from '../../../src/protocol/sync/segment.ts';
import { WAITING_MAX } from '../../../src/protocol/sync/serving.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import { encode } from '../../../src/transport/codec/codec.ts';
import {
  epochNumber,
  GENESIS_EXECUTED,
  height,
  present,
  round,
  world,
} from '../../protocol/consensus/fixture.ts';
import { ofKind, reachOf, toldTo } from '../reach.ts';
import { began, chainOfEpochs, type EpochsChain, idAtHeight } from './epochs.ts';
import { answersIn, chainIn, idAt, sentIn, storageReplies, type TestChain } from './state-sync.rig.ts';

const place = world();
const reach = reachOf(chainServerMachine, 'chain-server');
const input = {
  epoch: place.epoch,
  bls: place.bls,
  storage: 'storage',
  router: 'router',
  roundManager: 'round-manager',
};
type Chart = ReturnType<typeof reach.start>;
type Effects = Chart['effects'];

afterAll(() => expect(reach.missing()).toEqual([]));

const asker = place.addressAt(1);
let requestId = 0;

function ask(chart: Chart, question: UnaskedQuestion, from: Address = asker): Effects {
  requestId += 1;
  return chart.send({ type: 'message.received', from, message: { ...question, requestId } });
}

/** As storage does, of blocks that were asked for by height: those have a commit proof here. */
function withProofs(reply: ReturnType<typeof storageReplies>[number], { proofs }: TestChain): typeof reply {
  if (reply.type !== 'blocks.found' || reply.commitProof === undefined) return reply;
  const commitProofs = reply.blocks.map(({ block }) => present(proofs[block.header.height - 1], 'proof'));
  return { ...reply, commitProofs };
}

/** What leaves in the end, when storage answers all that it is asked about the chain. */
function served(chart: Chart, effects: Effects, chain: TestChain, committed: number): readonly SyncAnswer[] {
  const answers: SyncAnswer[] = [];
  const pending = [effects];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    answers.push(...answersIn(next));
    for (const reply of storageReplies(place, chain, committed, next))
      pending.push(chart.send(withProofs(reply, chain)));
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
  /** Inner certificates as a liar may have given them, never verified; what has committed their blocks is the next good one. */
  const unverified = (from: number, to: number, of: TestChain = chain): TestChain => ({
    ...of,
    blocks: of.blocks.map(({ block, qc }, index) =>
      index + 1 >= from && index + 1 <= to
        ? { block, qc: { ...qc, signature: new Uint8Array(qc.signature.byteLength) } }
        : { block, qc },
    ),
    proofs: of.proofs.map((proof, index) =>
      index + 2 >= from && index + 1 <= to ? present(of.blocks[to]?.qc ?? of.proofs[to - 1], 'proof') : proof,
    ),
  });
  const ruled = (answer: SyncAnswer, from: number, limit: number) => {
    if (answer.kind !== 'Blocks') throw new Error(answer.kind);
    const question = { from: height(from), limit, proofs: [] };
    const check = verifySegment({ ...place, verified: NONE_VERIFIED }, question, answer);
    return check.status === 'refused' ? check.code : check.status;
  };

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

  it('ends at what a proof of commit certifies, wherever that is, and gives that proof as its certificate', () => {
    const list = unverified(51, 60);
    for (const [limit, given] of [
      [11, 11],
      [12, 11],
      [21, 11],
      [22, 22],
    ] as const) {
      const answer = answerTo(blocksFrom(40, limit), list, 140);
      expect(lengthOf(answer), `${limit} blocks`).toBe(given);
      expect(ruled(answer, 40, limit)).toBe('verified');
    }
    const proof = present(chain.blocks[49], 'block').qc;
    const mended = {
      ...unverified(30, 50),
      proofs: unverified(30, 50).proofs.map((one, at) => (at < 49 ? proof : one)),
    };
    const answer = answerTo(blocksFrom(40, 11), mended, 140);
    expect([lengthOf(answer), ruled(answer, 40, 11)]).toEqual([11, 'verified']);
    if (answer.kind === 'Blocks') expect(answer.blocks.at(-1)?.qc).toBe(proof);
  });

  it('says that it holds them where it can prove none, and takes from the share what it tried', () => {
    const chart = reach.start(input);
    const [answer] = served(chart, ask(chart, blocksFrom(40, 11)), unverified(2, 127), 140);
    expect(answer).toMatchObject({ kind: 'Blocks', blocks: [], height: 140 });
    expect(chart.snapshot.context.shares.get(asker)?.tokens).toBe(64 * 1024 * 1024 - 3 * 64 * 1024);
  });

  it('composes what a block says of its parent from the certificate of the block below: no id covers the rest', () => {
    const lie = { parentId: idAt(place, chain, 1), parentRound: round(0) };
    const poisoned = {
      ...chain,
      blocks: chain.blocks.map(({ block, qc }, at) =>
        at === 4 ? { block: { ...block, qc: { ...block.qc, ...lie } }, qc } : { block, qc },
      ),
    };
    for (const question of [
      blocksFrom(3, 5),
      { kind: 'GetBlock', id: idAt(place, chain, 7), ancestors: 4 } as const,
    ]) {
      const answer = answerTo(question, poisoned, question.kind === 'GetBlock' ? 2 : 140);
      expect(answer).toMatchObject({ blocks: chain.blocks.slice(2, 7) });
      expect(ruled(answer, 3, 5)).toBe('verified');
    }
    const first = answerTo(blocksFrom(5, 3), poisoned, 140);
    expect(ruled(first, 5, 3), 'the first one has nothing beside it: a reader takes nothing of that').toBe(
      'verified',
    );
  });

  it('gives a block by its id with whatever certificate it has: the id vouches for it. Its ancestors alone are no answer', () => {
    const { id, ancestors } = { id: idAt(place, chain, 9), ancestors: 3 };
    const byId = { kind: 'GetBlock', id, ancestors } as const;
    const answer = answerTo(byId, unverified(7, 9), 5);
    expect(answer).toMatchObject({ blocks: { length: 4 } });
    if (answer.kind !== 'Blocks') throw new Error(answer.kind);
    expect(checkDescent(place.epoch, { id, limit: 64 }, answer)).toMatchObject({ status: 'linked' });
    const chart = reach.start(input);
    ask(chart, byId);
    const { tag } = chart.snapshot.context;
    const below = chart.send({
      type: 'blocks.found',
      tag,
      blocks: chain.blocks.slice(5, 8),
      height: height(5),
    });
    expect(answersIn(below)).toMatchObject([{ blocks: [], height: 5 }]);
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

  const crowd = world(
    Array.from({ length: 20 }, () => 1n),
    'crowd',
  ).validators.map(({ address }) => address);

  it('reads for 64 at once, and drops none of the others: they wait for a place', () => {
    const chart = reach.start(input);
    const asked = crowd.flatMap((address) =>
      [1, 2, 3, 4].map(() => toldTo(ask(chart, blocksFrom(1, 1), address), 'storage').length),
    );
    expect(asked.filter((requests) => requests === 1)).toHaveLength(64);
    expect(chart.snapshot.context).toMatchObject({
      waiting: { size: 80 },
      counts: { dropped: 0, rested: 0 },
    });
  });

  it('gives a place that is free to who has waited longest, whoever asks meanwhile and however it became free', () => {
    const list = chainWithBatches(1, 10);
    const chart = reach.start({ ...input, snapshotKeeper: 'keeper' });
    const [first = asker, honest = asker, ...others] = crowd;
    for (const address of others.slice(0, 15))
      for (let count = 0; count < 4; count += 1) ask(chart, blocksFrom(1, 1), address);
    const withBatches = ask(chart, blocksFrom(1, 1, true), first);
    const chunk = { kind: 'GetSnapshotChunk', height: height(1), format: 1, chunk: 0 } as const;
    for (let count = 0; count < 3; count += 1) ask(chart, chunk, first);
    const tagsOf = (peer: Address) =>
      [...chart.snapshot.context.waiting].filter(([, one]) => one.peer === peer).map(([tag]) => tag);
    const [, chunkTag = 0, silentTag = 0] = tagsOf(first);
    const [failing = 0] = tagsOf(present(others[0], 'peer'));
    for (let count = 0; count < 4; count += 1) expect(ask(chart, blocksFrom(1, 1), honest)).toEqual([]);
    const toHonest = (effects: Effects) => {
      ask(chart, blocksFrom(1, 1), others[15]);
      const [request] = toldTo(effects, 'storage');
      const tag = request !== undefined && 'tag' in request ? Number(request['tag']) : 0;
      return chart.snapshot.context.waiting.get(tag)?.peer === honest;
    };
    const failed = { type: 'storage.failed', request: 'blocks.requested', code: 'IO', detail: 'x' } as const;
    expect(toHonest(chart.send({ ...failed, tag: failing }))).toBe(true);
    expect(toHonest(chart.send({ type: 'chunk.found', tag: chunkTag }))).toBe(true);
    expect(toHonest(chart.send({ type: 'keeper.silent', tag: silentTag }))).toBe(true);
    const [found] = storageReplies(place, list, 1, withBatches);
    const reading = chart.send(present(found, 'reply'));
    expect(toldTo(reading, 'storage'), 'its batches are read in the same place').toMatchObject([
      { type: 'batches.requested' },
    ]);
    const [batches] = storageReplies(place, list, 1, reading);
    expect(toHonest(chart.send(present(batches, 'reply')))).toBe(true);
    const { waiting } = chart.snapshot.context;
    expect([...waiting.values()].filter(({ stage }) => stage === 'reading')).toHaveLength(64);
  });

  it('lets no more wait than all peers together may, however many come and go', () => {
    const chart = reach.start(input);
    const addresses = Array.from({ length: 520 }, (_, at) => parseAddress(at.toString(16).padStart(40, '0')));
    for (const address of addresses) {
      if (address === 'malformed') throw new Error('no address');
      for (let count = 0; count < 4; count += 1) ask(chart, blocksFrom(1, 1), address);
    }
    expect(chart.snapshot.context.waiting.size).toBe(WAITING_MAX);
    expect(chart.snapshot.context.counts.dropped).toBe(4 * 520 - WAITING_MAX);
  });

  it('keeps all places for the others while those rest that had their share, however many they are', () => {
    const chart = reach.start(input);
    const list = chainWithBatches(1, 1_900_000);
    const [honest = asker, ...greedy] = crowd;
    for (const address of greedy) {
      for (let count = 0; count < 40; count += 1) {
        const effects = ask(chart, blocksFrom(1, 1, true), address);
        served(chart, effects, list, 1);
      }
      for (let count = 0; count < 4; count += 1) ask(chart, blocksFrom(1, 1), address);
    }
    expect(chart.snapshot.context.waiting.size).toBe(4 * greedy.length);
    expect([...chart.snapshot.context.waiting.values()].every(({ stage }) => stage === 'resting')).toBe(true);
    expect(toldTo(ask(chart, blocksFrom(1, 1), honest), 'storage')).toHaveLength(1);
  });

  it('says so to whom it gives nothing, once it knows its height: nobody waits for what does not come', () => {
    const chart = reach.start(input);
    for (let count = 0; count < 4; count += 1) ask(chart, blocksFrom(1, 1));
    expect(ask(chart, blocksFrom(1, 1)), 'the height is not known yet').toEqual([]);
    const { tag } = chart.snapshot.context;
    chart.send({ type: 'blocks.found', tag, blocks: [], height: height(9) });
    ask(chart, blocksFrom(1, 1));
    const word = { kind: 'Blocks', blocks: [], batches: [], height: 9 };
    const asks = [blocksFrom(1, 1), { kind: 'GetBlock', id: idAt(place, chain, 1), ancestors: 0 } as const];
    for (const question of asks) {
      expect(sentIn(ask(chart, question))).toEqual([{ to: asker, message: { ...word, requestId } }]);
    }
    const failed = {
      type: 'storage.failed',
      tag,
      request: 'blocks.requested',
      code: 'BUSY',
      detail: 'x',
    } as const;
    const [first] = chart.snapshot.context.waiting.keys();
    expect(answersIn(chart.send({ ...failed, tag: first ?? 0 }))).toMatchObject([word]);
    for (let count = 0; count < 4; count += 1) ask(chart, { kind: 'GetBlockHeight' });
    expect(ask(chart, { kind: 'GetBlockHeight' })).toEqual([]);
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
    const ended = { type: 'rest.ended', tag: chart.snapshot.context.tag - 2 } as const;
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

describe('over epochs (CS-16)', () => {
  const epochs = chainOfEpochs(place, 3, 7);
  const tip = epochs.blocks.length;

  /** What leaves in the end; `reads`: how often storage was asked how an epoch ended. */
  function givenBy(chart: Chart, question: UnaskedQuestion, of: EpochsChain = epochs) {
    const reads: number[] = [];
    const answers: SyncAnswer[] = [];
    const pending = [ask(chart, question)];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      answers.push(...answersIn(next));
      for (const request of toldTo(next, 'storage')) {
        const reply = repliesOf(of, request, reads);
        if (reply !== undefined) pending.push(chart.send(reply));
      }
    }
    const [answer] = answers;
    return { answer: present(answer, 'answer'), reads };
  }

  type Reply = Parameters<Chart['send']>[0];
  function repliesOf(
    { blocks, proofs, changes }: EpochsChain,
    request: ReturnType<typeof toldTo>[number],
    reads: number[],
  ): Reply | undefined {
    const field = (name: string): unknown => Object.entries(request).find(([key]) => key === name)?.[1];
    const tag = Number(field('tag'));
    switch (request.type) {
      case 'blocks.requested': {
        const from = Number(field('from')) - 1;
        const found = blocks.slice(from, from + Number(field('limit')));
        const commitProofs = proofs.slice(from, from + found.length);
        return { type: 'blocks.found', tag, blocks: found, height: height(tip), commitProofs };
      }
      case 'block.requested': {
        const at = blocks.findIndex(({ qc }) => qc.blockId === field('id'));
        const found = blocks.slice(Math.max(0, at - Number(field('ancestors'))), at + 1);
        return { type: 'blocks.found', tag, blocks: found, height: height(tip) };
      }
      case 'epochs.requested': {
        reads.push(Number(field('from')));
        const from = Number(field('from'));
        return { type: 'epochs.found', tag, changes: changes.slice(from, from + Number(field('limit'))) };
      }
      default:
        return undefined;
    }
  }

  it('gives blocks of every epoch, of one at a time, each answer provable by that one alone (SY-8)', () => {
    const chart = reach.start(input);
    chart.send(began(epochs, 3));
    const reads: number[] = [];
    for (let from = 1; from <= tip; from += 1) {
      const { answer, reads: read } = givenBy(chart, blocksFrom(from, 16));
      reads.push(...read);
      if (answer.kind !== 'Blocks') throw new Error(answer.kind);
      const number = Math.floor((from - 1) / 7);
      const { epoch, bls } = present(epochs.worlds[number], 'world');
      expect(answer.blocks.map(({ block }) => block.header.height).at(-1)).toBe((number + 1) * 7);
      const judge = { epoch, bls, verified: NONE_VERIFIED };
      const question = { from: height(from), limit: 16, proofs: [] };
      expect(verifySegment(judge, question, answer).status, `from ${from}`).toBe('verified');
    }
    expect(reads, 'each older epoch but the first is read once').toEqual([0, 1]);
  });

  it('gives blocks of the first epoch however many came after it: no storage knows whose they are', () => {
    const many = chainOfEpochs(place, 18, 2);
    const chart = reach.start(input);
    for (let number = 1; number <= 18; number += 1) chart.send(began(many, number));
    const { answer, reads } = givenBy(chart, blocksFrom(1, 2), many);
    expect([lengthOf(answer), reads]).toEqual([2, []]);
    const { epochs: kept } = chart.snapshot.context;
    expect([kept.size, [...kept.keys()].includes(place.epoch.epoch)]).toEqual([16, true]);
  });

  it('tells how epochs ended, without a gap, as many as are asked for and as one answer takes (SY-10)', () => {
    const asking = (from: number, of = epochs): unknown => {
      const question = { kind: 'GetEpochs', from: epochNumber(from), limit: 2 } as const;
      const { answer } = givenBy(reach.start(input), question, of);
      return answer.kind === 'Epochs' ? answer.changes.map(({ qc }) => qc.epoch) : answer.kind;
    };
    expect([asking(0), asking(2), asking(3)]).toEqual([[0, 1], [2], []]);
    const [first, , third] = epochs.changes;
    const gapped = { ...epochs, changes: [present(first, 'end'), present(third, 'end')] };
    expect(asking(0, gapped)).toEqual([0]);
    const { path, certificate } = present(first, 'end').proof.last;
    const last = { path: [...path, ...Array(3_000).fill(path[0])] as const, certificate };
    const long = epochs.changes.map(({ qc, proof }) => ({
      qc,
      proof: { ...proof, last: { ...last, path: [path[0], ...last.path] as const } },
    }));
    expect(asking(0, { ...epochs, changes: long }), 'one at least, and no more than fit').toEqual([0]);
    // Storage that does not serve: the asker's time goes by.
    const chart = reach.start(input);
    ask(chart, { kind: 'GetEpochs', from: epochNumber(0), limit: 2 });
    const [[tag = 0] = []] = [...chart.snapshot.context.waiting];
    const request = 'epochs.requested';
    expect(chart.send({ type: 'storage.failed', tag, request, code: 'IO', detail: 'gone' })).toEqual([]);
    expect(chart.snapshot.context.counts.failed).toBe(1);
  });

  it('gives ancestors of a block within its epoch only (CS-12)', () => {
    const question = { kind: 'GetBlock', id: idAtHeight(epochs, 9), ancestors: 8 } as const;
    const { answer } = givenBy(reach.start(input), question);
    expect(answer).toMatchObject({ kind: 'Blocks' });
    expect(lengthOf(answer)).toBe(2);
  });

  it('gives no blocks whose signers storage cannot name', () => {
    const chart = reach.start(input);
    const { answer } = givenBy(chart, blocksFrom(9, 4), { ...epochs, changes: [] });
    expect(lengthOf(answer)).toBe(0);
    expect(chart.snapshot.context.counts.failed).toBe(1);
  });

  it('tells the end of an epoch with the proof that it has, also where that is of a discarded block: it says the epoch (SY-3)', () => {
    const gapped = chainOfEpochs(place, 1, 3, 2);
    for (const [of, at] of [
      [gapped, 3],
      [epochs, 7],
    ] as const) {
      const chart = reach.start(input);
      const [request] = toldTo(ask(chart, { kind: 'GetBlockHeight' }), 'storage');
      const tag = request !== undefined && 'tag' in request ? Number(request['tag']) : -1;
      const proof = present(of.proofs[at - 1], 'proof');
      const [id, base, executed] = [idAtHeight(of, at), height(1), GENESIS_EXECUTED];
      const tip = { type: 'tip.found', tag, base, height: height(at), id, executed, proof } as const;
      expect(answersIn(chart.send(tip))).toMatchObject([{ kind: 'BlockHeight', tipId: id, proof }]);
    }
  });
});
