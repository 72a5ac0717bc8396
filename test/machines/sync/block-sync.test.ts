/** Tier 2: the chart's ways, and what round-manager wants at once. Rules CS-12, SY-8, SY-11, SY-12, SY-14. */
import { afterAll, describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { height, present } from '../../protocol/consensus/fixture.ts';
import { answerOf, everyRound, honest, longChain, type PeerModel, silent } from './block-sync.peers.ts';
import { newReach, Rig, type RigOptions } from './block-sync.rig.ts';
import { began, chainOfEpochs } from './epochs.ts';

const reach = newReach();
const chain = longChain(everyRound(160));
/** Rounds of even numbers: all certified, none committed. */
const loose = longChain(
  everyRound(200).map((one) => one * 2),
  false,
);
/** One peer's answer with blocks is waited for longer than the watchdog waits. */
const SLOW = { blockFetchTimeout: millis(600_000), tier2TimeoutPerBlock: millis(20_000) };
const three = (model: PeerModel): readonly PeerModel[] => [model, model, model];
const rigOf = (options: Partial<RigOptions> = {}) =>
  new Rig(reach, { chain, peers: three(honest(chain)), ...options });

afterAll(() => expect(reach.missing()).toEqual([]));

describe('block-sync: a home that may join by a snapshot (SY-10)', () => {
  const wantedOf = (rig: Rig) =>
    ({ type: 'blocks.wanted', target: rig.qc(3), committedHeight: height(0), holders: [] }) as const;

  it('fetches nothing for consensus until the join is settled, and then what it wanted: no round need ask again (CS-16)', () => {
    const rig = rigOf({ joins: true });
    rig.advance(5);
    expect(rig.state).toBe('yielding');
    expect(rig.send(wantedOf(rig))).toEqual([]);
    rig.send({ type: 'blocks.committed', blocks: [] });
    expect(rig.state).toBe('yielding');
    rig.send({ type: 'joining.settled' });
    expect(rig.state).toEqual({ running: { fetching: 'advancing' } });
    rig.send({ type: 'joining.settled' });
  });

  it('fetches what network-sync asks for', () => {
    const rig = rigOf({ joins: true });
    rig.advance(5);
    const target = { kind: 'probe', height: height(9) } as const;
    rig.send({ type: 'blocks.catchUpRequested', target, replyTo: 'asker', tag: 1 });
    expect(rig.state).toEqual({ running: { fetching: 'advancing' } });
  });

  it('keeps the word that the join is settled while the store is read', () => {
    const rig = rigOf({ joins: true, refuses: 1 });
    expect(rig.send({ type: 'joining.settled' })).toEqual([{ kind: 'postpone' }]);
  });
});

describe('block-sync: start (SY-12)', () => {
  it('derives the height from the store, and asks again when that fails', () => {
    const rig = rigOf({ tip: 100, refuses: 2 });
    expect(rig.state).toBe('starting');
    rig.advance(5);
    expect(rig.state).toBe('waiting');
    rig.advance(1_100);
    expect(rig.state).toEqual({ running: 'idle' });
    expect(rig.context.tip).toEqual({ height: 100, id: chain.ids[99] });
  });

  it('keeps what is wanted, asked and committed meanwhile', () => {
    const rig = rigOf({ refuses: 1 });
    for (const state of ['starting', 'waiting']) {
      expect(rig.state).toBe(state);
      const kept = rig.send({ type: 'blocks.committed', blocks: [] });
      expect(kept).toEqual([{ kind: 'postpone' }]);
      rig.advance(5);
    }
    const wanted = {
      type: 'blocks.wanted',
      target: rig.qc(3),
      committedHeight: height(0),
      holders: [],
    } as const;
    expect(rig.send(wanted)).toEqual([{ kind: 'postpone' }]);
    const asking = { type: 'blocks.catchUpRequested', target: { kind: 'probe', height: height(9) } } as const;
    expect(rig.send({ ...asking, replyTo: 'asker', tag: 1 })).toEqual([{ kind: 'postpone' }]);
  });

  it('passes over what was meant for an earlier life', () => {
    const rig = rigOf({ refuses: 1 });
    const none = { tag: 1, peer: present(rig.peers[0], 'peer') } as const;
    expect(rig.send({ type: 'fetch.started', ...none })).toEqual([]);
    expect(
      rig.send({ type: 'blocks.answered', ...none, blocks: [], batches: [], height: height(1) }),
    ).toEqual([]);
    const error = { code: 'Timeout', detail: '' } as const;
    expect(rig.send({ type: 'fetch.failed', tag: 1, error, tried: [] })).toEqual([]);
    expect(rig.send({ type: 'batches.persisted', tag: 9, digests: [] })).toEqual([]);
    const failed = {
      type: 'storage.failed',
      tag: 9,
      request: 'tip.requested',
      code: 'IO',
      detail: '',
    } as const;
    expect(rig.send(failed)).toEqual([]);
    expect(rig.state).toBe('starting');
    rig.advance(5);
    const tip = { tag: 99, base: height(0), height: height(7), id: present(chain.ids[6], 'id') };
    const executed = present(chain.certified[0], 'block').block.header.executed;
    expect(rig.send({ type: 'tip.found', ...tip, executed })).toEqual([]);
    expect(rig.state).toBe('waiting');
  });
});

describe('block-sync: what round-manager wants (CS-12)', () => {
  it('asks for a near target with its ancestors, by id, and hands the proven blocks on', () => {
    const rig = rigOf();
    rig.want(40);
    expect(rig.state).toEqual({ running: { fetching: 'advancing' } });
    expect(rig.fetches[0]?.request).toMatchObject({
      query: { by: 'id', id: chain.ids[39], ancestors: 39 },
      holders: rig.peers,
    });
    rig.settle(1_000);
    expect(rig.fetched).toMatchObject([{ blocks: { length: 40 }, verified: [rig.qc(40)] }]);
    expect(rig.state).toEqual({ running: 'idle' });
    rig.advance(50);
    expect(rig.durable).toBe(39);
  });

  it('asks again within 300 ms, then 600 ms, of one more holder, while nobody answers', () => {
    const rig = rigOf({ peers: [silent, silent, silent, silent] });
    rig.want(40);
    rig.advance(299);
    expect(rig.asked).toEqual([[0]]);
    rig.advance(1);
    expect(rig.asked).toEqual([[0, 1]]);
    rig.advance(600);
    expect(rig.asked).toEqual([[0, 1, 2]]);
  });

  it('asks every holder in turn when none answers', () => {
    const rig = rigOf({ peers: [silent, silent, silent, honest(chain)], config: { tier2MaxRetries: 1 } });
    rig.want(40);
    rig.settle(30_000);
    expect(rig.fetched).toHaveLength(1);
    expect(rig.now).toBeLessThan(12_000);
  });

  it('asks nobody while nobody is there, goes on trying, and has it soon after somebody comes', () => {
    const rig = rigOf();
    for (const peer of rig.peers) rig.gone.add(peer);
    rig.want(3);
    rig.advance(60_000);
    expect(rig.asked.flat()).toEqual([]);
    // 0.3, 0.6, 1.2, 2.4, then every 4 s: no loop without a pause.
    expect(rig.fetches.length).toBeLessThan(25);
    rig.gone.clear();
    rig.settle(4_100);
    expect(rig.fetched).toHaveLength(1);
  });

  it('goes down from the target by its ancestors where nothing of them is committed', () => {
    const rig = rigOf({ chain: loose, peers: three(honest(loose, 0)) });
    rig.want(150);
    expect(rig.fetches[0]?.request.query).toEqual({ by: 'height', from: 1, limit: 128 });
    rig.settle(2_000);
    expect(rig.heights).toEqual(everyRound(150));
    expect(rig.fetches.slice(1).map(({ request }) => request.query)).toMatchObject([
      { by: 'id', id: loose.ids[149], ancestors: 63 },
      { by: 'id', id: loose.ids[85], ancestors: 63 },
      { by: 'id', id: loose.ids[21], ancestors: 21 },
    ]);
    expect(rig.now).toBeLessThan(500);
  });

  it('climbs by height what is committed, and goes down by id for the rest', () => {
    const rig = rigOf({ peers: three(honest(chain, 130)) });
    rig.want(160);
    rig.settle(2_000);
    expect(rig.fetches.map(({ request }) => request.query)).toMatchObject([
      { by: 'height', from: 1, limit: 128 },
      { by: 'id', id: chain.ids[159], ancestors: 31 },
    ]);
    expect(rig.heights).toEqual(everyRound(160));
  });

  it('goes down when a peer that is not behind us has no more, without waiting for others', () => {
    const short: PeerModel = (query) => ({ ...present(given(query), 'answer'), height: height(20) });
    const given = (query: Parameters<PeerModel>[0]) => {
      const blocks = answerOf(chain, query, 20);
      return { blocks, batches: [], height: height(20), delay: 20 };
    };
    const rig = rigOf({ peers: [short, short, short] });
    rig.want(160);
    rig.advance(30);
    expect(rig.fetches.map(({ request }) => request.query.by)).toEqual(['height', 'height', 'id']);
    rig.settle(2_000);
    expect(new Set(rig.heights)).toEqual(new Set(everyRound(160)));
  });

  it('is not led down by a peer that is behind us', () => {
    const rig = rigOf({ chain: loose, tip: 50, peers: three(silent) });
    rig.want(200);
    const answer = {
      type: 'blocks.answered',
      tag: present(rig.fetches[0], 'fetch').request.tag,
      peer: present(rig.peers[0], 'peer'),
      blocks: [],
      batches: [],
    } as const;
    rig.send({ ...answer, height: height(49) });
    expect(rig.fetches.filter(({ request }) => request.query.by === 'id')).toEqual([]);
    rig.advance(200);
    const again = present(rig.fetches.at(-1), 'fetch').request;
    expect(again.avoid).toEqual([answer.peer]);
    rig.send({ ...answer, tag: again.tag, height: height(50) });
    expect(rig.fetches.filter(({ request }) => request.query.by === 'id')).toHaveLength(1);
  });

  it('takes the answer to what it asked although the target has moved on since', () => {
    const rig = rigOf();
    rig.want(3);
    rig.want(5);
    rig.settle(1_000);
    expect(rig.fetches.map(({ request }) => request.query)).toMatchObject([
      { id: chain.ids[2], ancestors: 2 },
      { id: chain.ids[4] },
    ]);
    expect(rig.heights).toEqual([1, 2, 3, 4, 5]);
  });

  it('goes for the newest target while nothing has come of the older', () => {
    const rig = rigOf({ peers: three(silent) });
    rig.want(3);
    rig.advance(1_000);
    rig.want(5);
    rig.advance(4_200);
    expect(rig.fetches.at(-1)?.request.query).toMatchObject({ id: chain.ids[4], ancestors: 4 });
  });

  it('does not start again for the target that it fetches already', () => {
    const rig = rigOf();
    rig.want(3);
    rig.want(3);
    rig.settle(1_000);
    expect(rig.fetches).toHaveLength(1);
  });

  it('uses an answer that comes late to a question that was asked again, as all do on a slow link', () => {
    const rig = rigOf({ peers: three(silent) });
    rig.want(3);
    rig.advance(5_200);
    const [first, second] = rig.fetches;
    expect(second?.request.query).toEqual(first?.request.query);
    const peer = present(rig.peers[0], 'peer');
    const blocks = chain.certified.slice(0, 3);
    const tag = present(first, 'fetch').request.tag;
    rig.send({ type: 'blocks.answered', tag, peer, blocks, batches: [], height: height(3) });
    expect(rig.fetched).toHaveLength(1);
    expect(rig.cancelled).toContain(present(second, 'fetch').request.tag);
  });

  it('uses a late answer that leads to an older target, and nothing of strangers', () => {
    const rig = rigOf({ peers: three(silent) });
    rig.want(3);
    rig.advance(100);
    rig.want(5);
    rig.advance(5_000);
    const peer = present(rig.peers[0], 'peer');
    const late = { type: 'blocks.answered', tag: 999, peer, batches: [], height: height(3) } as const;
    rig.send({ ...late, blocks: chain.certified.slice(0, 9) });
    rig.send({ ...late, blocks: [] });
    expect(rig.fetched).toEqual([]);
    expect(rig.context.counts.answersUnused).toBe(2);
    rig.send({ ...late, blocks: chain.certified.slice(0, 3) });
    expect(rig.heights).toEqual([1, 2, 3]);
  });

  it('asks redundantly near the tip: the first good answer counts, the other copies are not waited for (SY-8)', () => {
    const rig = rigOf({ tip: 30, peers: [silent, honest(chain, 159, 30), honest(chain, 159, 50)] });
    rig.want(34);
    expect(rig.fetches[0]?.request.copies).toBe(3);
    rig.advance(31);
    expect(rig.fetched).toHaveLength(1);
    expect(rig.cancelled).toEqual([rig.fetches[0]?.request.tag]);
    expect(rig.state).toEqual({ running: 'idle' });
  });

  it('wants no more what the chain has grown past by itself: never left fetching', () => {
    const rig = rigOf({ peers: three(silent) });
    rig.want(3);
    const one = present(chain.certified[2], 'block');
    rig.send({ type: 'blocks.committed', blocks: [{ ...one, id: one.qc.blockId, commitProof: rig.qc(4) }] });
    expect(rig.state).toEqual({ running: 'idle' });
    expect(rig.context.window).toEqual([]);
    expect(rig.cancelled).toHaveLength(1);
  });

  it('climbs to a proved target while it goes down to one that is certified only', () => {
    const both = longChain([...everyRound(100).map((one) => 2 * one), 201, 202], false);
    const rig = rigOf({ chain: both, peers: three(honest(both, 101, 50)) });
    rig.catchUp(101);
    rig.advance(10);
    rig.want(102);
    rig.settle(2_000);
    rig.advance(50);
    expect(rig.durable).toBe(101);
  });

  it('tells again what round-manager lost, and fetches it anew when it is lost once more', () => {
    const rig = rigOf({ loses: 2 });
    rig.want(40);
    rig.settle(1_000);
    rig.want(40);
    expect(rig.fetched).toHaveLength(1);
    rig.advance(600);
    rig.want(40);
    expect(rig.fetched).toHaveLength(2);
    expect(rig.fetches).toHaveLength(1);
    rig.advance(600);
    rig.want(40);
    rig.settle(1_000);
    expect(rig.fetches).toHaveLength(2);
    rig.advance(50);
    expect(rig.durable).toBe(39);
  });

  it('saves the bytes of batches before round-manager hears of the blocks, however often storage refuses them', () => {
    const rig = rigOf();
    rig.refuse(3);
    rig.catchUp(100);
    rig.advance(1_000);
    expect(rig.fetched).toEqual([]);
    rig.settle(2_000);
    expect(rig.fetched).toHaveLength(1);
    expect(rig.saved.size).toBe(100);
    expect(rig.log.indexOf('round-manager blocks.fetched')).toBeGreaterThan(
      rig.log.lastIndexOf('storage batches.persistRequested'),
    );
  });

  it('knows by itself that what is proven committed was lost on the way', () => {
    const rig = rigOf({ loses: 1 });
    rig.catchUp(100);
    rig.advance(9_000);
    expect(rig.durable).toBe(0);
    rig.advance(2_000);
    expect(rig.durable).toBe(100);
    expect(rig.fetches).toHaveLength(1);
  });
});

describe('block-sync: watchdog (SY-11)', () => {
  it('asks other peers when nothing was applied for 60 s, and the asker hears of it: never stuck', () => {
    const rig = rigOf({
      peers: [silent, silent, silent, silent],
      config: SLOW,
    });
    rig.catchUp(100);
    rig.advance(59_000);
    const tried = rig.asked.flat();
    rig.advance(1_500);
    expect(rig.state).toEqual({ running: { fetching: 'stalled' } });
    expect(rig.fetches.at(-1)?.request.avoid.length).toBe(tried.length);
    rig.advance(21_000);
    expect(rig.ended).toMatchObject([{ outcome: { status: 'failed', error: { code: 'Timeout' } } }]);
    expect(rig.state).toEqual({ running: 'idle' });
  });

  it('leaves the alarm when the chain grows again', () => {
    const rig = rigOf({
      peers: three(silent),
      config: SLOW,
    });
    rig.catchUp(159);
    rig.advance(61_000);
    expect(rig.state).toEqual({ running: { fetching: 'stalled' } });
    const [first] = chain.certified;
    const [block, proof] = [present(first, 'block'), rig.qc(2)];
    const committed = { ...block, id: block.qc.blockId, commitProof: proof };
    rig.send({ type: 'blocks.committed', blocks: [committed] });
    expect(rig.state).toEqual({ running: { fetching: 'advancing' } });
    expect(rig.context.askers).toHaveLength(1);
  });

  it('is no alarm within 3 blocks of the goal', () => {
    const rig = rigOf({ tip: 30, peers: three(silent) });
    rig.want(32);
    rig.advance(130_000);
    expect(rig.state).toEqual({ running: { fetching: 'advancing' } });
  });
});

describe('block-sync over epochs (CS-16)', () => {
  const epochs = chainOfEpochs(chain.place, 2, 20);
  const change = present(epochs.changes[0], 'change');
  const proven = { type: 'epoch.proven', change } as const;
  const askFor = (rig: Rig, at: number) =>
    rig.send({
      ...{ type: 'blocks.catchUpRequested', replyTo: 'asker', tag: at },
      target: { kind: 'probe', height: height(at) },
    });
  const queries = (rig: Rig) => rig.fetches.map(({ request }) => request.query);

  it('goes for nothing above the proven end of its epoch, and for the rest when the next one begins', () => {
    const rig = rigOf();
    rig.advance(5);
    rig.send(proven);
    askFor(rig, 60);
    expect(queries(rig)).toEqual([{ by: 'height', from: 1, limit: 20 }]);
    expect(rig.context.askers).toHaveLength(1);
    rig.send(began(epochs, 1));
    expect(rig.context.end).toBeUndefined();
    expect(queries(rig).at(-1)).toMatchObject({ by: 'height', from: 1, limit: 60 });
    expect(rig.cancelled, 'what was on its way is of the epoch before').toHaveLength(1);
    expect(rig.send(began(epochs, 1)).filter(({ kind }) => kind !== 'startTimer')).toEqual([]);
  });

  it('passes over the end of another epoch', () => {
    const rig = rigOf();
    rig.advance(5);
    rig.send(began(epochs, 1));
    rig.send(proven);
    expect(rig.context.end).toBeUndefined();
  });

  it('goes for no target above the end that is proven in the epoch that has ended: it was discarded', () => {
    const rig = rigOf();
    rig.advance(5);
    const above = present(epochs.suffixes[0]?.[0], 'a block above the end');
    const proof = present(epochs.suffixes[0]?.[1], 'its child').qc;
    const tip = { height: height(21), id: above.qc.blockId, proof };
    const target = { kind: 'proved', tip } as const;
    rig.send({ type: 'blocks.catchUpRequested', replyTo: 'asker', tag: 1, target });
    rig.send(began(epochs, 1));
    rig.send({ type: 'blocks.catchUpRequested', replyTo: 'asker', tag: 2, target });
    expect(rig.ended).toMatchObject([
      { tag: 1, outcome: { status: 'failed' } },
      { tag: 2, outcome: { status: 'failed' } },
    ]);
  });

  it('hears of both before it runs, and while it yields', () => {
    const waiting = rigOf({ refuses: 1 });
    waiting.send(began(epochs, 1));
    expect(waiting.context.epoch.epoch).toBe(1);
    expect(waiting.send(proven)).toEqual([{ kind: 'postpone' }]);
    const yielding = rigOf({ joins: true });
    yielding.advance(5);
    yielding.send(proven);
    expect(yielding.context.end).toBe(20);
  });
});
