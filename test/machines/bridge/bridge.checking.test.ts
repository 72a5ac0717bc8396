/** The own application of a node that is no validator judges first what the node would hand over. BR-1, BR-2, BR-8, ADR 0010. */
import { afterAll, describe, expect, it } from 'vitest';
import { ANSWER_MS, HANDED_TO_MAX, JUDGEMENT_MS, OWN_CHECK_MS } from '../../../src/protocol/bridge/times.ts';
import { GENESIS_HEIGHT } from '../../../src/protocol/chain/ordinals.ts';
import type { CheckResult } from '../../../src/protocol/ports/application.ts';
import { DUPLICATE_CODE, NODE_CODESPACE } from '../../../src/protocol/ports/execution.ts';
import type { SyncStatus } from '../../../src/protocol/sync/types.ts';
import { ended, idOfOperation, operation, plain, stateAfter } from '../../protocol/bridge/operations-of.ts';
import { height } from '../../protocol/consensus/fixture.ts';
import { ofKind } from '../reach.ts';
import { A, B, bridgeReach, C, isOfChecking, Rig, type RigOptions, SELF, STRANGER } from './bridge.rig.ts';

const reach = bridgeReach();
const IN_SYNC: SyncStatus = { kind: 'InSync' };

/** A node without a vote that is level with the chain: its application executed block 1. */
function level(options: RigOptions = {}, status: SyncStatus = IN_SYNC): Rig {
  const at = new Rig(reach, { self: STRANGER, connected: [A, B, C], ...options });
  at.send({ type: 'sync.statusChanged', status, forkProved: false });
  at.commitAt(1);
  at.execute(stateAfter(1));
  return at;
}

const YES: CheckResult = { code: 0, log: '', codespace: 'app', priority: 0n };
const NO: CheckResult = { ...YES, code: 2, log: 'malformed' };

const checks = (at: Rig): readonly { readonly tag: number; readonly transactions: readonly Uint8Array[] }[] =>
  at.toExecutor.flatMap((message) =>
    message.type === 'check.requested' && 'tag' in message && 'transactions' in message
      ? [{ tag: Number(message['tag']), transactions: message['transactions'] as readonly Uint8Array[] }]
      : [],
  );
const lastCheck = (at: Rig): number => checks(at).at(-1)?.tag ?? -1;
/** By the newest state, unless said otherwise. */
const say = (
  at: Rig,
  results: readonly CheckResult[],
  tag = lastCheck(at),
  height = at.context.recent[0]?.height ?? GENESIS_HEIGHT,
): void => {
  at.send({ type: 'check.answered', tag, results, height });
};
const late = (at: Rig, tag = lastCheck(at)): void => {
  at.now += OWN_CHECK_MS;
  at.send({ type: 'check.overdue', tag });
};
const handed = (at: Rig) =>
  at.calls().map(({ message }) => ('operations' in message ? message.operations : []));
const failAt = (at: Rig, now: number): void => {
  const last = at.calls().at(-1);
  if (last === undefined) throw new Error('nothing was handed over');
  at.now = now;
  at.send({ type: 'call.failed', peer: last.peer, tag: last.message.tag, reason: 'timeout' });
};
const admitAll = (at: Rig): void => {
  const last = at.calls().at(-1);
  if (last === undefined || !('operations' in last.message)) throw new Error('nothing was handed over');
  const admissions = last.message.operations.map(() => ({ accepted: true }) as const);
  at.hear(last.peer, { kind: 'OperationsAnswered', tag: last.message.tag, admissions });
};

describe('a node without a vote asks its own application first (BR-8)', () => {
  it('and tells nothing as expired that a block carried since, while it was checked or waited for a message, whoever says that he took it', () => {
    const carried = operation('carried', 40);
    for (const isChecked of [false, true]) {
      const at = level();
      at.submit(plain('first'));
      say(at, [YES]);
      admitAll(at);
      at.submit(carried);
      if (!isChecked) at.execute(stateAfter(2), ended(carried));
      say(at, [YES], lastCheck(at), height(1));
      if (isChecked) at.execute(stateAfter(2), ended(carried));
      at.gather();
      expect(handed(at)).toEqual([[plain('first')], [carried]]);
      admitAll(at);
      expect([at.load, at.context.operations.counts.committed]).toEqual([1, 1]);
      for (let block = 3; block <= 40; block += 1) at.execute(stateAfter(block));
      expect(at.expired()).toEqual([]);
    }
  });

  it('and tells as expired only what that let through: else who took it may lie, and it may have been executed long ago (ADR 0009)', () => {
    for (const [answer, ends] of [
      [(at: Rig) => say(at, [YES]), [[idOfOperation(operation('old', 40))], 0]],
      [(at: Rig) => late(at), [[], 1]],
      [(at: Rig) => say(at, []), [[], 1]],
    ] as const) {
      const at = level();
      at.submit(operation('old', 40));
      answer(at);
      admitAll(at);
      for (let block = 2; block <= 40; block += 1) at.execute(stateAfter(block));
      expect([at.expired(), at.context.counts.forgotten]).toEqual(ends);
    }
  });

  it('refuses what that refuses, with its code and words, and no validator hears of it', () => {
    const at = level();
    const tag = at.submit(plain('bad'));
    expect([checks(at).at(-1)?.transactions, at.calls(), at.load]).toEqual([[plain('bad')], [], 1]);
    say(at, [NO]);
    expect(at.answers.at(-1)?.admissions).toMatchObject([
      { status: 'refused', code: 'CHECK_FAILED', applicationCode: 2, log: 'malformed' },
    ]);
    expect([at.codes(tag), at.calls(), at.load]).toEqual([['CHECK_FAILED'], [], 0]);
    const { submitted, rejected } = at.context.operations.counts;
    expect([submitted, rejected]).toEqual([1, 1]);
    say(at, [NO]);
    expect(at.answers).toHaveLength(1);
  });

  it('hands over the rest of a submission, and answers all of it once, in its order (BR-1)', () => {
    const at = level();
    const tag = at.submit(plain('a'), plain('bad'), plain('c'), operation('too late', 9_999));
    say(at, [YES, NO, YES]);
    expect(handed(at)).toEqual([[plain('a'), plain('c')]]);
    expect(at.codes(tag)).toBeUndefined();
    admitAll(at);
    expect(at.codes(tag)).toEqual(['admitted', 'CHECK_FAILED', 'admitted', 'EXPIRES_TOO_LATE']);
    expect([at.answers.length, at.load]).toEqual([1, 2]);
  });

  it('knows what was executed before, as a validator does', () => {
    const at = level();
    const tag = at.submit(plain('again'));
    say(at, [{ ...YES, code: DUPLICATE_CODE, codespace: NODE_CODESPACE, log: 'was committed before' }]);
    expect([at.codes(tag), at.calls()]).toEqual([['ALREADY_KNOWN'], []]);
  });

  it('is not stricter than validators: what follows a pending one of its sender is theirs to weigh', () => {
    const at = level();
    at.submit(plain('nonce 6'));
    const sender = { id: 's', sequence: 6n, next: 5n, cost: 1n, funds: 1n };
    say(at, [{ ...YES, sender }]);
    expect(handed(at)).toEqual([[plain('nonce 6')]]);
  });

  it('gives no end to what validators have already: sent again, it is handed over whatever a later state says of it', () => {
    const at = level();
    at.submit(plain('a'));
    say(at, [YES]);
    admitAll(at);
    at.gather();
    at.submit(plain('a'));
    say(at, [NO]);
    expect(handed(at)).toEqual([[plain('a')], [plain('a')]]);
  });

  it('gives no end to what a validator may have: sent again while the first is not answered, it is handed over too', () => {
    const at = level();
    const tags = [at.submit(plain('a'))];
    say(at, [YES]);
    at.gather();
    tags.push(at.submit(plain('a'), plain('bad')));
    say(at, [NO, NO]);
    expect(handed(at)).toEqual([[plain('a')], [plain('a')]]);
    admitAll(at);
    expect(tags.map((tag) => at.codes(tag))).toEqual([undefined, ['admitted', 'CHECK_FAILED']]);
  });

  it('gives no end to what a validator has just refused: that was its word alone, and it has the bytes', () => {
    const at = level();
    at.submit(plain('a'));
    say(at, [YES]);
    const [first] = at.calls();
    if (first === undefined) throw new Error('nothing was handed over');
    const refusal = { accepted: false, code: 'CHECK_FAILED', log: '', applicationCode: 1 } as const;
    at.hear(first.peer, { kind: 'OperationsAnswered', tag: first.message.tag, admissions: [refusal] });
    at.gather();
    at.now = ANSWER_MS;
    at.submit(plain('a'));
    say(at, [NO]);
    expect(handed(at)).toEqual([[plain('a')], [plain('a')]]);
  });

  it('remembers what was handed over for no longer than two answers take', () => {
    const at = level();
    for (const name of ['a', 'b', 'c']) {
      at.submit(plain(name));
      say(at, [YES]);
      at.gather();
      at.now += ANSWER_MS + 1;
    }
    const tag = at.submit(plain('a'));
    say(at, [NO]);
    expect(at.codes(tag)).toEqual(['CHECK_FAILED']);
  });

  it('knows what was executed also while validators have not answered', () => {
    const at = level();
    at.submit(plain('a'));
    say(at, [YES]);
    const tag = at.submit(plain('a'));
    say(at, [{ ...YES, code: DUPLICATE_CODE, codespace: NODE_CODESPACE }]);
    expect([at.codes(tag), handed(at)]).toEqual([['ALREADY_KNOWN'], [[plain('a')]]]);
  });

  it('gives no end to what was let through and waits for its message', () => {
    const at = level();
    at.submit(plain('first'));
    say(at, [YES]);
    at.submit(plain('a'), plain('bad'));
    say(at, [YES, NO]);
    at.submit(plain('a'));
    say(at, [NO]);
    const tag = at.submit(plain('bad'));
    say(at, [NO]);
    expect(at.codes(tag)).toEqual(['CHECK_FAILED']);
    at.gather();
    expect(handed(at)).toEqual([[plain('first')], [plain('a'), plain('a')]]);
  });

  it('hands over what nobody judged: the check threw, or gave no result', () => {
    const at = level();
    at.submit(plain('a'), plain('b'));
    say(at, [{ ...YES, code: 1, codespace: NODE_CODESPACE, log: 'checkTx threw' }]);
    expect(handed(at)).toEqual([[plain('a'), plain('b')]]);
  });

  it('hands over what was judged by a state of before: the application starts over, and replays what it had executed', () => {
    const at = level();
    for (const next of [2, 3, 4]) {
      at.commitAt(next);
      at.execute(stateAfter(next));
    }
    const tags = [at.submit(plain('a')), at.submit(plain('b'))];
    const [first, second] = checks(at);
    say(at, [NO], first?.tag, height(1));
    expect(handed(at)).toEqual([[plain('a')]]);
    say(at, [NO], second?.tag, height(2));
    expect(tags.map((tag) => at.codes(tag))).toEqual([undefined, ['CHECK_FAILED']]);
  });

  it('judges nothing beyond what one message takes, and nothing while no validator can be asked', () => {
    const at = level();
    at.submit(new Uint8Array(253_953));
    for (const peer of [A, B, C]) at.send({ type: 'breaker.changed', peer, state: 'open' });
    const tag = at.submit(plain('a'));
    expect([at.codes(tag), checks(at)]).toEqual([['NOT_A_VALIDATOR'], []]);
  });
});

describe('the own application is not waited for (BR-8, "Times")', () => {
  it('beyond what leaves three judgements; then it is asked nothing more until it answers', () => {
    const at = level();
    const tag = at.submit(plain('a'));
    late(at);
    expect(handed(at)).toEqual([[plain('a')]]);
    expect(at.now + HANDED_TO_MAX * JUDGEMENT_MS).toBeLessThanOrEqual(ANSWER_MS);
    at.gather();
    at.submit(plain('b'));
    expect([handed(at).length, checks(at).length]).toEqual([2, 1]);
    // Too late for its operation, which validators have; in time for the next.
    say(at, [NO]);
    expect(at.codes(tag)).toBeUndefined();
    at.gather();
    at.submit(plain('c'));
    expect(checks(at)).toHaveLength(2);
  });

  it('for good, where its answer is lost: the next cleanup asks it again', () => {
    const at = level();
    at.submit(plain('a'));
    late(at);
    at.elapse(30_000);
    at.submit(plain('b'));
    expect(checks(at)).toHaveLength(2);
  });

  it.each([
    ['refuses it', NO],
    ['lets it through', YES],
  ])('once it has answered: its time is over where it %s', (_, result) => {
    const at = level();
    at.submit(plain('a'));
    const tag = lastCheck(at);
    const effects = at.send({ type: 'check.answered', tag, results: [result], height: height(1) });
    expect(ofKind(effects, 'cancelTimer').map(({ key }) => key)).toContain(`check-${tag}`);
  });

  it('when it failed: what it was asked is handed over at once', () => {
    const at = level();
    at.submit(plain('a'));
    at.send({ type: 'execution.failed', tag: 0, code: 'APPLICATION_FAILED', detail: 'gone' });
    expect(handed(at)).toEqual([]);
    at.send({ type: 'execution.failed', tag: lastCheck(at), code: 'APPLICATION_FAILED', detail: 'gone' });
    expect(handed(at)).toEqual([[plain('a')]]);
  });

  it.each([
    ['network-sync has not said where the chain is', undefined],
    ['the chain is far ahead', { kind: 'MediumGap', gap: 20 }],
    ['nobody says where the chain is', { kind: 'Unknown', reason: 'nobody answers' }],
  ] satisfies [string, SyncStatus | undefined][])('while %s', (_, status) => {
    const at = new Rig(reach, { self: STRANGER, connected: [A, B, C] });
    if (status !== undefined) at.send({ type: 'sync.statusChanged', status, forkProved: false });
    at.execute(stateAfter(1));
    at.submit(plain('a'));
    expect([handed(at), checks(at)]).toEqual([[[plain('a')]], []]);
  });

  it('while it has executed nothing, or is more than two blocks behind what is committed', () => {
    const fresh = new Rig(reach, { self: STRANGER, connected: [A, B, C] });
    fresh.send({ type: 'sync.statusChanged', status: IN_SYNC, forkProved: false });
    fresh.submit(plain('a'));
    const behind = level({}, { kind: 'SmallGap', gap: 1 });
    behind.commitAt(4);
    behind.submit(plain('a'));
    expect([checks(fresh), checks(behind)]).toEqual([[], []]);
    behind.execute(stateAfter(2));
    behind.gather();
    behind.submit(plain('b'));
    expect(checks(behind)).toHaveLength(1);
  });

  it('once a validator has it: what was handed over unjudged is handed on unjudged', () => {
    const at = new Rig(reach, { self: STRANGER, connected: [A, B, C] });
    at.submit(plain('a'));
    at.send({ type: 'sync.statusChanged', status: IN_SYNC, forkProved: false });
    at.execute(stateAfter(1));
    failAt(at, JUDGEMENT_MS);
    expect([handed(at).length, checks(at)]).toEqual([2, []]);
  });

  it('by a validator: its mempool asks', () => {
    const at = level({ self: SELF, connected: [A, B] });
    at.submit(plain('a'));
    expect([checks(at), at.toMempool.length]).toEqual([[], 1]);
  });
});

describe('what the own application lets through (BR-2, BR-8)', () => {
  it('is gathered as ever, however many are judged at once; each asker hears of its own, in its order', () => {
    const at = level();
    const tags = ['a', 'b', 'c'].map((name) => at.submit(plain(name), plain(`bad ${name}`)));
    for (const { tag } of checks(at)) say(at, [YES, NO], tag);
    expect(handed(at)).toEqual([[plain('a')]]);
    expect(at.load).toBe(3);
    admitAll(at);
    at.gather();
    expect(handed(at).slice(1)).toEqual([[plain('b'), plain('c')]]);
    admitAll(at);
    expect(tags.map((tag) => at.codes(tag))).toEqual(tags.map(() => ['admitted', 'CHECK_FAILED']));
    const { submitted, rejected } = at.context.operations.counts;
    expect([at.load, checks(at).length, submitted, rejected]).toEqual([3, 3, 6, 3]);
  });

  it('is answered in time though its check took longer than that of what came later', () => {
    const at = level();
    at.submit(plain('first'));
    say(at, [YES]);
    const old = at.submit(plain('old'));
    const tag = lastCheck(at);
    at.now = 200;
    const young = at.submit(plain('young'));
    say(at, [YES]);
    say(at, [YES], tag);
    at.gather();
    expect(handed(at).at(-1)).toEqual([plain('young'), plain('old')]);
    failAt(at, 2_900);
    expect(handed(at)).toHaveLength(3);
    // The young one alone could have waited for a third.
    failAt(at, ANSWER_MS - JUDGEMENT_MS + 100);
    expect([handed(at).length, at.codes(old), at.codes(young)]).toEqual([
      3,
      ['NOT_ANSWERED'],
      ['NOT_ANSWERED'],
    ]);
  });

  it('has its places from the beginning, those that wait included: beyond, QUEUE_FULL', () => {
    const at = level({ config: { maxPendingOperations: 4 } });
    at.submit(plain('a'));
    say(at, [YES]);
    const waits = at.submit(plain('b'), plain('c'));
    say(at, [YES, YES]);
    const over = at.submit(plain('d'), plain('e'));
    expect([at.load, at.codes(over)]).toEqual([4, undefined]);
    say(at, [NO]);
    expect([at.load, at.codes(over), at.codes(waits)]).toEqual([
      3,
      ['CHECK_FAILED', 'QUEUE_FULL'],
      undefined,
    ]);
  });

  it('is asked about once: what waited unjudged, for a validator to come in reach, is judged before its message', () => {
    const at = level({ config: { whenPartitioned: 'queue' } });
    for (const peer of [A, B, C]) at.disconnect(peer);
    const tags = [at.submit(plain('a')), at.submit(plain('bad'))];
    expect([at.reach, checks(at)]).toEqual(['partitioned', []]);
    at.connect(B);
    expect([checks(at).map(({ transactions }) => transactions), handed(at)]).toEqual([
      [[plain('a'), plain('bad')]],
      [],
    ]);
    say(at, [YES, NO]);
    at.gather();
    expect([checks(at).length, handed(at)]).toEqual([1, [[plain('a')]]]);
    admitAll(at);
    expect(tags.map((tag) => at.codes(tag))).toEqual([['admitted'], ['CHECK_FAILED']]);
  });

  it('waits for the end of a partition that began meanwhile; what is too late then is refused with certainty (BR-10)', () => {
    const at = level({ config: { whenPartitioned: 'queue' } });
    const tag = at.submit(plain('a'), plain('bad'));
    for (const peer of [A, B, C]) at.disconnect(peer);
    say(at, [YES, NO]);
    expect([at.codes(tag), at.load]).toEqual([undefined, 1]);
    at.now += ANSWER_MS;
    at.send({ type: 'queue.due' });
    expect([at.codes(tag), at.load]).toEqual([['PARTITIONED', 'CHECK_FAILED'], 0]);
  });

  it('of another node is judged too, and answered to that node', () => {
    const at = level();
    at.hear(A, { kind: 'SubmitOperations', tag: 7, operations: [plain('bad'), plain('a')] });
    say(at, [NO, YES]);
    admitAll(at);
    expect(at.sent().at(-1)?.message).toMatchObject({
      kind: 'OperationsAnswered',
      tag: 7,
      admissions: [{ accepted: false, code: 'CHECK_FAILED', applicationCode: 2 }, { accepted: true }],
    });
  });
});

it('network-sync is asked where the chain is at the start and at each cleanup, for it may have been started anew; by no validator', () => {
  const question = { type: 'sync.statusRequested', replyTo: 'bridge' };
  const full = level();
  expect(full.toNetworkSync).toEqual([question]);
  full.elapse(30_000);
  expect(full.toNetworkSync).toEqual([question, question]);
  const validator = level({ self: SELF });
  validator.elapse(30_000);
  expect(validator.toNetworkSync).toEqual([]);
});

afterAll(() => {
  expect(reach.missing().filter(isOfChecking)).toEqual([]);
});
