/** The bridge chart: operations of cells and peers, their ends, and what it shows. BR-1, BR-2, BR-9, BR-10. */
import { afterAll, describe, expect, it } from 'vitest';
import { getStats, isConsensusHealthy } from '../../../src/machines/bridge/bridge.setup.ts';
import { ADMISSION_LOG_BYTES_MAX } from '../../../src/protocol/bridge/messages.ts';
import { ANSWER_MS, JUDGEMENT_MS, QUEUE_GRAIN_MS, QUEUE_MS } from '../../../src/protocol/bridge/times.ts';
import { transactionHashOf } from '../../../src/protocol/chain/batch.ts';
import { validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import type { EpochBegan } from '../../../src/protocol/ports/consensus.ts';
import type { Admission } from '../../../src/protocol/ports/mempool.ts';
import {
  committedAt,
  ended,
  idOfOperation,
  operation,
  plain,
  stateAfter,
} from '../../protocol/bridge/operations-of.ts';
import { height, present, round, world } from '../../protocol/consensus/fixture.ts';
import { ofKind } from '../reach.ts';
import {
  A,
  B,
  bridgeReach,
  C,
  isOfChecking,
  isOfHandingOver,
  isOfSharing,
  place,
  Rig,
  type RigOptions,
  STRANGER,
} from './bridge.rig.ts';

const reach = bridgeReach();
const rig = (options: RigOptions = {}) => new Rig(reach, options);
const many = (count: number, prefix = 't') =>
  Array.from({ length: count }, (_, index) => plain(`${prefix}${index}`));
const refused = (
  transaction: Uint8Array,
  code: 'MEMPOOL_FULL' | 'ALREADY_KNOWN',
  log = 'why',
): Admission => ({
  status: 'refused',
  hash: transactionHashOf(transaction),
  code,
  log,
});
const FORWARDING = { self: STRANGER, connected: [A, B, C] } as const;

describe('a submission (BR-1)', () => {
  it('is asked of the mempool, and answered once with an admission for each, in order', () => {
    const at = rig();
    const [one, two] = [plain('one'), plain('two')];
    const tag = at.submit(one, two);
    expect(at.asked().transactions).toEqual([one, two]);
    expect(at.toMempool).toMatchObject([{ replyTo: 'bridge', client: 'test' }]);
    at.judge({ 0: refused(one, 'MEMPOOL_FULL') });
    expect(at.codes(tag)).toEqual(['MEMPOOL_FULL', 'admitted']);
    expect(at.context.operations.pending.size).toBe(1);
    at.judge();
    expect(at.answers).toHaveLength(1);
    expect(at.load).toBe(1);
  });

  it('of nothing is answered with nothing, and holds nothing', () => {
    const at = rig();
    expect(at.codes(at.submit())).toEqual([]);
    expect([at.toMempool.length, at.load]).toEqual([0, 0]);
  });

  it('is answered at once where all of it is refused at the door', () => {
    const at = rig();
    at.commitAt(100);
    expect(at.codes(at.submit(operation('soon', 100), operation('late', 151)))).toEqual([
      'EXPIRES_TOO_SOON',
      'EXPIRES_TOO_LATE',
    ]);
    expect(at.toMempool).toEqual([]);
    expect(at.context.operations.counts.rejected).toBe(2);
  });

  it('is partly refused at the door, partly by the mempool, each in its place', () => {
    const at = rig();
    at.commitAt(100);
    const parts = [operation('soon', 1), plain('known'), plain('fine'), operation('late', 999)];
    const tag = at.submit(...parts);
    expect(at.asked().transactions).toEqual([parts[1], parts[2]]);
    at.judge({ 0: refused(plain('known'), 'ALREADY_KNOWN') });
    expect(at.codes(tag)).toEqual(['EXPIRES_TOO_SOON', 'ALREADY_KNOWN', 'admitted', 'EXPIRES_TOO_LATE']);
  });

  it('waits until storage has said how far the chain is, and is judged by that: also right after a restart (EX-7)', () => {
    const at = rig({ knowsHeight: false });
    const tag = at.submit(operation('far', 5_000), operation('passed', 3_999), operation('fine', 4_050));
    at.hear(STRANGER, { kind: 'SubmitOperations', tag: 9, operations: [operation('strange', 4_050)] });
    expect([at.toMempool.length, at.answers.length, at.load]).toEqual([0, 0, 4]);
    expect(at.toStorage).toMatchObject([{ type: 'tip.requested', replyTo: 'bridge' }]);
    at.findTip(4_000);
    expect(at.questions().map(({ transactions }) => transactions)).toEqual([
      [operation('fine', 4_050)],
      [operation('strange', 4_050)],
    ]);
    at.judge({}, at.questions()[0]?.tag);
    expect(at.codes(tag)).toEqual(['EXPIRES_TOO_LATE', 'EXPIRES_TOO_SOON', 'admitted']);
    at.commitAt(3_999);
    expect(at.context.committedHeight).toBe(4_000);
  });

  it('waits no longer than for a commit, and storage that fails is asked again', () => {
    const at = rig({ knowsHeight: false });
    at.submit(operation('one', 120));
    at.send({
      type: 'storage.failed',
      tag: 0,
      request: 'tip.requested',
      code: 'BUSY',
      detail: 'a write is going on',
    });
    at.send({ type: 'height.due' });
    expect(at.toStorage).toHaveLength(2);
    at.commitAt(100);
    expect(at.asked().transactions).toEqual([operation('one', 120)]);
  });

  it('is taken while the others are still given their time to connect', () => {
    const at = rig({ knowsHeight: false, connected: [A] });
    at.submit(plain('one'));
    at.findTip(7);
    expect([at.reach, at.asked().transactions]).toEqual(['connecting', [plain('one')]]);
  });

  it('waits on while this node is cut off, and is taken when it is no more', () => {
    const at = rig({ knowsHeight: false, connected: [A] });
    at.submit(plain('one'));
    at.elapse(5_000);
    at.findTip(7);
    expect([at.reach, at.toMempool.length]).toEqual(['partitioned', 0]);
    at.connect(B);
    expect(at.asked().transactions).toEqual([plain('one')]);
  });

  it('uses no tag that an earlier life used at a million submissions a second', () => {
    const first = rig({ from: 1_000 });
    for (let time = 0; time < 900; time += 1) first.submit(plain(`t${time}`));
    const second = rig({ from: 1_001 });
    second.submit(plain('x'));
    expect(second.asked().tag).toBeGreaterThan(first.asked().tag);
  });
});

describe('the bound of pending operations (BR-2)', () => {
  const full = { config: { maxPendingOperations: 3 } };

  it('leaves half of the places to own clients, however much strangers hand over', () => {
    const at = rig({ config: { maxPendingOperations: 4 } });
    at.hear(STRANGER, { kind: 'SubmitOperations', tag: 9, operations: many(4) });
    expect(at.asked().transactions).toHaveLength(2);
    at.judge();
    const tag = at.submit(plain('own'), plain('too'), plain('much'));
    at.judge();
    expect(at.codes(tag)).toEqual(['admitted', 'admitted', 'QUEUE_FULL']);
  });

  it('takes exactly as many as have a place: Queue full for the rest', () => {
    const at = rig(full);
    const tag = at.submit(...many(5));
    expect(at.asked().transactions).toHaveLength(3);
    expect(at.chart.snapshot.value.places).toBe('full');
    at.judge();
    expect(at.codes(tag)).toEqual(['admitted', 'admitted', 'admitted', 'QUEUE_FULL', 'QUEUE_FULL']);
    const next = at.submit(plain('next'));
    expect(at.codes(next)).toEqual(['QUEUE_FULL']);
    expect(at.logs(next)[0]).toMatch(/^Queue full: 3 operations are pending/);
    expect(isConsensusHealthy(at.context)).toBe(false);
  });

  it('is free again by refusals, by commits and by expiry', () => {
    const at = rig(full);
    const three = [plain('a'), operation('b', 2), plain('c')];
    at.submit(...three);
    at.judge({ 0: refused(plain('a'), 'MEMPOOL_FULL') });
    expect(at.chart.snapshot.value.places).toBe('free');
    at.execute(stateAfter(1), ended(plain('c')));
    expect(at.load).toBe(1);
    at.execute(stateAfter(2));
    expect(at.load).toBe(0);
    expect(at.expired()).toEqual([idOfOperation(operation('b', 2))]);
    expect(isConsensusHealthy(at.context)).toBe(true);
  });

  it('counts what is refused for its height as no place', () => {
    const at = rig(full);
    at.commitAt(100);
    const tag = at.submit(...many(2), operation('soon', 1), plain('last'));
    at.judge();
    expect(at.codes(tag)).toEqual(['admitted', 'admitted', 'EXPIRES_TOO_SOON', 'admitted']);
  });
});

describe('a mempool that fails', () => {
  it('and forgets the question is answered for after the cleanup interval: it may have been taken', () => {
    const at = rig();
    const tag = at.submit(plain('one'));
    at.now += 1;
    at.elapse(30_000);
    expect(at.codes(tag)).toEqual(['NOT_ANSWERED']);
    expect(at.logs(tag)).toEqual(['the mempool did not answer: it may have been taken']);
    expect([at.load, at.context.counts.unanswered]).toEqual([0, 1]);
    at.judge();
    expect([at.answers.length, at.load]).toEqual([1, 0]);
  });

  it('is not given up before that', () => {
    const at = rig();
    at.now = 1;
    const tag = at.submit(plain('one'));
    at.now = 0;
    at.elapse(30_000);
    expect(at.codes(tag)).toBeUndefined();
  });

  it('and judges too few leaves the rest unanswered, and no place taken', () => {
    const at = rig();
    const [one, two] = [plain('one'), plain('two')];
    const tag = at.submit(one, two);
    const admissions: Admission[] = [{ status: 'admitted', hash: idOfOperation(one) }];
    at.send({ type: 'transactions.admitted', tag: at.asked().tag, admissions });
    expect(at.codes(tag)).toEqual(['admitted', 'NOT_ANSWERED']);
    expect(at.load).toBe(1);
  });

  it('and judges others than was asked admits nothing of this submission', () => {
    const at = rig();
    const tag = at.submit(plain('one'));
    const admissions: Admission[] = [{ status: 'admitted', hash: idOfOperation(plain('other')) }];
    at.send({ type: 'transactions.admitted', tag: at.asked().tag, admissions });
    expect(at.codes(tag)).toEqual(['NOT_ANSWERED']);
    expect(at.load).toBe(0);
  });

  it('makes an operation overdue after the consensus timeout, which is shown and ends nothing (BR-2)', () => {
    const at = rig();
    at.submit(plain('one'));
    at.judge();
    at.now += 1;
    at.elapse(30_000);
    expect([at.context.overdue, at.load, at.expired().length]).toEqual([1, 1, 0]);
  });
});

describe('the ends (BR-1, EX-7)', () => {
  it('of operations whose batch can no more be committed are told to the listeners once', () => {
    const at = rig();
    at.submit(plain('one'), operation('two', 40));
    at.judge();
    const hashes = [plain('one'), operation('two', 40), plain('foreign')].map(idOfOperation);
    const message = { type: 'transactions.expired', hashes, height: height(9) } as const;
    at.send(message);
    at.send(message);
    expect(at.toListener).toEqual([
      { type: 'operations.expired', ids: [idOfOperation(plain('one'))], height: 9 },
    ]);
    expect(at.load).toBe(1);
  });

  it('of what was executed before its admission came is committed: never expired', () => {
    const at = rig();
    const one = operation('one', 5);
    at.submit(one);
    at.execute(stateAfter(1), ended(one));
    at.execute(stateAfter(2));
    at.judge();
    expect([at.load, at.context.operations.counts.committed]).toEqual([0, 1]);
    at.executeTo(3, 6);
    expect(at.expired()).toEqual([]);
  });

  it('after a block that this cell was not told of are forgotten, not told as expired', () => {
    const at = rig();
    at.submit(operation('pending', 5));
    at.judge();
    const tag = at.submit(operation('asked', 5));
    at.executeTo(1, 2);
    at.executeTo(4, 6);
    at.judge();
    at.executeTo(7, 8);
    expect(at.expired()).toEqual([]);
    expect(at.codes(tag)).toEqual(['admitted']);
    expect([at.load, at.context.counts.forgotten]).toEqual([0, 2]);
  });

  it('are not forgotten where an application is replayed', () => {
    const at = rig();
    at.executeTo(1, 5);
    at.submit(operation('one', 40));
    at.judge();
    at.send({ type: 'execution.failed', tag: 0, code: 'APPLICATION_FAILED', detail: 'it threw' });
    at.executeTo(3, 7);
    expect([at.load, at.context.counts.forgotten]).toEqual([1, 0]);
  });

  it('of what names no height and nobody tells of leave after two lives of a batch, forgotten', () => {
    const at = rig();
    at.commitAt(1);
    at.submit(plain('one'));
    at.judge();
    at.executeTo(1, 20);
    expect(at.load).toBe(1);
    at.executeTo(21, 21);
    expect([at.load, at.context.counts.forgotten, at.expired().length]).toEqual([0, 1, 0]);
  });
});

describe('a partition (BR-10)', () => {
  it('at the start is given its time: operations are taken meanwhile', () => {
    const at = rig({ connected: [A] });
    expect(at.reach).toBe('connecting');
    at.submit(plain('one'));
    at.hear(B, { kind: 'SubmitOperations', tag: 1, operations: [plain('x')] });
    expect(at.questions()).toHaveLength(2);
    at.elapse(5_000);
    expect(at.reach).toBe('partitioned');
    const tag = at.submit(plain('two'));
    expect(at.codes(tag)).toEqual(['PARTITIONED']);
    expect(at.logs(tag)).toEqual([
      'unreachable: validators with power 2 of 4 can be reached, 3 are needed; try again later',
    ]);
  });

  it('by the loss of the power refuses cells and peers at once, and heals with the power', () => {
    const at = rig();
    expect(at.reach).toBe('connected');
    at.now = 1_000;
    at.disconnect(A);
    expect(at.reach).toBe('partitioned');
    expect(at.toBreakers).toContainEqual({ peer: A, message: { type: 'peer.failed' } });
    at.hear(B, { kind: 'SubmitOperations', tag: 3, operations: [plain('x')] });
    const log = 'unreachable: validators with power 2 of 4 can be reached, 3 are needed; try again later';
    expect(at.sent().at(-1)).toEqual({
      to: [B],
      message: {
        kind: 'OperationsAnswered',
        tag: 3,
        admissions: [{ accepted: false, code: 'PARTITIONED', log }],
      },
    });
    at.now = 4_000;
    at.connect(C);
    expect(at.reach).toBe('connected');
    expect([at.context.healedAfter, at.context.counts.partitions]).toEqual([3_000, 1]);
    at.submit(plain('y'));
    expect(at.questions()).toHaveLength(1);
  });

  it('of rounds that fail without a commit is told as such, and heals with the first commit', () => {
    const at = rig();
    for (let failed = 1; failed <= 4; failed += 1) {
      at.now = failed * 2_000;
      at.failRound(failed);
    }
    expect(at.reach).toBe('partitioned');
    expect(at.logs(at.submit(plain('one')))).toEqual([
      'stalled: 4 rounds failed since the newest commit; see `althing rounds`; try again later',
    ]);
    at.commitAt(1);
    expect(at.reach).toBe('connected');
    expect(at.context.failedRounds).toBe(0);
  });

  it('of a round that no quorum gives up is told after the timeout: links may stand, and carry nothing', () => {
    const at = rig();
    const overdue = (value: number) => at.send({ type: 'round.overdue', round: round(value) });
    at.now = 1_000;
    expect(ofKind(overdue(1), 'startTimer')).toMatchObject([{ key: 'partition', delayMs: 5_000 }]);
    expect(overdue(2)).toEqual([]);
    at.now = 6_000;
    at.send({ type: 'partition.due' });
    expect(at.reach).toBe('partitioned');
    expect(at.logs(at.submit(plain('one')))).toEqual([
      'silent: the time of the present round is over, and no quorum says so; try again later',
    ]);
    at.failRound(1);
    expect(at.reach).toBe('connected');
  });

  it('is none where the overdue round was given up, or a block committed, before the timeout', () => {
    for (const move of [(at: Rig) => at.failRound(1), (at: Rig) => at.commitAt(1)]) {
      const at = rig();
      at.send({ type: 'round.overdue', round: round(1) });
      move(at);
      at.now = 5_000;
      at.send({ type: 'partition.due' });
      expect(at.reach).toBe('connected');
    }
  });

  it('is none where rounds fail and blocks are committed', () => {
    const at = rig();
    for (let failed = 1; failed <= 9; failed += 1) {
      at.now = failed * 2_000;
      at.failRound(failed);
      at.commitAt(failed);
    }
    expect(at.context.counts.partitions).toBe(0);
  });

  it('of a stranger that leaves is none, and no breaker hears of it', () => {
    const at = rig();
    at.connect(STRANGER);
    at.disconnect(STRANGER);
    expect(at.reach).toBe('connected');
    expect(at.toBreakers).toEqual([]);
  });
});

it.each([
  ['connecting', []],
  ['connected', [A, B]],
] as const)('a state that is not the chain’s refuses operations while %s (BR-4)', (state, connected) => {
  const at = rig({ connected });
  expect(at.reach).toBe(state);
  at.execute(stateAfter(5));
  at.commit(committedAt(7, stateAfter(5, 'otherwise')));
  expect(at.codes(at.submit(plain('one')))).toEqual(['STATE_DIVERGED']);
  at.hear(B, { kind: 'SubmitOperations', tag: 1, operations: [plain('x')] });
  expect(at.sent().at(-1)?.message).toMatchObject({ admissions: [{ code: 'STATE_DIVERGED' }] });
});

describe('the queue of a partition (BR-10)', () => {
  const queueing = (max = 3): RigOptions => ({
    config: { whenPartitioned: 'queue', maxPendingOperations: max },
  });
  const cut = (options: RigOptions): Rig => {
    const at = rig(options);
    at.disconnect(B);
    return at;
  };

  it('is drained in order on healing, each answered for itself', () => {
    const at = cut(queueing());
    const tags = [at.submit(plain('one')), at.submit(plain('two'), plain('three'))];
    expect([at.answers.length, at.toMempool.length, at.load]).toEqual([0, 0, 3]);
    at.connect(B);
    expect(at.questions().map(({ transactions }) => transactions)).toEqual([
      [plain('one')],
      [plain('two'), plain('three')],
    ]);
    for (const { tag } of at.questions()) at.judge({}, tag);
    expect(tags.map((tag) => at.codes(tag))).toEqual([['admitted'], ['admitted', 'admitted']]);
    expect([at.context.queued, at.context.queue.size, at.load]).toEqual([0, 0, 3]);
  });

  it('is bounded with what is pending: a submission that does not fit is refused whole', () => {
    const at = rig(queueing());
    at.submit(plain('pending'));
    at.judge();
    at.disconnect(B);
    at.submit(plain('one'));
    expect(at.codes(at.submit(plain('two'), plain('three')))).toEqual(['QUEUE_FULL', 'QUEUE_FULL']);
    at.submit(plain('four'));
    expect(at.load).toBe(3);
    expect(at.codes(at.submit(plain('five')))).toEqual(['QUEUE_FULL']);
  });

  it('keeps a thousand in order', () => {
    const at = cut(queueing(1_000));
    const all = many(1_000);
    for (const one of all) at.submit(one);
    at.connect(B);
    expect(at.questions().flatMap(({ transactions }) => transactions)).toEqual(all);
  });

  it('refuses on healing what expired meanwhile', () => {
    const at = cut(queueing());
    const tag = at.submit(operation('short', 30));
    at.commitAt(30);
    at.connect(B);
    expect(at.codes(tag)).toEqual(['EXPIRES_TOO_SOON']);
    expect(at.load).toBe(0);
  });

  it('keeps a submission so long that one validator can still be asked; then it is refused with certainty, and never asked about', () => {
    const at = cut(queueing());
    const first = at.submit(plain('one'));
    at.now += 1_000;
    const second = at.submit(plain('two'), plain('three'));
    at.now += QUEUE_MS - 1_000;
    at.send({ type: 'queue.due' });
    expect([at.codes(first), at.codes(second), at.load]).toEqual([['PARTITIONED'], undefined, 2]);
    expect(at.logs(first)[0]).toMatch(
      /^unreachable: validators with power .* it waited 5350 ms in the queue/,
    );
    at.connect(B);
    expect(at.questions().map(({ transactions }) => transactions)).toEqual([[plain('two'), plain('three')]]);
    at.judge();
    expect([at.codes(second), at.load]).toEqual([['admitted', 'admitted'], 2]);
    expect(at.answers).toHaveLength(2);
  });

  it('is looked through when the oldest is due, and again when the next one is, by a grain at the earliest', () => {
    const at = cut(queueing(10));
    const timers = (effects: ReturnType<Rig['send']>) =>
      ofKind(effects, 'startTimer').map(({ delayMs }) => delayMs);
    const submission = (tag: number) =>
      ({
        type: 'operations.submitted',
        replyTo: 'client',
        client: 'test',
        tag,
        transactions: [plain(`t${tag}`)],
      }) as const;
    expect(timers(at.send(submission(1)))).toEqual([QUEUE_MS]);
    at.now += 10;
    expect(timers(at.send(submission(2)))).toEqual([]);
    at.now += 2_000;
    at.send(submission(3));
    at.now = QUEUE_MS;
    expect(timers(at.send({ type: 'queue.due' }))).toEqual([QUEUE_GRAIN_MS]);
    at.now += QUEUE_GRAIN_MS;
    expect(timers(at.send({ type: 'queue.due' }))).toEqual([2_010 - QUEUE_GRAIN_MS]);
    at.now += 2_010 - QUEUE_GRAIN_MS;
    expect(timers(at.send({ type: 'queue.due' }))).toEqual([]);
    expect([at.answers.length, at.load]).toEqual([3, 0]);
    expect(timers(at.send(submission(4)))).toEqual([QUEUE_MS]);
  });

  it('takes nothing on healing that could not be answered in time any more, however late the timer', () => {
    const at = cut(queueing());
    const late = at.submit(plain('late'));
    at.now += 100;
    const last = at.submit(plain('last'));
    at.now = ANSWER_MS - JUDGEMENT_MS + 1;
    at.connect(B);
    expect([at.codes(late), at.codes(last)]).toEqual([['PARTITIONED'], undefined]);
    expect(at.asked().transactions).toEqual([plain('last')]);
  });

  it('tells what waited for storage alone that the channel is closed', () => {
    const at = rig({ knowsHeight: false });
    const tag = at.submit(plain('one'));
    at.now += QUEUE_MS;
    at.send({ type: 'queue.due' });
    expect(at.codes(tag)).toEqual(['CHANNEL_CLOSED']);
    expect(at.logs(tag)[0]).toContain('storage has not said the height');
    at.findTip(7);
    expect([at.toMempool.length, at.load]).toEqual([0, 0]);
  });

  it('is refused on healing where the state is not the chain’s by then (BR-4)', () => {
    const at = cut(queueing());
    const tag = at.submit(plain('one'));
    at.execute(stateAfter(5));
    at.commit(committedAt(7, stateAfter(5, 'otherwise')));
    expect(at.codes(at.submit(plain('two')))).toEqual(['STATE_DIVERGED']);
    at.connect(B);
    expect(at.codes(tag)).toEqual(['STATE_DIVERGED']);
    expect([at.load, at.toMempool.length]).toEqual([0, 0]);
  });
});

describe('operations of another node (BR-1)', () => {
  it('are a submission like any other: the mempool judges, the node hears', () => {
    const at = rig();
    const [one, two] = [plain('one'), plain('two')];
    at.hear(STRANGER, { kind: 'SubmitOperations', tag: 9, operations: [one, two] });
    expect(at.toMempool).toMatchObject([{ client: `peer ${STRANGER}` }]);
    at.judge({ 1: refused(two, 'MEMPOOL_FULL', 'no room') });
    expect(at.sent()).toEqual([
      {
        to: [STRANGER],
        message: {
          kind: 'OperationsAnswered',
          tag: 9,
          admissions: [{ accepted: true }, { accepted: false, code: 'MEMPOOL_FULL', log: 'no room' }],
        },
      },
    ]);
  });

  it.each([
    ['ASCII', 'a'.repeat(900), 256],
    ['of three bytes', '語'.repeat(300), 255],
    ['of four bytes', '🜁'.repeat(300), 256],
  ])('are told why within the wire’s length, in whole characters: %s', (_, log, bytes) => {
    const at = rig();
    at.hear(B, { kind: 'SubmitOperations', tag: 1, operations: [plain('x')] });
    at.judge({ 0: refused(plain('x'), 'MEMPOOL_FULL', log) });
    const { message } = at.sent()[0] ?? {};
    const [admission] = message?.kind === 'OperationsAnswered' ? message.admissions : [];
    const told = admission?.accepted === false ? admission.log : '';
    expect(Buffer.byteLength(told)).toBe(bytes);
    expect(bytes).toBeLessThanOrEqual(ADMISSION_LOG_BYTES_MAX);
    expect(log.startsWith(told)).toBe(true);
  });

  it('that find no place are not looked at, and refused with one word for all (BR-2)', () => {
    const at = rig({ config: { maxPendingOperations: 4 } });
    at.hear(STRANGER, { kind: 'SubmitOperations', tag: 9, operations: many(1_000) });
    expect(at.asked().transactions).toHaveLength(2);
    at.judge();
    const full = {
      accepted: false,
      code: 'QUEUE_FULL',
      log: expect.stringContaining('2 operations are pending'),
    };
    expect(at.sent().at(-1)?.message).toMatchObject({
      admissions: [{ accepted: true }, { accepted: true }, full],
    });
    at.hear(STRANGER, { kind: 'SubmitOperations', tag: 10, operations: many(1_000) });
    expect(at.sent().at(-1)?.message).toMatchObject({ tag: 10, admissions: [full] });
    expect(at.context.operations.counts).toMatchObject({ submitted: 2, rejected: 1_998 });
  });

  it('are refused with one word for all while nothing can be committed (BR-10)', () => {
    const at = rig();
    at.disconnect(A);
    at.disconnect(B);
    at.hear(C, { kind: 'SubmitOperations', tag: 9, operations: many(1_000) });
    expect(at.reach).toBe('partitioned');
    expect(at.sent().at(-1)?.message).toMatchObject({ admissions: [{ code: 'PARTITIONED' }] });
  });

  it('carry the application’s code where it refused', () => {
    const at = rig();
    at.hear(B, { kind: 'SubmitOperations', tag: 1, operations: [plain('x')] });
    const hash = idOfOperation(plain('x'));
    at.judge({ 0: { status: 'refused', hash, code: 'CHECK_FAILED', log: 'no', applicationCode: 7 } });
    expect(at.sent()[0]?.message).toMatchObject({
      admissions: [{ code: 'CHECK_FAILED', applicationCode: 7 }],
    });
  });
});

describe('what is shown (BR-9)', () => {
  it('are the numbers of the seed: getStats', () => {
    const at = rig();
    at.hear(A, {
      kind: 'StateSync',
      sequenceNumber: height(1),
      stateHash: stateAfter(1).appHash,
      partialState: [],
    });
    at.submit(plain('one'), operation('gone', 1));
    at.judge();
    at.commitAt(1);
    at.execute(stateAfter(1));
    expect(getStats(at.context)).toEqual({
      messagesProcessed: 1,
      consensusRoundsCompleted: 1,
      failedOperations: 1,
      pendingOperations: 1,
      activeParticipants: 3,
    });
    expect(getStats(rig(FORWARDING).context).activeParticipants).toBe(3);
  });

  it('counts a committed block once, however often it is told', () => {
    const at = rig();
    at.commit(committedAt(1), committedAt(2));
    at.commit(committedAt(2));
    expect([at.context.counts.consensusRoundsCompleted, at.context.committedHeight]).toEqual([2, 2]);
  });
});

it('it begins with a breaker for each other validator, and asks whom it reaches (BR-8)', () => {
  const at = rig({ connected: [], knowsHeight: false });
  const spawned = ofKind(at.chart.effects, 'spawn').map(({ id }) => id);
  expect(spawned.toSorted()).toEqual([A, B, C].toSorted());
  expect(at.toRouter).toEqual([{ type: 'connectivity.requested', replyTo: 'bridge' }]);
});

it('a new set: whoever came has a breaker, whoever left keeps its own until it can answer no more (BR-8, CS-16)', () => {
  const at = rig();
  const other = present(world([1n], 'newcomer').epoch.set.validators[0], 'a newcomer');
  const staying = place.epoch.set.validators.filter(({ address }) => address !== C);
  const set = validatorSet([...staying, other]);
  if ('code' in set) throw new Error(set.code);
  const began: EpochBegan = { type: 'epoch.began', epoch: { ...place.epoch, set } };
  const effects = at.send(began);
  expect(ofKind(effects, 'spawn').map(({ id }) => id)).toEqual([other.address]);
  expect(ofKind(effects, 'stop')).toEqual([]);
  expect(at.context.validators.hash).toBe(set.hash);
  expect(ofKind(at.send(began), 'spawn')).toEqual([]);
  const back = at.send({ ...began, epoch: place.epoch });
  expect(ofKind(back, 'spawn')).toEqual([]);
  expect([...at.context.leaving.keys()]).toEqual([other.address]);
});

describe('who is connected (BR-10)', () => {
  it('is read again at each cleanup: what was lost on the way is made good, either way', () => {
    const at = rig({ connected: [A] });
    at.elapse(5_000);
    expect(at.reach).toBe('partitioned');
    at.elapse(30_000);
    expect(at.toRouter.at(-1)).toEqual({ type: 'connectivity.requested', replyTo: 'bridge' });
    at.send({ type: 'connectivity.told', connected: [B, C] });
    expect([...at.context.connected]).toEqual([B, C]);
    expect(at.reach).toBe('connected');
    expect(at.toBreakers).toEqual([{ peer: A, message: { type: 'peer.failed' } }]);
    at.send({ type: 'connectivity.told', connected: [] });
    expect(at.reach).toBe('partitioned');
  });
});

it('it ends with a breaker that ends (BR-8)', () => {
  const at = rig();
  const down = at.send({
    type: 'cell.down',
    address: `bridge/${A}`,
    reason: { kind: 'crash', error: 'x' },
  });
  expect(ofKind(down, 'exit')).toHaveLength(1);
});

afterAll(() => {
  const others = [isOfHandingOver, isOfChecking, isOfSharing];
  expect(reach.missing().filter((name) => !others.some((isOf) => isOf(name)))).toEqual([]);
});
