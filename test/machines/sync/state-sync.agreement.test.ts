import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { FIRST_EPOCH } from '../../../src/protocol/chain/ordinals.ts';
import type { StateSyncRequest } from '../../../src/protocol/ports/sync.ts';
import { height, present } from '../../protocol/consensus/fixture.ts';
import { newStateSyncReach, type RigOptions, StateSyncRig } from './state-sync.rig.ts';

const reach = newStateSyncReach();
const rig = (options: RigOptions = {}) => new StateSyncRig(reach, options);

describe('agreement of peers (SY-1, SY-4)', () => {
  const verify = { type: 'genesis.verifyRequested', replyTo: 'asker', tag: 3 } as const;
  const genesis = (requestId: number, genesisHash = digestOf(Uint8Array.of(7))) =>
    ({ kind: 'GenesisHash', requestId, genesisHash }) as const;

  it('finds the genesis unanimous when those that it asked have its own', () => {
    const at = rig({ powers: Array.from({ length: 8 }, () => 1n) });
    at.connect(0, 1, 2, 3, 4, 5, 6);
    at.take('GetGenesisHash');
    at.send(verify);
    const questions = at.take('GetGenesisHash');
    expect(questions).toHaveLength(5);
    for (const one of questions)
      at.answer(one, genesis(one.message.requestId, at.place.epoch.domain.genesisHash));
    expect(at.replies).toMatchObject([{ outcome: { status: 'unanimous', asked: 5, answered: 3 } }]);
  });

  it('leaves out and bans who differs, asks all then, and is split when J(W) of power differs', () => {
    const at = rig({ powers: Array.from({ length: 8 }, () => 1n) });
    at.connect(0, 1, 2, 3, 4, 5, 6);
    at.take('GetGenesisHash');
    at.send(verify);
    const [liar, ...rest] = at.take('GetGenesisHash');
    at.answer(present(liar, 'liar'), genesis(present(liar, 'liar').message.requestId));
    expect(at.blamed).toEqual([{ peer: present(liar, 'liar').to, code: 'GENESIS_DIFFERS' }]);
    const others = at.take('GetGenesisHash');
    expect(others).toHaveLength(2);
    for (const [index, one] of [...rest, ...others].entries()) {
      const own = at.place.epoch.domain.genesisHash;
      at.answer(one, index < 2 ? genesis(one.message.requestId) : genesis(one.message.requestId, own));
    }
    expect(at.replies).toMatchObject([{ outcome: { status: 'split', peers: { length: 3 } } }]);
  });

  it('asks others for those that do not answer, and is unanswered by name when nobody does (SY-2)', () => {
    const at = rig();
    at.send(verify);
    expect(at.replies).toMatchObject([{ outcome: { error: { code: 'NoPeersAvailable' } } }]);
    at.connect(0, 1, 2);
    at.take('GetGenesisHash');
    at.send(verify);
    at.advance(30_000);
    expect(at.replies.at(-1)).toMatchObject({
      outcome: { status: 'unanswered', error: { code: 'Timeout' } },
    });
    const few = rig({ config: { genesisPeers: 1 } });
    few.connect(0, 1);
    few.take('GetGenesisHash');
    few.send(verify);
    few.advance(10_000);
    expect(few.take('GetGenesisHash')).toHaveLength(2);
  });

  it('the next check asks another than the one that was silent, however few are asked (SY-4)', () => {
    const few = rig({ config: { genesisPeers: 1, fetchAttempts: 1 } });
    few.connect(0, 1);
    few.take('GetGenesisHash');
    few.send(verify);
    const [first] = few.take('GetGenesisHash');
    few.advance(30_000);
    few.take('GetGenesisHash');
    few.send(verify);
    const [second] = few.take('GetGenesisHash');
    expect(present(second, 'question').to).not.toBe(present(first, 'question').to);
  });

  it('a check calls the roll: who was silent when this cell began is found again (SY-4)', () => {
    const alone = rig();
    alone.advance(30_000);
    alone.take('GetBlockHeight');
    alone.send(verify);
    expect(alone.take('GetBlockHeight').length).toBeGreaterThan(1);
  });

  const ask = (at: StateSyncRig, of: number): StateSyncRequest => ({
    ...{ type: 'hash.verifyRequested', replyTo: 'asker', tag: 4, height: height(of) },
    id: present(at.chain.blocks[of - 1], 'block').qc.blockId,
  });

  it('agrees on a hash by what real nodes answer (seed 002: verifyBlockHashConsensus)', () => {
    const at = rig();
    for (const index of [0, 1, 2]) at.serve(index, 10);
    at.connect(0, 1, 2);
    at.settle();
    at.send(ask(at, 6));
    at.settle();
    expect(at.replies).toEqual([
      { type: 'hash.verified', tag: 4, outcome: { status: 'agreed', answered: 3 } },
    ]);
  });

  it('bug "trunc(0.666·3) = 1 making one vote a consensus": one of three that knows the height decides nothing', () => {
    const at = rig();
    for (const index of [0, 1, 2]) at.serve(index, index === 0 ? 10 : 3);
    at.connect(0, 1, 2);
    at.settle();
    at.send(ask(at, 6));
    at.settle();
    expect(at.replies).toMatchObject([
      { outcome: { status: 'failed', error: { code: 'NoConsensusReached' } } },
    ]);
  });

  it('blames an answer about another height, and fails by the time when nobody answers', () => {
    const at = rig();
    at.connect(0, 1);
    at.take('GetBlockHash');
    at.send(ask(at, 6));
    const [first] = at.take('GetBlockHash');
    const { requestId } = present(first, 'question').message;
    at.answer(present(first, 'question'), { kind: 'BlockHash', requestId, height: height(7) });
    expect(at.blamed).toEqual([{ peer: at.peer(0), code: 'CLAIM_FALSE' }]);
    at.advance(30_000);
    expect(at.replies).toMatchObject([{ outcome: { status: 'failed', error: { code: 'Timeout' } } }]);
  });
});

describe('whole chains and snapshots (SY-9, SY-10)', () => {
  it('describes the chains of the peers that were asked, and leaves out what is none', () => {
    const at = rig();
    for (const index of [0, 1]) at.serve(index, 15 + index);
    at.connect(0, 1, 2);
    at.settle();
    at.send({ type: 'chains.requested', replyTo: 'asker', tag: 5, peers: at.peers, timeout: millis(5_000) });
    const third = present(
      at.asked.find(({ to, message }) => to === at.peer(2) && message.kind === 'GetChain'),
      'question',
    );
    at.settle();
    const checkpoints = [{ height: height(3), id: present(at.chain.blocks[4], 'block').qc.blockId }];
    const { requestId } = third.message;
    const proof = present(at.chain.proofs[0], 'a proof of something else');
    at.answer(third, { kind: 'Chain', requestId, base: height(1), proof, checkpoints });
    expect(at.replies).toMatchObject([
      { type: 'chains.answered', chains: [{ peer: at.peer(0) }, { peer: at.peer(1), chain: { base: 1 } }] },
    ]);
    expect(at.blamed).toEqual([{ peer: at.peer(2), code: 'CLAIM_FALSE' }]);
  });

  it('gathers snapshots, refuses impossible ones, and gets a chunk or says why not', () => {
    const at = rig();
    at.serve(0, 10);
    at.connect(0, 1, 2);
    at.settle();
    at.send({ type: 'snapshots.requested', replyTo: 'asker', tag: 6, timeout: millis(5_000) });
    const [none, good, bad] = at.take('GetSnapshot');
    const manifest = { height: height(3), format: 1, bytes: 10, chunks: [digestOf(Uint8Array.of(1))] };
    const of = (question: typeof none) => present(question, 'question').message.requestId;
    at.answer(present(none, 'none'), { kind: 'Snapshot', requestId: of(none) });
    at.answer(present(good, 'good'), { kind: 'Snapshot', requestId: of(good), manifest });
    at.answer(present(bad, 'bad'), {
      kind: 'Snapshot',
      requestId: of(bad),
      manifest: { ...manifest, bytes: 2 ** 40 },
    });
    expect(at.replies).toMatchObject([
      { type: 'snapshots.answered', snapshots: [{ peer: at.peer(1), manifest }] },
    ]);
    expect(at.blamed).toEqual([{ peer: at.peer(2), code: 'CLAIM_FALSE' }]);
    const chunk = (peer: number) =>
      at.send({
        ...{
          type: 'snapshotChunk.requested',
          replyTo: 'asker',
          tag: 8,
          peer: at.peer(peer),
          height: height(3),
        },
        ...{ format: 1, chunk: 0, timeout: millis(5_000) },
      });
    chunk(1);
    const [asked] = at.take('GetSnapshotChunk');
    const { requestId } = present(asked, 'question').message;
    at.answer(present(asked, 'question'), { kind: 'SnapshotChunk', requestId, bytes: Uint8Array.of(1) });
    expect(at.replies.at(-1)).toMatchObject({ type: 'snapshotChunk.answered', bytes: { length: 1 } });
    const epochs = (peer: number) =>
      at.send({
        ...{ type: 'epochs.fetchRequested', replyTo: 'asker', tag: 9, peer: at.peer(peer) },
        ...{ from: FIRST_EPOCH, limit: 4, timeout: millis(5_000) },
      });
    epochs(1);
    const [walked] = at.take('GetEpochs');
    const question = present(walked, 'question');
    expect(question.message).toMatchObject({ from: 0, limit: 4 });
    at.answer(question, { kind: 'Epochs', requestId: question.message.requestId, changes: [] });
    expect(at.replies.at(-1)).toEqual({ type: 'epochs.answered', tag: 9, changes: [] });
    chunk(0);
    at.settle();
    expect(at.replies.at(-1)).toMatchObject({ type: 'fetch.failed', error: { code: 'BlockNotFound' } });
    chunk(1);
    chunk(1);
    expect(at.replies.at(-1)).toMatchObject({
      type: 'fetch.failed',
      error: { code: 'NoPeersAvailable' },
      tried: [],
    });
    at.advance(5_000);
    expect(at.replies.at(-1)).toMatchObject({
      type: 'fetch.failed',
      error: { code: 'Timeout' },
      tried: [at.peer(1)],
    });
  });
});
