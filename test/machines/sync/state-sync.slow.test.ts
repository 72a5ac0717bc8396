/** Peers that are slow, silent, or give little: who is charged, and who is asked last. Rules SY-3, SY-6, SY-8. */
import { describe, expect, it } from 'vitest';
import { height, present } from '../../protocol/consensus/fixture.ts';
import {
  blocksOf,
  chainIn,
  fetchingWith,
  fetchOf,
  newStateSyncReach,
  only,
  type RigOptions,
  StateSyncRig,
} from './state-sync.rig.ts';

const reach = newStateSyncReach();
const rig = (options: RigOptions = {}) => new StateSyncRig(reach, options);

const fetching = fetchingWith(rig);

describe('who keeps a hurried question waiting, or trickles (SY-6)', () => {
  it('charges once who keeps a hurried question waiting for 3 s, at the hurry, and nobody who was asked just now (SY-6)', () => {
    const { at, asked } = fetching({}, { powers: [1n, 1n, 1n, 1n, 1n] });
    const failuresOf = (peer: string) =>
      [...at.context.peers.values()].find(({ state }) => state.peer === peer)?.state.failures;
    const first = only(asked).to;
    at.advance(3_000);
    const hurried = { type: 'fetch.hurried', replyTo: 'asker', tag: 1 } as const;
    at.send(hurried);
    const second = only(at.take('GetBlocks')).to;
    expect([failuresOf(first), failuresOf(second)]).toEqual([1, 0]);
    at.advance(100);
    at.send(hurried);
    expect([failuresOf(first), failuresOf(second)]).toEqual([1, 0]);
    at.advance(6_900);
    expect(at.blamed).toEqual([{ peer: first, code: 'REQUEST_TIMEOUT' }]);
    expect(failuresOf(first)).toBe(1);
  });

  it('charges who was hurried sooner when the time of its question is over, cancelled or not, and not when it answers (SY-6)', () => {
    const at = rig();
    at.join(0, 20);
    at.take('GetBlocks');
    const hurried = (tag: number) => {
      at.send(fetchOf(1, 10, { tag, holders: [at.peer(0)] }));
      const question = only(at.take('GetBlocks'));
      at.advance(400);
      at.send({ type: 'fetch.hurried', replyTo: 'asker', tag });
      at.send({ type: 'fetch.cancelled', replyTo: 'asker', tag });
      return question;
    };
    const answered = hurried(1);
    at.answer(answered, blocksOf(at, answered.message.requestId));
    hurried(2);
    expect(at.state(0).failures).toBe(0);
    at.advance(10_000);
    expect(at.state(0).failures).toBe(1);
    expect(at.blamed).toEqual([]);
  });

  it('removes who never answers a question for blocks after five hurries, although every such question is cancelled (SY-6)', () => {
    const at = rig();
    at.join(0, 20);
    at.take('GetBlocks');
    for (let tag = 1; tag <= 5; tag += 1) {
      at.send(fetchOf(1, 10, { tag, holders: [at.peer(0)] }));
      at.advance(3_000);
      at.send({ type: 'fetch.hurried', replyTo: 'asker', tag });
      at.send({ type: 'fetch.cancelled', replyTo: 'asker', tag });
      at.advance(10_000);
    }
    expect(at.state(0)).toMatchObject({ failures: 5, reputation: { removedUntil: expect.any(Number) } });
    expect(at.blamed).toEqual([]);
  });

  it('measures a short answer by what all would take, and asks who trickles only where nobody else is left (SY-6)', () => {
    const at = rig({ powers: [1n, 1n, 1n, 1n] });
    at.join(0, 20, {}, 1);
    at.join(1, 20, {}, 50);
    at.join(2, 20, {}, 50);
    at.take('GetBlocks');
    at.send(fetchOf(1, 10));
    const first = only(at.take('GetBlocks'));
    expect(first.to).toBe(at.peer(0));
    at.advance(2_900);
    at.answer(first, blocksOf(at, first.message.requestId, 1, 1));
    expect(at.known(0).blocksMs).toBe(29_000);
    expect(at.state(0).latencyMs).toBe(1);
    for (let tag = 2; tag <= 9; tag += 1) at.send(fetchOf(1, 10, { tag }));
    const asked = at.take('GetBlocks');
    expect(asked.map(({ to }) => at.peers.indexOf(to)).sort()).toEqual([1, 1, 2, 2]);
    at.send({ type: 'fetch.hurried', replyTo: 'asker', tag: 9 });
    expect(at.take('GetBlocks').map(({ to }) => to)).toEqual([at.peer(0), at.peer(0)].slice(0, 1));
  });

  it('gives no more questions to who has owed blocks for long; small answers that are owed do not count (SY-6)', () => {
    const at = rig({ powers: [1n, 1n, 1n, 1n] });
    at.join(0, 20);
    at.join(1, 20);
    at.connect(2);
    at.take('GetBlocks');
    const askOnly = (tag: number, index: number) => {
      at.send(fetchOf(1, 10, { tag, holders: [at.peer(index)] }));
      return only(at.take('GetBlocks'));
    };
    askOnly(1, 0);
    const answered = askOnly(2, 1);
    at.advance(50);
    at.answer(answered, blocksOf(at, answered.message.requestId));
    at.advance(1_200);
    askOnly(3, 1);
    askOnly(4, 1);
    for (let tag = 5; tag <= 7; tag += 1) at.send(fetchOf(1, 10, { tag }));
    expect(at.take('GetBlocks').map(({ to }) => at.peers.indexOf(to))).toEqual([2, 2]);
  });

  it('believes a quick answer that is short because it is large', () => {
    const ample = (place: StateSyncRig['place']) => chainIn(place, 20);
    const at = rig({ chain: ample });
    at.join(0, 20, {}, 50);
    at.take('GetBlocks');
    at.send(fetchOf(1, 10));
    const question = only(at.take('GetBlocks'));
    at.advance(2_000);
    const large = { ...blocksOf(at, question.message.requestId, 1, 1), batches: [new Uint8Array(1_048_576)] };
    at.answer(question, large);
    expect(at.known(0).blocksMs).toBe(2_000);
  });
});

describe('an answer that gives nothing, or says less than was proved (SY-3, SY-8)', () => {
  it('charges nobody for an empty answer between the borders of batches: of no certificate there it knows that it holds (SY-8)', () => {
    const { at, asked } = fetching();
    const { to, message } = only(asked);
    at.answer({ to }, blocksOf(at, message.requestId, 1, 0));
    expect(at.context.peers.get(to)?.state.failures).toBe(0);
    expect(only(at.take('GetBlocks')).to).not.toBe(to);
  });

  it('charges nobody who holds and cannot give now, however often; others are asked meanwhile (SY-6, SY-8)', () => {
    const long = (place: StateSyncRig['place']) => chainIn(place, 150);
    const at = rig({ chain: long, powers: [1n, 1n, 1n, 1n] });
    at.join(0, 150, {}, 1);
    at.join(1, 150, {}, 50);
    at.take('GetBlocks');
    const asks = (tag: number) => {
      at.send(fetchOf(1, 128, { tag, attempts: 1 }));
      return only(at.take('GetBlocks'));
    };
    const declines = ({ to, message }: ReturnType<typeof asks>) => {
      const nothing = { blocks: [], batches: [], height: height(150) };
      at.answer({ to }, { kind: 'Blocks', requestId: message.requestId, ...nothing });
    };
    for (let tag = 1; tag <= 6; tag += 1) {
      at.send(fetchOf(1, 128, { tag, holders: [at.peer(0)], attempts: 1 }));
      declines(only(at.take('GetBlocks')));
    }
    expect(at.state(0)).toMatchObject({ failures: 0, reputation: { score: expect.closeTo(0.55, 1) } });
    expect(at.known(0).declined).toBe(6);
    expect(asks(7).to).toBe(at.peer(1));
    at.advance(32_001);
    at.take('GetBlocks');
    expect(at.known(0).restsUntil).toBeLessThan(at.now);
    // True words do not make up for it, blocks that prove good do.
    at.send({ type: 'peer.judged', peer: at.peer(0), verdict: 'good' });
    expect(at.known(0).declined).toBe(0);
  });

  it('lets who has nothing by its id go on as before: it may never have had an orphan (CS-12)', () => {
    const { at } = fetching();
    at.send(
      fetchOf(1, 10, {
        tag: 2,
        query: { by: 'id', id: present(at.chain.blocks[4], 'b').qc.blockId, ancestors: 0 },
      }),
    );
    const { to, message } = present(at.take('GetBlock')[0], 'question');
    at.answer({ to }, blocksOf(at, message.requestId, 1, 0));
    expect(at.context.peers.get(to)?.declined).toBe(0);
  });

  it('hands on the height that the giver has proved, where it says a lower one (SY-3)', () => {
    const { at, asked } = fetching();
    const { to, message } = only(asked);
    at.answer({ to }, { ...blocksOf(at, message.requestId), height: height(10) });
    expect(at.replies.at(-1)).toMatchObject({ type: 'blocks.answered', height: 20 });
  });
});
