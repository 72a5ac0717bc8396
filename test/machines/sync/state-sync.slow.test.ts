/** Peers that are slow, silent, or give little: who is charged, and who is asked last. Rules SY-3, SY-6, SY-8. */
import { describe, expect, it } from 'vitest';
import type { BlocksMessage } from '../../../src/protocol/sync/messages.ts';
import { height, present } from '../../protocol/consensus/fixture.ts';
import { chainIn, fetchOf, newStateSyncReach, type RigOptions, StateSyncRig } from './state-sync.rig.ts';

const reach = newStateSyncReach();
const rig = (options: RigOptions = {}) => new StateSyncRig(reach, options);

/** Peers that proved 20 blocks, and the questions for blocks that came of a fetch. */
function fetching(changes: Parameters<typeof fetchOf>[2] = {}, options: RigOptions = {}) {
  const at = rig(options);
  for (const index of at.peers.keys()) at.join(index, 20);
  at.take('GetBlocks');
  at.send(fetchOf(1, 10, changes));
  return { at, asked: at.take('GetBlocks') };
}
const blocksOf = (at: StateSyncRig, requestId: number, from = 1, count = 10): BlocksMessage => ({
  ...{ kind: 'Blocks', requestId, blocks: at.chain.blocks.slice(from - 1, from - 1 + count) },
  ...{ batches: [], height: height(20) },
});
const only = (asked: ReturnType<typeof fetching>['asked']) => present(asked[0], 'question');

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
    expect(at.state(0).latencyMs).toBeGreaterThan(3_000);
    for (let tag = 2; tag <= 9; tag += 1) at.send(fetchOf(1, 10, { tag }));
    const asked = at.take('GetBlocks');
    expect(asked.map(({ to }) => at.peers.indexOf(to)).sort()).toEqual([1, 1, 2, 2]);
    at.send({ type: 'fetch.hurried', replyTo: 'asker', tag: 9 });
    expect(at.take('GetBlocks').map(({ to }) => to)).toEqual([at.peer(0), at.peer(0)].slice(0, 1));
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
    expect(at.state(0).latencyMs).toBeLessThan(500);
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

  it('charges an empty answer where a border of batches is in reach, below the tip of who gave it', () => {
    const long = (place: StateSyncRig['place']) => chainIn(place, 150);
    const at = rig({ chain: long });
    at.join(0, 150);
    at.take('GetBlocks');
    at.send(fetchOf(101, 28));
    const { to, message } = only(at.take('GetBlocks'));
    at.answer(
      { to },
      { kind: 'Blocks', requestId: message.requestId, blocks: [], batches: [], height: height(150) },
    );
    expect(at.state(0).failures).toBe(1);
  });

  it('hands on the height that the giver has proved, where it says a lower one (SY-3)', () => {
    const { at, asked } = fetching();
    const { to, message } = only(asked);
    at.answer({ to }, { ...blocksOf(at, message.requestId), height: height(10) });
    expect(at.replies.at(-1)).toMatchObject({ type: 'blocks.answered', height: 20 });
  });
});
