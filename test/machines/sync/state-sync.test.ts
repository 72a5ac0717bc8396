import { afterAll, describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { isSyncing, pendingBlockCount } from '../../../src/machines/sync/state-sync.setup.ts';
import { FIRST_EPOCH } from '../../../src/protocol/chain/ordinals.ts';
import { parseAddress } from '../../../src/protocol/chain/parse.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { height, present } from '../../protocol/consensus/fixture.ts';
import { toldTo } from '../reach.ts';
import { began, chainOfEpochs, idAtHeight } from './epochs.ts';
import { fetchOf, newStateSyncReach, pollOf, type RigOptions, StateSyncRig } from './state-sync.rig.ts';

const reach = newStateSyncReach();
const rig = (options: RigOptions = {}) => new StateSyncRig(reach, options);
const HOUR = 3_600_000;

afterAll(() => expect(reach.missing()).toEqual([]));

describe('state-sync chart: starting', () => {
  it('takes nothing until it knows whom it trusted before, and everything then', () => {
    const at = rig({ silentStorage: true });
    const [peer] = at.peers;
    at.connect(0);
    const asker = { replyTo: 'asker', tag: 1 };
    const kept = [
      at.chart.effects,
      at.send(pollOf()),
      at.send({ type: 'genesis.verifyRequested', ...asker }),
      at.send({
        type: 'hash.verifyRequested',
        ...asker,
        height: height(1),
        id: at.place.epoch.rootQC.blockId,
      }),
      at.send(fetchOf(1, 1)),
      at.send({ type: 'fetch.hurried', ...asker }),
      at.send({ type: 'fetch.cancelled', ...asker }),
      at.send({ type: 'peer.judged', peer: present(peer, 'peer'), verdict: 'good' }),
      at.send({ type: 'chains.requested', ...asker, peers: [], timeout: millis(1) }),
      at.send({ type: 'snapshots.requested', ...asker, timeout: millis(1) }),
      at.send({
        ...{ type: 'snapshotChunk.requested', ...asker, peer: present(peer, 'peer'), height: height(1) },
        ...{ format: 1, chunk: 0, timeout: millis(1) },
      }),
      at.send({
        ...{ type: 'epochs.fetchRequested', ...asker, peer: present(peer, 'peer') },
        ...{ from: FIRST_EPOCH, limit: 1, timeout: millis(1) },
      }),
      at.send({ type: 'message.received', from: present(peer, 'peer'), message: at.claim(1, 1) }),
      at.send({ type: 'peer.disconnected', peer: present(peer, 'peer') }),
    ];
    for (const effects of kept) expect(effects).toEqual([{ kind: 'postpone' }]);
    expect(at.send({ type: 'blockIds.found', tag: 1, ids: [] })).toEqual([]);
    expect(at.send({ type: 'blocks.found', tag: 1, blocks: [], height: height(0) })).toEqual([]);
    at.send({ type: 'reputations.found', tag: 0, reputations: [] });
    expect(at.chart.snapshot.value).toBe('running');
    expect(at.send({ type: 'reputations.found', tag: 0, reputations: [] })).toEqual([]);
  });

  it('asks storage again when that was busy, and goes on without reputations when they cannot be read', () => {
    const at = rig({ silentStorage: true });
    const failed = { type: 'storage.failed', tag: 0, request: 'reputations.requested', detail: 'x' } as const;
    at.send({ ...failed, code: 'BUSY' });
    expect(toldTo(at.chart.elapse(1_000), 'storage')).toMatchObject([{ type: 'reputations.requested' }]);
    at.send({ ...failed, code: 'CORRUPT' });
    expect(at.chart.snapshot.value).toBe('running');
  });

  it('calls the roll: after a restart of its own it hears of the connected peers by their answers', () => {
    const at = rig();
    const questions = at.take('GetBlockHeight');
    expect(questions.map(({ to }) => to)).toEqual(at.peers);
    const [first] = questions;
    at.send(pollOf());
    at.answer(present(first, 'question'), at.claim(present(first, 'question').message.requestId, 5));
    at.advance(2_000);
    expect(at.replies).toMatchObject([
      { type: 'peers.polled', answered: [at.peer(0)], peers: { length: 1 } },
    ]);
    expect(at.blamed).toEqual([]);
  });

  it('passes over answers to its earlier life, and blames those that nobody asked for (TP-6)', () => {
    const at = rig();
    at.connect(0);
    at.answer({ to: at.peer(0) }, at.claim(999, 5));
    expect(at.blamed).toEqual([]);
    at.answer({ to: at.peer(0) }, at.claim(99_999, 5));
    expect(at.blamed).toEqual([{ peer: at.peer(0), code: 'UNREQUESTED' }]);
    expect(at.context.counts).toMatchObject({ foreign: 1, unrequested: 1 });
    at.advance(60_000);
    at.answer({ to: at.peer(0) }, at.claim(999, 5));
    expect(at.context.counts).toMatchObject({ foreign: 1, unrequested: 2 });
  });

  it('takes no flood for answers to its earlier life: of a validator eight, of a stranger none (TP-6)', () => {
    const at = rig();
    at.connect(0);
    for (let sent = 0; sent < 20; sent += 1) at.answer({ to: at.peer(0) }, at.claim(999, 5));
    expect(at.context.counts).toMatchObject({ foreign: 8, unrequested: 12 });
    at.answer({ to: parseAddress('f'.repeat(40)) as Address }, at.claim(999, 5));
    expect(at.context.counts).toMatchObject({ foreign: 8, unrequested: 13 });
    expect(at.state(0).claim).toBeUndefined();
  });
});

describe('peers and their claims (seed 002: PeerState; SY-3)', () => {
  it('asks each peer that comes, and knows its claim and latency', () => {
    const at = rig();
    at.join(0, 12, {}, 40);
    expect(at.state(0)).toMatchObject({
      claim: { status: 'proved', height: 12 },
      latencyMs: 40,
      failures: 0,
    });
    expect(at.state(0).reputation.score).toBeGreaterThan(0.5);
  });

  it('bug "no peers taken for synced": a poll of nobody says that nobody answered, at once', () => {
    const at = rig();
    at.advance(2_000);
    at.send(pollOf());
    expect(at.replies).toEqual([{ type: 'peers.polled', tag: 7, peers: [], answered: [] }]);
    at.join(0, 12);
    at.disconnect(0);
    at.send(pollOf(HOUR));
    expect(at.replies.at(-1)).toEqual({ type: 'peers.polled', tag: 7, peers: [], answered: [] });
  });

  it('answers a poll when all have answered, asking nobody whose state is young enough', () => {
    const at = rig();
    at.advance(2_000);
    at.join(0, 12);
    at.join(1, 13);
    at.advance(5_000);
    at.take('GetBlockHeight');
    at.send(pollOf(6_000));
    expect(at.take('GetBlockHeight').filter(({ to }) => to !== at.peer(2))).toEqual([]);
    expect(at.replies).toMatchObject([{ answered: [at.peer(0), at.peer(1)] }]);
    at.send(pollOf());
    const [first, second] = at.take('GetBlockHeight');
    at.answer(present(first, 'first'), at.claim(present(first, 'first').message.requestId, 14));
    expect(at.replies).toHaveLength(1);
    at.answer(present(second, 'second'), at.claim(present(second, 'second').message.requestId, 15));
    expect(at.replies.at(-1)).toMatchObject({
      peers: [{ claim: { height: 14 } }, { claim: { height: 15 } }],
      answered: [at.peer(0), at.peer(1)],
    });
  });

  it('answers a poll after its time with who answered; who did not has failed once', () => {
    const at = rig();
    at.join(0, 12);
    at.connect(1);
    at.advance(10_000);
    at.take('GetBlockHeight');
    at.send(pollOf());
    const [question] = at.take('GetBlockHeight').filter(({ to }) => to === at.peer(0));
    at.answer(present(question, 'question'), at.claim(present(question, 'question').message.requestId, 12));
    at.advance(10_000);
    expect(at.replies).toMatchObject([{ peers: { length: 2 }, answered: [at.peer(0)] }]);
    at.advance(20_000);
    expect(at.state(1).failures).toBe(1);
    expect(at.blamed).toContainEqual({ peer: at.peer(1), code: 'REQUEST_TIMEOUT' });
  });

  it('believes a claim for peerCacheTtl, and waits for no peer that goes', () => {
    const at = rig();
    at.advance(2_000);
    at.join(0, 12);
    at.connect(1);
    at.send(pollOf());
    at.disconnect(1);
    const [question] = at.take('GetBlockHeight').filter(({ to }) => to === at.peer(0));
    expect(question).toBeDefined();
    at.answer(present(question, 'question'), at.claim(present(question, 'question').message.requestId, 12));
    expect(at.replies).toMatchObject([{ answered: [at.peer(0)] }]);
    expect(at.state(1).failures).toBe(0);
    at.advance(300_001);
    at.send(pollOf(HOUR));
    expect(at.replies.at(-1)).toMatchObject({ peers: [{ peer: at.peer(0) }] });
    expect(at.replies.at(-1)).not.toHaveProperty('peers.0.claim');
  });

  it('demotes a peer whose height goes back, but not one that came back after a reset', () => {
    const at = rig();
    at.join(0, 12);
    at.join(0, 2);
    expect(at.blamed).toEqual([]);
    at.send(pollOf());
    const [question] = at.take('GetBlockHeight').filter(({ to }) => to === at.peer(0));
    at.answer(present(question, 'question'), at.claim(present(question, 'question').message.requestId, 1));
    expect(at.blamed).toEqual([{ peer: at.peer(0), code: 'HEIGHT_WENT_BACK' }]);
    expect(at.state(0).reputation.score).toBeLessThan(0.2);
  });

  it('takes a late claim, unless a later one has overtaken it', () => {
    const at = rig();
    at.connect(0);
    const [slow] = at
      .take('GetBlockHeight')
      .filter(({ to }) => to === at.peer(0))
      .slice(-1);
    at.advance(30_000);
    at.send(pollOf());
    const [quick] = at.take('GetBlockHeight').filter(({ to }) => to === at.peer(0));
    at.answer(present(quick, 'quick'), at.claim(present(quick, 'quick').message.requestId, 9));
    at.answer(present(slow, 'slow'), at.claim(present(slow, 'slow').message.requestId, 3));
    expect(at.state(0).claim).toMatchObject({ height: 9 });
    expect(at.blamed.map(({ code }) => code)).not.toContain('HEIGHT_WENT_BACK');
  });

  it('blames nobody whose two questions overtook each other on the way (SY-6)', () => {
    const at = rig();
    at.connect(0);
    const ofFirst = () =>
      present(
        at
          .take('GetBlockHeight')
          .filter(({ to }) => to === at.peer(0))
          .at(-1),
        'question',
      );
    const first = ofFirst();
    at.advance(30_000);
    at.send(pollOf());
    const second = ofFirst();
    at.answer(first, at.claim(first.message.requestId, 9));
    at.answer(second, at.claim(second.message.requestId, 3));
    expect(at.blamed.map(({ code }) => code)).not.toContain('HEIGHT_WENT_BACK');
    // Whoever keeps his answers back until he is asked again does not go back and forth like that.
    expect(at.state(0).claim).toMatchObject({ height: 9 });
  });

  it('blames and never asks again one whose proof does not hold; its claim is none', () => {
    const at = rig();
    const proof = { ...present(at.chain.proofs[11], 'proof'), signature: new Uint8Array(96) };
    at.join(0, 12, { proof });
    expect(at.blamed).toEqual([{ peer: at.peer(0), code: 'CLAIM_FALSE' }]);
    expect(at.state(0)).toMatchObject({ reputation: { score: 0 } });
    expect(at.state(0).claim).toBeUndefined();
    at.take('GetBlocks');
    at.send(fetchOf(1, 1, { holders: [at.peer(0)] }));
    expect(at.take('GetBlocks')).toEqual([]);
    expect(at.replies).toMatchObject([
      { type: 'fetch.failed', error: { code: 'NoPeersAvailable' }, tried: [] },
    ]);
  });

  it('does without a claim when storage fails: no fault of the peer', () => {
    const at = rig({ silentStorage: true });
    at.send({ type: 'reputations.found', tag: 0, reputations: [] });
    at.join(0, 12);
    at.send(pollOf());
    const tag = at.context.tag;
    at.send({ type: 'storage.failed', tag, request: 'blockIds.requested', code: 'IO', detail: 'x' });
    at.send({ type: 'storage.failed', tag, request: 'blockIds.requested', code: 'IO', detail: 'x' });
    expect(at.state(0)).toMatchObject({ failures: 0, reputation: { score: 0.5 } });
    expect(at.context.counts.storageFailures).toBe(2);
  });
});

describe('state-sync chart: running', () => {
  it('takes every request with nobody there, and answers each that asks for an answer', () => {
    const at = rig();
    at.advance(2_000);
    const asker = { replyTo: 'asker', tag: 1 };
    const peer = at.peer(0);
    at.send({ type: 'genesis.verifyRequested', ...asker });
    at.send({ type: 'hash.verifyRequested', ...asker, height: height(1), id: at.place.epoch.rootQC.blockId });
    at.send({ type: 'chains.requested', ...asker, peers: [peer], timeout: millis(1_000) });
    at.send({ type: 'snapshots.requested', ...asker, timeout: millis(1_000) });
    at.send({
      ...{ type: 'snapshotChunk.requested', ...asker, peer, height: height(1) },
      ...{ format: 1, chunk: 0, timeout: millis(1_000) },
    });
    const walk = { from: FIRST_EPOCH, limit: 1, timeout: millis(1_000) };
    at.send({ type: 'epochs.fetchRequested', ...asker, peer, ...walk });
    at.send(fetchOf(1, 10));
    at.send({ type: 'fetch.hurried', ...asker });
    at.advance(60_000);
    expect(at.replies.map(({ type }) => type).filter((type) => type !== 'fetch.started')).toEqual([
      'genesis.verified',
      'hash.verified',
      'chains.answered',
      'snapshots.answered',
      'fetch.failed',
      'fetch.failed',
      'fetch.failed',
    ]);
    at.send({ type: 'fetch.cancelled', ...asker });
    at.send({ type: 'asking.due' });
    at.send({ type: 'task.expired', task: 99 });
    at.send({ type: 'question.expired', requestId: 99 });
    at.send({ type: 'peer.judged', peer, verdict: 'good' });
    at.send({ type: 'blocks.found', tag: 99, blocks: [], height: height(0) });
    expect(at.blamed).toEqual([]);
    expect(at.context.tasks.size).toBe(0);
  });
});

describe('bounds', () => {
  it('works on at most 128 requests, and refuses the next at once by name', () => {
    const at = rig();
    at.connect(0);
    for (let tag = 0; tag < 128; tag += 1) at.send(fetchOf(1, 10, { tag }));
    expect(isSyncing(at.context)).toBe(true);
    expect(pendingBlockCount(at.context)).toBe(1_280);
    expect(at.replies.filter(({ type }) => type === 'fetch.failed')).toEqual([]);
    at.send(fetchOf(1, 10, { tag: 500 }));
    expect(at.replies.at(-1)).toMatchObject({
      type: 'fetch.failed',
      tag: 500,
      error: { code: 'NoPeersAvailable' },
    });
    at.send(pollOf());
    expect(at.replies.at(-1)).toMatchObject({ type: 'peers.polled' });
    expect(at.context.tasks.size).toBe(128);
    expect(at.context.counts.refused).toBe(2);
  });
});

describe('over epochs (CS-16)', () => {
  const withEpochs = () => {
    const at = rig();
    const epochs = chainOfEpochs(at.place, 2, 5);
    return { at, epochs };
  };

  it('asks the epoch-keeper about a peer that proves a later epoch; blames it for nothing, and believes none of it', () => {
    const { at, epochs } = withEpochs();
    const proof = present(epochs.proofs[7], 'proof');
    const said = { height: height(8), tipId: idAtHeight(epochs, 8), proof };
    at.join(0, 1, said);
    expect(at.state(0).claim).toMatchObject({ status: 'later', height: 8, epoch: 1 });
    expect(at.met).toEqual([{ type: 'epoch.met', from: at.peer(0), epoch: 1 }]);
    expect(at.blamed).toEqual([]);
  });

  it('asks all anew when an epoch begins, by the power of its set, and passes over one that is known', () => {
    const { at, epochs } = withEpochs();
    const proof = present(epochs.proofs[2], 'proof');
    at.join(0, 3, { tipId: idAtHeight(epochs, 3), proof });
    expect(at.state(0)).toMatchObject({ power: 1n, claim: { status: 'proved' } });
    at.asked.splice(0);
    at.send(began(epochs, 1));
    expect(at.state(0).power).toBe(0n);
    expect(at.state(0).claim).toBeUndefined();
    expect(at.take('GetBlockHeight').map(({ to }) => to)).toEqual([at.peer(0)]);
    const added = present(epochs.worlds[1], 'world').addressAt(0);
    expect(at.context.peers.get(added)).toMatchObject({ state: { power: 1n }, presence: 'unknown' });
    expect(at.send(began(epochs, 1))).toEqual([]);
  });

  it('hears of a new epoch before it runs, too', () => {
    const { at, epochs } = withEpochs();
    const chart = reach.start({ ...at.context });
    expect(chart.send(began(epochs, 1))).toEqual([{ kind: 'postpone' }]);
  });
});
