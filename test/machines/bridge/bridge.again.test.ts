/** A validator takes what a node without a vote hands over, and brings it into no block: another gets it. BR-8, MP-6. */
import { describe, expect, it } from 'vitest';
import { GATHER_MS } from '../../../src/machines/bridge/bridge.gathering.ts';
import {
  HAND_AGAIN_HEIGHTS,
  HAND_AGAIN_MS,
  HAND_AGAIN_PAUSE_MS,
} from '../../../src/protocol/bridge/handing.ts';
import type { OperationAdmission } from '../../../src/protocol/bridge/messages.ts';
import { pendingOperations } from '../../../src/protocol/bridge/operations.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import {
  committedAt,
  ended,
  idOfOperation,
  operation,
  plain,
  stateAfter,
} from '../../protocol/bridge/operations-of.ts';
import { height, world } from '../../protocol/consensus/fixture.ts';
import { ofKind } from '../reach.ts';
import { A, B, bridgeReach, C, place, Rig, type RigOptions, SELF, STRANGER } from './bridge.rig.ts';

const reach = bridgeReach();
const ALL = [SELF, A, B, C];
const YES: OperationAdmission = { accepted: true };
const NO: OperationAdmission = { accepted: false, code: 'QUEUE_FULL', log: 'full' };
const KNOWN: OperationAdmission = { accepted: false, code: 'ALREADY_KNOWN', log: 'known' };

/** Level with the chain, and in reach of four validators of one vote each: two of them are one honest at least. */
function level(options: RigOptions = {}): Rig {
  const at = new Rig(reach, { self: STRANGER, connected: ALL, ...options });
  at.send({ type: 'sync.statusChanged', status: { kind: 'InSync' }, forkProved: false });
  at.commitAt(1);
  return at;
}

const last = (at: Rig) => {
  const call = at.calls().at(-1);
  if (call === undefined) throw new Error('nothing was handed over');
  return call;
};
const say = (at: Rig, admission: OperationAdmission): void => {
  const { peer, message } = last(at);
  const admissions = 'operations' in message ? message.operations.map(() => admission) : [];
  at.hear(peer, { kind: 'OperationsAnswered', tag: message.tag, admissions });
};
const peers = (at: Rig): readonly Address[] => at.calls().map(({ peer }) => peer);
const again = (at: Rig) => at.context.counts.handedAgain;
const handed = (at: Rig) =>
  at.calls().map(({ message }) => ('operations' in message ? message.operations.length : 0));
/** Some blocks are committed, the last of them after so long. */
const pass = (at: Rig, ms: number, heights = HAND_AGAIN_HEIGHTS): void => {
  const from = at.context.committedHeight ?? 0;
  for (let block = 1; block <= heights; block += 1) {
    if (block === heights) at.now += ms;
    at.commitAt(from + block);
  }
};
/** One was handed over and taken. */
function withOne(transaction = plain('one'), options: RigOptions = {}): Rig {
  const at = level(options);
  at.submit(transaction);
  say(at, YES);
  at.gather();
  return at;
}
const becomeValidator = (at: Rig): void => {
  const own = world([1n], 'elsewhere').epoch.set.validators;
  const set = validatorSet([...place.epoch.set.validators, ...own]);
  if ('code' in set) throw new Error(set.code);
  at.send({ type: 'epoch.began', epoch: { ...place.epoch, set } });
};

describe('an operation that a validator took, and that has no end (BR-8)', () => {
  it('goes to another when its wait is over and blocks were committed, not before, and its client hears no more', () => {
    const at = withOne();
    pass(at, HAND_AGAIN_MS - GATHER_MS - 1);
    expect(again(at)).toBe(0);
    pass(at, HAND_AGAIN_PAUSE_MS, 1);
    expect([again(at), new Set(peers(at)).size]).toEqual([1, 2]);
    expect(last(at).message).toMatchObject({ kind: 'SubmitOperations', operations: [plain('one')] });
    say(at, YES);
    expect([at.answers.length, at.load, at.context.submissions.size]).toEqual([1, 1, 0]);
    expect(at.toBreakers.at(-1)?.message).toMatchObject({ type: 'call.answered' });
  });

  it('waits while hardly anything is committed: nobody could have brought it into a block', () => {
    const at = withOne();
    at.now += 10 * HAND_AGAIN_MS;
    pass(at, 0, HAND_AGAIN_HEIGHTS - 1);
    expect(again(at)).toBe(0);
    pass(at, HAND_AGAIN_PAUSE_MS, 1);
    expect(again(at)).toBe(1);
  });

  it('rests once two of four say that they have it, whether they took it now or knew it', () => {
    for (const admission of [YES, KNOWN]) {
      const at = withOne();
      pass(at, HAND_AGAIN_MS);
      say(at, admission);
      pass(at, 100 * HAND_AGAIN_MS);
      expect(again(at)).toBe(1);
    }
  });

  it('goes on to each that has not taken it, after waits that double, and then round again: no refusal is an end', () => {
    const at = withOne();
    for (let times = 0; times < 4; times += 1) {
      pass(at, HAND_AGAIN_MS * 2 ** times - HAND_AGAIN_PAUSE_MS);
      expect(again(at)).toBe(times);
      pass(at, HAND_AGAIN_PAUSE_MS, 1);
      expect(again(at)).toBe(times + 1);
      if (times % 2 === 0) say(at, NO);
      else
        at.send({ type: 'call.failed', peer: last(at).peer, tag: last(at).message.tag, reason: 'timeout' });
      at.gather();
    }
    const [first, ...others] = peers(at);
    expect(new Set(others.slice(0, 3))).toEqual(new Set(ALL.filter((peer) => peer !== first)));
    expect(others[3]).toBe(others[0]);
    expect([at.load, at.answers.length]).toEqual([1, 1]);
  });

  it('goes to another too where the first only says that it knew it: it is told so, and never as expired', () => {
    const at = level();
    const client = at.submit(operation('one', 40));
    say(at, KNOWN);
    at.gather();
    expect([at.codes(client), at.load]).toEqual([['ALREADY_KNOWN'], 1]);
    pass(at, HAND_AGAIN_MS);
    expect([again(at), new Set(peers(at)).size]).toEqual([1, 2]);
    say(at, YES);
    pass(at, 100 * HAND_AGAIN_MS);
    expect(again(at)).toBe(1);
    // It may have been executed before this node heard of it.
    at.execute(stateAfter(40));
    expect([at.expired(), at.load, at.context.counts.forgotten]).toEqual([[], 0, 1]);
    expect(at.context.operations.keptBytes).toBe(0);
  });

  it('is nobody’s who did not answer, where the own mempool has taken it meanwhile', () => {
    const at = level();
    at.submit(plain('one'));
    const { peer, message } = last(at);
    becomeValidator(at);
    at.send({ type: 'call.failed', peer, tag: message.tag, reason: 'timeout' });
    at.judge();
    const [held] = pendingOperations(at.context.operations);
    expect(held?.handing).toMatchObject({ to: [peer, STRANGER], takenBy: [STRANGER] });
  });

  it('of a validator that answers late, or whose breaker held it back, is no lie and no end', () => {
    const at = withOne();
    pass(at, HAND_AGAIN_MS);
    const { peer, message } = last(at);
    at.send({ type: 'call.failed', peer, tag: message.tag, reason: 'timeout' });
    at.hear(peer, { kind: 'OperationsAnswered', tag: message.tag, admissions: [YES] });
    expect([at.blamed(), at.context.submissions.size]).toEqual([[], 0]);
    at.gather();
    pass(at, 2 * HAND_AGAIN_MS);
    at.send({ type: 'call.failed', peer: last(at).peer, tag: last(at).message.tag, reason: 'refused' });
    expect([handed(at), at.load]).toEqual([[1, 1, 1], 1]);
  });

  it('goes nowhere after its end, and nothing of it is kept', () => {
    const ends: readonly ((at: Rig) => void)[] = [
      (at) => at.execute(stateAfter(2), ended(operation('one', 40))),
      (at) => at.execute(stateAfter(40)),
      // A block of which this cell was not told: it is forgotten.
      (at) => [2, 4].map((executed) => at.execute(stateAfter(executed))),
    ];
    for (const end of ends) {
      const at = withOne(operation('one', 40));
      expect(at.context.operations.keptBytes).toBe(operation('one', 40).byteLength);
      end(at);
      expect([at.load, at.context.operations.keptBytes]).toEqual([0, 0]);
      pass(at, 10 * HAND_AGAIN_MS);
      expect([handed(at), again(at)]).toEqual([[1], 0]);
    }
  });

  it('that ends while another is asked about it stays ended', () => {
    const at = withOne();
    pass(at, HAND_AGAIN_MS);
    at.execute(stateAfter(2), ended(plain('one')));
    say(at, YES);
    expect([at.load, at.context.operations.counts.committed]).toEqual([0, 1]);
    expect(at.context.operations.keptBytes).toBe(0);
  });

  it('waits while this node is cut off, or behind: it may be committed', () => {
    const cutOff = withOne();
    for (const peer of ALL) cutOff.disconnect(peer);
    pass(cutOff, HAND_AGAIN_MS);
    const behind = withOne();
    behind.send({
      type: 'sync.statusChanged',
      status: { kind: 'Unknown', reason: 'test' },
      forkProved: false,
    });
    pass(behind, HAND_AGAIN_MS);
    expect([again(cutOff), again(behind)]).toEqual([0, 0]);
    cutOff.connect(B);
    cutOff.connect(C);
    pass(cutOff, HAND_AGAIN_PAUSE_MS, 1);
    expect(again(cutOff)).toBe(1);
  });
});

describe('what is handed over again', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => plain(`t${index}`));

  it('is one message with what its validator lacks, and the next after a pause; clients’ own wait for theirs (TP-5)', () => {
    const at = level();
    for (const some of [many(900), many(1_400).slice(900)]) {
      at.submit(...some);
      say(at, YES);
      at.gather();
    }
    const before = at.calls().length;
    at.submit(plain('new'));
    say(at, YES);
    pass(at, HAND_AGAIN_MS);
    expect(handed(at).slice(before)).toEqual([1]);
    const waiting = at.submit(plain('waits'));
    at.gather();
    expect([again(at) >= 500, at.codes(waiting)]).toEqual([true, undefined]);
    const [, first] = handed(at).slice(before);
    say(at, YES);
    at.gather();
    expect(handed(at).slice(before)).toEqual([1, first, 1]);
    say(at, YES);
    for (let passed = 0; passed < 8; passed += 1) {
      at.gather();
      pass(at, HAND_AGAIN_PAUSE_MS);
      const { message } = last(at);
      if (at.context.submissions.size > 0 && 'operations' in message) say(at, YES);
    }
    expect(Math.max(...handed(at))).toBeLessThanOrEqual(1_000);
    expect(again(at)).toBeGreaterThanOrEqual(1_400);
    expect(at.context.submissions.size).toBe(0);
  });

  it('is followed by as long a pause as validators need for so much of one guest (TP-5)', () => {
    const at = level({ connected: [A] });
    at.submit(...many(800));
    say(at, YES);
    at.gather();
    at.connect(B);
    pass(at, 0, HAND_AGAIN_HEIGHTS - 1);
    at.now += HAND_AGAIN_MS;
    const { committedHeight = 0 } = at.context;
    const effects = at.send({ type: 'blocks.committed', blocks: [committedAt(committedHeight + 1)] });
    expect(ofKind(effects, 'startTimer')).toMatchObject([{ key: 'gather', delayMs: 400 }]);
  });

  it('is the own mempool’s where this node has become a validator, which keeps it from then on', () => {
    const at = withOne();
    becomeValidator(at);
    pass(at, HAND_AGAIN_MS);
    expect([again(at), handed(at)]).toEqual([1, [1]]);
    expect(at.asked().transactions).toEqual([plain('one')]);
    at.judge();
    expect([at.load, at.context.operations.keptBytes, at.answers.length]).toEqual([1, 0, 1]);
    pass(at, 10 * HAND_AGAIN_MS);
    expect(again(at)).toBe(1);
    // The one that took it before may bring it yet: a batch of this node's that expired says nothing of it.
    at.send({ type: 'transactions.expired', hashes: [idOfOperation(plain('one'))], height: height(9) });
    expect([at.load, at.expired()]).toEqual([1, []]);
  });

  it('and that the own mempool refuses, goes there again after the next wait', () => {
    const at = withOne();
    becomeValidator(at);
    pass(at, HAND_AGAIN_MS);
    const { tag } = at.asked();
    at.send({ type: 'transactions.admitted', tag, admissions: [] });
    pass(at, 2 * HAND_AGAIN_MS);
    expect([again(at), at.questions().length, at.load]).toEqual([2, 2, 1]);
  });
});

describe('the mempool of a node that has left the set (MP-6)', () => {
  const fromMempool = (at: Rig, ...transactions: readonly Uint8Array[]) =>
    at.send({ type: 'operations.submitted', replyTo: 'mempool', tag: 0, client: 'own', transactions });

  it('hands over what is its own until a validator has it; then the bridge cares for it, as for anything else', () => {
    const at = level();
    fromMempool(at, plain('one'));
    say(at, NO);
    at.gather();
    fromMempool(at, plain('one'), plain('two'));
    say(at, YES);
    at.gather();
    expect(handed(at)).toEqual([1, 2]);
    fromMempool(at, plain('one'), plain('two'));
    expect(handed(at)).toEqual([1, 2]);
    fromMempool(at, plain('two'), plain('three'));
    expect(last(at).message).toMatchObject({ operations: [plain('three')] });
    at.gather();
    // A client's own wish to have it handed over again is heard.
    at.submit(plain('one'));
    expect(handed(at)).toEqual([1, 2, 1, 1]);
    say(at, NO);
    at.gather();
    pass(at, HAND_AGAIN_MS);
    expect(again(at)).toBeGreaterThanOrEqual(1);
  });
});
