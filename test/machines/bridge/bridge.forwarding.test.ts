/** The bridge of a node that is no validator: to whom it hands operations, and what it believes of them. BR-1, BR-8. */
import { afterAll, describe, expect, it } from 'vitest';
import { GATHER_MS } from '../../../src/machines/bridge/bridge.gathering.ts';
import type { OperationAdmission } from '../../../src/protocol/bridge/messages.ts';
import { ANSWER_MS, JUDGEMENT_MS, QUEUE_MS } from '../../../src/protocol/bridge/times.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import { plain } from '../../protocol/bridge/operations-of.ts';
import { ofKind } from '../reach.ts';
import { A, B, bridgeReach, C, isOfHandingOver, Rig, type RigOptions, STRANGER } from './bridge.rig.ts';

const reach = bridgeReach();
const rig = (options: RigOptions = {}) => new Rig(reach, options);
const many = (count: number) => Array.from({ length: count }, (_, index) => plain(`t${index}`));
/** By itself: a moment after, nothing is gathered any more. */
const handOver = (at: Rig, ...transactions: readonly Uint8Array[]): number => {
  const tag = at.submit(...transactions);
  at.gather();
  return tag;
};
const FORWARDING = { self: STRANGER, connected: [A, B, C] } as const;

describe('a node that is no validator (BR-8)', () => {
  const answered = (at: Rig, admissions: readonly { accepted: true }[] = [{ accepted: true }]) => {
    const last = at.calls().at(-1);
    if (last === undefined) throw new Error('nothing was handed over');
    at.hear(last.peer, { kind: 'OperationsAnswered', tag: last.message.tag, admissions });
  };
  const failed = (at: Rig, reason: 'timeout' | 'refused' = 'timeout'): void => {
    const last = at.calls().at(-1);
    if (last === undefined) throw new Error('nothing was handed over');
    at.send({ type: 'call.failed', peer: last.peer, tag: last.message.tag, reason });
  };

  it('hands operations to a validator, and tells its asker what that one says', () => {
    const at = rig(FORWARDING);
    const tag = at.submit(plain('one'));
    expect(at.toMempool).toEqual([]);
    expect(at.calls()).toMatchObject([{ message: { kind: 'SubmitOperations', operations: [plain('one')] } }]);
    answered(at);
    expect(at.codes(tag)).toEqual(['admitted']);
    expect(at.toBreakers.at(-1)?.message).toMatchObject({ type: 'call.answered' });
    expect(at.load).toBe(1);
  });

  it('takes the validators in turn', () => {
    const at = rig(FORWARDING);
    for (let time = 0; time < 6; time += 1) handOver(at, plain(`t${time}`));
    const peers = at.calls().map(({ peer }) => peer);
    expect(new Set(peers.slice(0, 3)).size).toBe(3);
    expect(peers.slice(3)).toEqual(peers.slice(0, 3));
  });

  it('passes over a validator whose breaker is open, and one that is gone', () => {
    const at = rig(FORWARDING);
    at.send({ type: 'breaker.changed', peer: A, state: 'open' });
    at.disconnect(B);
    for (let time = 0; time < 3; time += 1) handOver(at, plain(`t${time}`));
    expect(new Set(at.calls().map(({ peer }) => peer))).toEqual(new Set([C]));
    at.send({ type: 'breaker.changed', peer: C, state: 'open' });
    const tag = at.submit(plain('last'));
    expect(at.codes(tag)).toEqual(['NOT_A_VALIDATOR']);
    expect(at.logs(tag)[0]).toBe('this node is no validator, and none can be reached: try again later');
    expect(at.load).toBe(3);
  });

  it('hands on what was not answered, three times in all, each time to another; then says whom it may be with', () => {
    const at = rig(FORWARDING);
    const tag = at.submit(plain('one'));
    failed(at);
    failed(at);
    expect(at.codes(tag)).toBeUndefined();
    failed(at);
    const peers = at.calls().map(({ peer }) => peer);
    expect(new Set(peers)).toEqual(new Set([A, B, C]));
    expect(at.codes(tag)).toEqual(['NOT_ANSWERED']);
    expect(at.logs(tag)).toEqual([`no answer of the validators ${peers.join(', ')}: it may have been taken`]);
    expect(at.load).toBe(0);
  });

  it('hands on while one more can answer in time: what waited in the queue goes to fewer validators', () => {
    const at = rig({ ...FORWARDING, connected: [], config: { whenPartitioned: 'queue' } });
    at.elapse(5_000);
    const tag = at.submit(plain('one'));
    at.now += ANSWER_MS - 2 * JUDGEMENT_MS;
    for (const peer of [A, B, C]) at.connect(peer);
    at.now += JUDGEMENT_MS;
    failed(at);
    expect([at.calls().length, at.codes(tag)]).toEqual([2, undefined]);
    at.now += JUDGEMENT_MS;
    failed(at);
    expect([at.calls().length, at.codes(tag)]).toEqual([2, ['NOT_ANSWERED']]);
  });

  it('does not call a validator silent that was never asked: its breaker held the call back', () => {
    const at = rig(FORWARDING);
    const tag = at.submit(plain('one'));
    for (let time = 0; time < 3; time += 1) failed(at, 'refused');
    expect(at.calls()).toHaveLength(3);
    expect(at.codes(tag)).toEqual(['NOT_A_VALIDATOR']);
  });

  it('believes the validator alone that it asked last', () => {
    const at = rig(FORWARDING);
    const tag = at.submit(plain('one'));
    const [first] = at.calls();
    failed(at);
    const second = at.calls().at(-1);
    const claim = {
      kind: 'OperationsAnswered',
      tag: second?.message.tag ?? 0,
      admissions: [{ accepted: true }],
    } as const;
    for (const liar of [A, B, C, STRANGER].filter((peer) => peer !== second?.peer)) at.hear(liar, claim);
    expect(at.blamed()).toHaveLength(3);
    // Who answers late is believed no more, and is blamed only when it says so again.
    const late = { ...claim, tag: first?.message.tag ?? 0 };
    at.hear(first?.peer ?? A, late);
    expect([at.codes(tag), at.blamed().length]).toEqual([undefined, 3]);
    at.hear(first?.peer ?? A, late);
    expect([at.codes(tag), at.blamed().length]).toEqual([undefined, 4]);
    answered(at);
    expect(at.codes(tag)).toEqual(['admitted']);
    expect(at.blamed()).toHaveLength(4);
    at.hear(second?.peer ?? A, claim);
    expect(at.answers).toHaveLength(1);
    expect(at.blamed().at(-1)).toEqual({
      type: 'peer.misbehaved',
      peer: second?.peer,
      code: 'ANSWER_UNREQUESTED',
    });
  });

  it('takes no nonsense of a validator: too few, too many, a refusal with the yes of the application, unknown words', () => {
    const at = rig(FORWARDING);
    const tag = handOver(at, plain('a'), plain('b'), plain('c'), plain('d'));
    const last = at.calls().at(-1);
    at.hear(last?.peer ?? A, {
      kind: 'OperationsAnswered',
      tag: last?.message.tag ?? 0,
      admissions: [
        { accepted: false, code: 'CHECK_FAILED', log: 'x', applicationCode: 0 },
        { accepted: false, code: 'NOT_A_VALIDATOR', log: 'x' },
        { accepted: false, code: 'QUEUE_FULL', log: 'x', applicationCode: 9 },
      ],
    });
    // A liar may have put the bytes into its batch all the same: none of its words is an end.
    expect(at.codes(tag)).toEqual(['NOT_ANSWERED', 'NOT_ANSWERED', 'NOT_ANSWERED', 'NOT_ANSWERED']);
    const next = at.submit(plain('e'));
    answered(at, [{ accepted: true }, { accepted: true }]);
    expect(at.codes(next)).toEqual(['admitted']);
    expect(at.load).toBe(1);
  });

  it('takes a refusal at the end of a short answer for all that follow, and a yes for itself alone (BR-2)', () => {
    const at = rig(FORWARDING);
    const tag = handOver(at, plain('a'), plain('b'), plain('c'));
    const say = (admissions: readonly OperationAdmission[]): void => {
      const last = at.calls().at(-1);
      const answer = { kind: 'OperationsAnswered', tag: last?.message.tag ?? 0, admissions } as const;
      at.hear(last?.peer ?? A, answer);
    };
    say([{ accepted: true }, { accepted: false, code: 'QUEUE_FULL', log: 'full' }]);
    expect(at.codes(tag)).toEqual(['admitted', 'NOT_ANSWERED', 'NOT_ANSWERED']);
    expect(at.logs(tag)).toEqual(new Array(2).fill('a validator refused it, QUEUE_FULL: full'));
    const next = at.submit(plain('d'), plain('e'));
    say([{ accepted: true }]);
    expect(at.codes(next)).toEqual(['admitted', 'NOT_ANSWERED']);
  });

  it('refuses at once what is more than one message, and says where each by itself may fit', () => {
    const at = rig(FORWARDING);
    const count = handOver(at, ...many(1_001));
    const bytes = handOver(at, new Uint8Array(253_953));
    const two = handOver(at, new Uint8Array(126_976).fill(1), new Uint8Array(126_977).fill(2));
    expect(new Set(at.codes(count))).toEqual(new Set(['TOO_MANY_TOGETHER']));
    expect(at.codes(two)).toEqual(['TOO_MANY_TOGETHER', 'TOO_MANY_TOGETHER']);
    expect(at.codes(bytes)).toEqual(['TOO_LARGE']);
    expect([at.calls().length, at.load]).toEqual([0, 0]);
    at.submit(new Uint8Array(253_952).fill(1));
    expect(at.calls()).toHaveLength(1);
  });

  it('is cut off when it reaches no validator', () => {
    const at = rig({ self: STRANGER, connected: [] });
    at.elapse(5_000);
    const tag = at.submit(plain('one'));
    expect(at.codes(tag)).toEqual(['PARTITIONED']);
    expect(at.logs(tag)[0]).toContain('1 are needed');
  });

  it('whose question is left over says of the validators that it may have been taken', () => {
    const at = rig(FORWARDING);
    const tag = at.submit(plain('one'));
    at.elapse(30_000);
    expect(at.logs(tag)[0]).toMatch(/^no answer of the validators .*it may have been taken$/);
    at.send({ type: 'call.failed', peer: A, tag: 1, reason: 'timeout' });
    expect(at.answers).toHaveLength(1);
  });
});

describe('operations that come within a moment (BR-8, TP-5)', () => {
  const sent = (at: Rig) =>
    at.calls().map(({ message }) => ('operations' in message ? message.operations.length : -1));
  const answerLast = (at: Rig, ...admissions: readonly OperationAdmission[]): void => {
    const last = at.calls().at(-1);
    at.hear(last?.peer ?? A, { kind: 'OperationsAnswered', tag: last?.message.tag ?? 0, admissions });
  };
  const yes = { accepted: true } as const;

  it('go at once when alone, else together in the next message; each asker hears of its own, in its order', () => {
    const at = rig(FORWARDING);
    const first = at.submit(plain('a'));
    const [second, third] = [at.submit(plain('b'), plain('c')), at.submit(plain('d'))];
    expect([sent(at), at.load]).toEqual([[1], 4]);
    answerLast(at, yes);
    at.gather();
    expect(sent(at)).toEqual([1, 3]);
    answerLast(at, yes, { accepted: false, code: 'ALREADY_KNOWN', log: 'x' }, yes);
    expect([first, second, third].map((tag) => at.codes(tag))).toEqual([
      ['admitted'],
      ['admitted', 'ALREADY_KNOWN'],
      ['admitted'],
    ]);
    // What a validator knows is pending too: it may lie low with it.
    expect([at.load, at.answers.length]).toEqual([4, 3]);
  });

  it('however many they are, no validator gets more messages than it takes of one peer', () => {
    const at = rig({ self: STRANGER, connected: [A] });
    for (let ms = 0; ms < 1_000; ms += GATHER_MS) {
      for (let one = 0; one < 5; one += 1) at.submit(plain(`${ms}/${one}`));
      at.gather();
    }
    expect(at.calls().length).toBeLessThanOrEqual(KINDS.SubmitOperations.ratePerSecond);
    expect(sent(at).reduce((sum, count) => sum + count, 0)).toBe(200);
  });

  it.each([
    [[A], 1_000],
    [[A, B], 500],
    [[A, B, C], 334],
  ])(
    'a thousand at once are followed by as long a pause as those in reach need for them (%#, TP-5)',
    (connected, pause) => {
      const at = rig({ self: STRANGER, connected });
      const submitted = { type: 'operations.submitted', replyTo: 'client', tag: 1, client: 'test' } as const;
      const effects = at.send({ ...submitted, transactions: many(1_000) });
      expect(ofKind(effects, 'startTimer')).toMatchObject([{ key: 'gather', delayMs: pause }]);
    },
  );

  it('that are more than one message takes wait for the one after; what finds no place is refused (BR-2)', () => {
    const at = rig({ ...FORWARDING, config: { maxPendingOperations: 1_500 } });
    at.submit(plain('first'));
    at.submit(...many(800));
    at.submit(...many(600).map((_, index) => plain(`u${index}`)));
    const over = at.submit(...many(200).map((_, index) => plain(`v${index}`)));
    expect(at.codes(over)?.every((code) => code === 'QUEUE_FULL')).toBe(true);
    at.gather();
    at.gather();
    expect(sent(at)).toEqual([1, 800, 600]);
  });

  it('that waited so long for a message that no validator could answer in time are refused with certainty, however late the timer', () => {
    for (const late of ['queue.due', 'gather.due'] as const) {
      const at = rig(FORWARDING);
      at.submit(plain('first'));
      const waiting = at.submit(plain('waits'));
      at.now += 1_000;
      const young = at.submit(plain('young'));
      at.now += late === 'queue.due' ? QUEUE_MS - 1_000 : ANSWER_MS - JUDGEMENT_MS - 999;
      at.send({ type: late });
      expect([at.codes(waiting), at.codes(young), at.load]).toEqual([['QUEUE_FULL'], undefined, 2]);
      expect(at.logs(waiting)[0]).toContain('more came than validators take of this node');
      if (late === 'queue.due') at.gather();
      expect(sent(at)).toEqual([1, 1]);
    }
  });

  it('while no validator is in reach are refused, or wait as the configuration says, and are handed over then (BR-10)', () => {
    const waiting = rig({ ...FORWARDING, config: { whenPartitioned: 'queue' } });
    waiting.submit(plain('a'));
    waiting.submit(plain('b'));
    for (const peer of [A, B, C]) waiting.disconnect(peer);
    expect(waiting.reach).toBe('partitioned');
    waiting.gather();
    expect(sent(waiting)).toEqual([1]);
    waiting.connect(B);
    expect(sent(waiting)).toEqual([1, 1]);
    waiting.gather();
    waiting.submit(plain('c'));
    expect(sent(waiting)).toEqual([1, 1, 1]);
    const refusing = rig(FORWARDING);
    refusing.submit(plain('a'));
    const tag = refusing.submit(plain('b'));
    for (const peer of [A, B, C]) refusing.disconnect(peer);
    refusing.gather();
    expect(refusing.codes(tag)).toEqual(['NOT_A_VALIDATOR']);
  });
});

afterAll(() => {
  expect(reach.missing().filter(isOfHandingOver)).toEqual([]);
});
