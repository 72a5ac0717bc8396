import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { rateOf } from '../../../src/protocol/sync/questions.ts';
import { height, present } from '../../protocol/consensus/fixture.ts';
import {
  blocksOf,
  fetchingWith,
  fetchOf,
  newStateSyncReach,
  only,
  pollOf,
  type RigOptions,
  StateSyncRig,
} from './state-sync.rig.ts';

const reach = newStateSyncReach();
const rig = (options: RigOptions = {}) => new StateSyncRig(reach, options);
const typesOf = (at: StateSyncRig) => at.replies.map(({ type }) => type);

const fetching = fetchingWith(rig);

describe('fetching blocks (seed 002: requestBlocksRedundant, retryPendingBlocks; SY-6, SY-8)', () => {
  it('hands on what a real node gives, as it came', () => {
    const at = rig();
    at.serve(0, 20);
    at.connect(0);
    at.settle();
    at.send(fetchOf(1, 10));
    at.settle();
    expect(at.replies).toEqual([
      { type: 'fetch.started', tag: 1, peer: at.peer(0) },
      {
        ...{ type: 'blocks.answered', tag: 1, peer: at.peer(0), blocks: at.chain.blocks.slice(0, 10) },
        ...{ batches: [], height: 20 },
      },
    ]);
    expect(at.context.tasks.size).toBe(0);
  });

  it('asks as many different peers at once as copies are wanted, and hands on each answer', () => {
    const { at, asked } = fetching({ copies: 3 });
    expect(new Set(asked.map(({ to }) => to))).toEqual(new Set(at.peers));
    for (const one of asked) at.answer(one, blocksOf(at, one.message.requestId));
    expect(typesOf(at).filter((type) => type === 'blocks.answered')).toHaveLength(3);
    expect(at.context.tasks.size).toBe(0);
  });

  it('asks another peer after each failure, never the same, and says at last whom it tried', () => {
    const { at, asked } = fetching();
    const first = only(asked);
    at.advance(10_000);
    const second = only(at.take('GetBlocks'));
    at.answer(second, blocksOf(at, second.message.requestId, 1, 0));
    const third = only(at.take('GetBlocks'));
    expect(new Set([first.to, second.to, third.to])).toEqual(new Set(at.peers));
    at.answer(third, blocksOf(at, third.message.requestId, 2, 3));
    expect(at.replies.at(-1)).toMatchObject({
      ...{ type: 'fetch.failed', tag: 1, error: { code: 'BlockNotFound' } },
      tried: [first.to, second.to, third.to],
    });
    expect(at.blamed).toEqual([
      { peer: first.to, code: 'REQUEST_TIMEOUT' },
      { peer: third.to, code: 'BAD_BLOCKS' },
    ]);
  });

  it('asks no more than `attempts` peers beyond the first copies, however many there are', () => {
    const { at } = fetching({ copies: 2, attempts: 3 }, { powers: Array.from({ length: 9 }, () => 1n) });
    at.advance(60_000);
    expect(typesOf(at).filter((type) => type === 'fetch.started')).toHaveLength(4);
    expect(at.replies.at(-1)).toMatchObject({ type: 'fetch.failed', tried: { length: 4 } });
  });

  it("an empty answer is nobody's failure, whatever its giver has proved: it rests, and another is asked (SY-6, SY-8)", () => {
    const { at, asked } = fetching({ query: { by: 'height', from: height(1), limit: 20 } });
    const first = only(asked);
    at.answer(first, blocksOf(at, first.message.requestId, 1, 0));
    expect(at.context.peers.get(first.to)).toMatchObject({ declined: 1, state: { failures: 0 } });
    expect(only(at.take('GetBlocks')).to).not.toBe(first.to);
  });

  it('asks a peer that comes at once, and waits no longer for those that may not be there', () => {
    const at = rig();
    at.advance(2_000);
    at.take('GetBlocks');
    at.send(fetchOf(1, 10));
    const absent = only(at.take('GetBlocks')).to;
    const other = at.peers.findIndex((peer) => peer !== absent);
    at.connect(other);
    expect(at.take('GetBlocks').map(({ to }) => to)).toEqual([at.peer(other)]);
  });

  it('bug "retries that always start with peer 0": equal peers take turns by the draw', () => {
    const firsts = [0.1, 0.5, 0.9].map((draw) => {
      const { asked } = fetching({}, { draws: [draw] });
      return only(asked).to;
    });
    expect(new Set(firsts).size).toBe(3);
  });

  it('prefers the quicker of two peers that proved the same', () => {
    for (const quick of [0, 1]) {
      const at = rig();
      at.join(quick, 20, {}, 10);
      at.join(1 - quick, 20, {}, 300);
      at.send(fetchOf(1, 10));
      expect(only(at.take('GetBlocks')).to).toBe(at.peer(quick));
    }
  });

  it('uses an answer that comes after its time, as all do on a slow link', () => {
    const { at, asked } = fetching();
    at.advance(10_000);
    const late = only(asked);
    at.answer(late, blocksOf(at, late.message.requestId));
    expect(at.replies.at(-1)).toMatchObject({ type: 'blocks.answered', peer: late.to });
    const second = only(at.take('GetBlocks'));
    at.answer(second, blocksOf(at, second.message.requestId));
    expect(typesOf(at).filter((type) => type === 'blocks.answered')).toHaveLength(1);
    expect(at.blamed.map(({ code }) => code)).toEqual(['REQUEST_TIMEOUT']);
  });

  it('asks one more peer each time that a gap is hurried, each once, and takes whoever is first (SY-8)', () => {
    const { at } = fetching({}, { powers: [1n, 1n, 1n, 1n, 1n, 1n] });
    const hurried = { type: 'fetch.hurried', replyTo: 'asker', tag: 1 } as const;
    at.send(hurried);
    const second = only(at.take('GetBlocks'));
    const others = [1, 2, 3].flatMap(() => {
      at.send(hurried);
      return at.take('GetBlocks').map(({ to }) => to);
    });
    expect(new Set(others).size).toBe(3);
    for (let more = 0; more < 9; more += 1) at.send(hurried);
    at.send({ ...hurried, tag: 2 });
    expect(at.take('GetBlocks')).toEqual([]);
    at.answer(second, blocksOf(at, second.message.requestId));
    expect(at.replies.at(-1)).toMatchObject({ type: 'blocks.answered', peer: second.to });
    expect(at.context.tasks.size).toBe(0);
  });

  it('lets nobody pay for what was cancelled, and passes over its answer', () => {
    const { at, asked } = fetching();
    at.send({ type: 'fetch.cancelled', replyTo: 'another', tag: 1 });
    expect(at.context.tasks.size).toBe(1);
    at.send({ type: 'fetch.cancelled', replyTo: 'asker', tag: 1 });
    const before = at.context.peers.get(only(asked).to)?.state.reputation.score;
    at.advance(10_000);
    at.answer(only(asked), blocksOf(at, only(asked).message.requestId));
    expect(typesOf(at)).toEqual(['fetch.started']);
    expect(at.blamed).toEqual([]);
    expect(at.context.peers.get(only(asked).to)?.state).toMatchObject({
      failures: 0,
      reputation: { score: before },
    });
  });

  it('asks another at once when the peer goes, and charges it nothing: our own errors do not cost the peer', () => {
    const { at, asked } = fetching();
    const { to } = only(asked);
    at.disconnect(at.peers.indexOf(to));
    expect(only(at.take('GetBlocks')).to).not.toBe(to);
    expect(at.context.peers.get(to)?.state.failures).toBe(0);
    expect(at.blamed).toEqual([]);
  });

  it('tries those whom it may not reach when there is nobody else, for a short time, and charges them nothing', () => {
    const at = rig();
    at.advance(2_000);
    at.take('GetBlocks');
    at.send(fetchOf(1, 10));
    const first = only(at.take('GetBlocks'));
    at.advance(2_000);
    expect(only(at.take('GetBlocks')).to).not.toBe(first.to);
    at.serve(2, 20);
    at.connect(2);
    at.settle();
    expect(at.replies.at(-1)).toMatchObject({ type: 'blocks.answered', peer: at.peer(2) });
    expect(at.blamed).toEqual([]);
  });

  it('never asks one whose chain begins above what is wanted, and asks an unproved one last (SY-3)', () => {
    const at = rig();
    at.advance(2_000);
    at.join(0, 20, { base: height(5) });
    at.join(1, 20);
    at.take('GetBlocks');
    at.send(fetchOf(1, 10, { attempts: 9 }));
    expect(only(at.take('GetBlocks')).to).toBe(at.peer(1));
    at.advance(60_000);
    expect(at.take('GetBlocks').map(({ to }) => to)).not.toContain(at.peer(0));
  });
});

describe("nobody is hammered (SY-6), nobody's flood detector trips", () => {
  it('has two questions for blocks open at one peer, and asks the next when one is answered', () => {
    const at = rig();
    at.join(0, 20);
    for (let tag = 1; tag <= 5; tag += 1) at.send(fetchOf(tag, 1, { tag, holders: [at.peer(0)] }));
    const asked = at.take('GetBlocks');
    expect(asked).toHaveLength(2);
    const first = present(asked[0], 'question');
    at.answer(first, blocksOf(at, first.message.requestId, 1, 1));
    expect(at.take('GetBlocks').map(({ message }) => message.from)).toEqual([3]);
  });

  it('bug "own requests tripping the flood detector": quick answers do not make it ask faster than a quarter of the rate', () => {
    const at = rig();
    at.serve(0, 20);
    at.connect(0);
    at.settle();
    const { ratePerSecond, burst } = rateOf('GetBlocks');
    let sent = 0;
    const started = at.now;
    for (let tag = 1; tag <= 600; tag += 1) {
      at.send(fetchOf(1, 1, { tag, holders: [at.peer(0)] }));
      at.settle();
      at.advance(2);
    }
    sent = typesOf(at).filter((type) => type === 'fetch.started').length;
    const seconds = (at.now - started) / 1_000;
    expect(sent).toBeLessThanOrEqual(burst + seconds * ratePerSecond + 1);
    expect(sent).toBeGreaterThan(burst);
    for (let wait = 0; wait < 400; wait += 1) {
      at.advance(50);
      at.settle();
    }
    expect(typesOf(at).filter((type) => type === 'blocks.answered')).toHaveLength(
      600 - at.context.counts.refused,
    );
  });

  it('removes who answers every poll and never gives blocks: a claim does not make up for them (SY-6)', () => {
    const at = rig();
    at.advance(2_000);
    at.join(0, 20);
    for (let tag = 1; tag <= 5; tag += 1) {
      at.send(fetchOf(1, 1, { tag, holders: [at.peer(0)], attempts: 1 }));
      at.advance(10_000);
      at.send(pollOf());
      for (const question of at.take('GetBlockHeight'))
        if (question.to === at.peer(0)) at.answer(question, at.claim(question.message.requestId, 20));
    }
    expect(at.state(0)).toMatchObject({ failures: 5, reputation: { removedUntil: expect.any(Number) } });
  });

  it('forgives a question of words by the next answer (SY-6)', () => {
    const at = rig();
    at.advance(2_000);
    at.join(0, 20);
    at.send(pollOf());
    at.take('GetBlockHeight');
    at.advance(60_000);
    expect(at.state(0).failures).toBeGreaterThan(0);
    at.send(pollOf());
    const question = present(
      at.take('GetBlockHeight').find(({ to }) => to === at.peer(0)),
      'question',
    );
    at.answer(question, at.claim(question.message.requestId, 20));
    expect(at.state(0).failures).toBe(0);
  });

  it('removes a peer for a time after failures in a row, and asks it again when there is nobody else', () => {
    const at = rig();
    at.advance(2_000);
    at.join(0, 20);
    for (let tag = 1; tag <= 5; tag += 1) {
      at.send(fetchOf(1, 1, { tag, holders: [at.peer(0)], attempts: 1 }));
      at.advance(10_000);
    }
    expect(at.state(0)).toMatchObject({ failures: 5, reputation: { removedUntil: expect.any(Number) } });
    at.send(pollOf());
    const question = present(
      at.take('GetBlockHeight').find(({ to }) => to === at.peer(0)),
      'question',
    );
    at.answer(question, at.claim(question.message.requestId, 20));
    expect(at.state(0).reputation.removedUntil).toBeDefined();
    at.join(1, 20, {}, 500);
    at.take('GetBlocks');
    at.send(fetchOf(1, 1, { tag: 9 }));
    expect(only(at.take('GetBlocks')).to).toBe(at.peer(1));
    at.send(fetchOf(1, 1, { tag: 10, holders: [at.peer(0)] }));
    expect(only(at.take('GetBlocks')).to).toBe(at.peer(0));
    at.send({ type: 'peer.judged', peer: at.peer(0), verdict: 'good' });
    expect(at.state(0)).toMatchObject({ failures: 0 });
    expect(at.state(0).reputation.removedUntil).toBeUndefined();
  });
});

describe('whatever happens', () => {
  const turn = fc.oneof(
    fc.record({ do: fc.constant('connect' as const), peer: fc.nat(3) }),
    fc.record({ do: fc.constant('disconnect' as const), peer: fc.nat(3) }),
    fc.record({ do: fc.constant('answer' as const), peer: fc.nat(3), pick: fc.nat(20), how: fc.nat(3) }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 12_000 }) }),
    fc.record({
      do: fc.constant('fetch' as const),
      from: fc.integer({ min: 1, max: 20 }),
      copies: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({ do: fc.constant('cancel' as const), pick: fc.nat(20) }),
    fc.record({ do: fc.constant('hurry' as const), pick: fc.nat(20) }),
  );

  it('every fetch ends, by as many answers as copies or by a failure, within bounds (any interleaving)', () => {
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 60 }), (turns) => {
        const at = rig({ powers: [1n, 1n, 1n, 1n, 1n] });
        const pending: ReturnType<StateSyncRig['take']>[number][] = [];
        const copiesOf = new Map<number, number>();
        const cancelled = new Set<number>();
        let tag = 0;
        const nth = (pick: number) => 1 + (pick % Math.max(1, tag));
        for (const one of turns) {
          if (one.do === 'connect') at.connect(one.peer);
          if (one.do === 'disconnect') at.disconnect(one.peer);
          if (one.do === 'advance') at.advance(one.ms);
          if (one.do === 'fetch') {
            tag += 1;
            copiesOf.set(tag, one.copies);
            at.send(fetchOf(one.from, 5, { tag, copies: one.copies, attempts: 3 }));
          }
          if (one.do === 'hurry') at.send({ type: 'fetch.hurried', replyTo: 'asker', tag: nth(one.pick) });
          if (one.do === 'cancel') {
            cancelled.add(nth(one.pick));
            at.send({ type: 'fetch.cancelled', replyTo: 'asker', tag: nth(one.pick) });
          }
          pending.push(...at.take('GetBlocks'));
          if (one.do === 'answer') {
            const question = pending.splice(one.pick % Math.max(1, pending.length), 1)[0];
            if (question?.message.kind === 'GetBlocks') {
              const { requestId, from } = question.message;
              const counts = [5, 0, 6, 2];
              const offset = one.how === 3 ? 1 : 0;
              at.answer(question, blocksOf(at, requestId, from + offset, counts[one.how] ?? 5));
            }
          }
          for (const peer of at.peers) {
            const open = [...at.context.book.open.values()].filter((question) => question.peer === peer);
            expect(open.filter(({ message }) => message.kind === 'GetBlocks').length).toBeLessThanOrEqual(2);
          }
          expect(at.context.book.late.size).toBeLessThanOrEqual(8 * at.peers.length);
        }
        at.advance(200_000);
        expect([...at.context.tasks.values()]).toEqual([]);
        expect(at.context.book.open.size).toBe(0);
        for (const [of, copies] of copiesOf) {
          const ofTag = at.replies.filter((reply) => 'tag' in reply && reply.tag === of);
          const answers = ofTag.filter(({ type }) => type === 'blocks.answered').length;
          const failures = ofTag.filter(({ type }) => type === 'fetch.failed').length;
          expect(answers).toBeLessThanOrEqual(copies);
          if (!cancelled.has(of)) expect(answers === copies ? failures : failures - 1).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('fetches the same in the same circumstances, whatever the timeouts are', () => {
    const run = () => {
      const { at } = fetching({ copies: 2, timeout: millis(3_000) });
      at.advance(30_000);
      return at.replies;
    };
    expect(run()).toEqual(run());
  });
});
