/** The bridge of a node that is no validator: to whom it hands operations, and what it believes of them. BR-1, BR-8. */
import { afterAll, describe, expect, it } from 'vitest';
import type { OperationAdmission } from '../../../src/protocol/bridge/messages.ts';
import { plain } from '../../protocol/bridge/operations-of.ts';
import { A, B, bridgeReach, C, isOfHandingOver, Rig, type RigOptions, STRANGER } from './bridge.rig.ts';

const reach = bridgeReach();
const rig = (options: RigOptions = {}) => new Rig(reach, options);
const many = (count: number) => Array.from({ length: count }, (_, index) => plain(`t${index}`));
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
    for (let time = 0; time < 6; time += 1) at.submit(plain(`t${time}`));
    const peers = at.calls().map(({ peer }) => peer);
    expect(new Set(peers.slice(0, 3)).size).toBe(3);
    expect(peers.slice(3)).toEqual(peers.slice(0, 3));
  });

  it('passes over a validator whose breaker is open, and one that is gone', () => {
    const at = rig(FORWARDING);
    at.send({ type: 'breaker.changed', peer: A, state: 'open' });
    at.disconnect(B);
    for (let time = 0; time < 3; time += 1) at.submit(plain(`t${time}`));
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
    at.hear(first?.peer ?? A, { ...claim, tag: first?.message.tag ?? 0 });
    expect(at.codes(tag)).toBeUndefined();
    answered(at);
    expect(at.codes(tag)).toEqual(['admitted']);
    at.hear(second?.peer ?? A, claim);
    expect(at.answers).toHaveLength(1);
  });

  it('takes no nonsense of a validator: too few, too many, a refusal with the yes of the application, unknown words', () => {
    const at = rig(FORWARDING);
    const tag = at.submit(plain('a'), plain('b'), plain('c'), plain('d'));
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
    const tag = at.submit(plain('a'), plain('b'), plain('c'));
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
    const count = at.submit(...many(1_001));
    const bytes = at.submit(new Uint8Array(253_953));
    const two = at.submit(new Uint8Array(126_976).fill(1), new Uint8Array(126_977).fill(2));
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

afterAll(() => {
  expect(reach.missing().filter(isOfHandingOver)).toEqual([]);
});
