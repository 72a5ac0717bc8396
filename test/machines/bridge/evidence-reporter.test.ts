/** The chart over a real ledger: what the bridge would hand on is checked and executed by the rules. LG-16, LG-17. */
import { afterAll, describe, expect, it } from 'vitest';
import { LEDGER_EVIDENCE } from '../../../src/application/ledger/report.ts';
import { monotonic } from '../../../src/base/units.ts';
import { evidenceReporterMachine } from '../../../src/machines/bridge/evidence-reporter.machine.ts';
import type { Report } from '../../../src/protocol/bridge/reports.ts';
import { transactionHashOf } from '../../../src/protocol/chain/batch.ts';
import { OPERATION_HEADER_BYTES, parseOperation } from '../../../src/protocol/chain/operation.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import type { Evidence } from '../../../src/protocol/consensus/evidence.ts';
import type { OperationsSubmitted } from '../../../src/protocol/ports/bridge.ts';
import type { Admission, NodeRefusalCode } from '../../../src/protocol/ports/mempool.ts';
import type { ExecutedTransaction } from '../../../src/protocol/ports/storage.ts';
import type { Message } from '../../../src/protocol/supervision/effect.ts';
import { LedgerChain } from '../../application/ledger/chain-of-ledger.ts';
import { forged, twoVotes } from '../../application/ledger/offences.ts';
import { blockExecuted, ended, stateAfter } from '../../protocol/bridge/operations-of.ts';
import { present } from '../../protocol/consensus/fixture.ts';
import { reachOf, toldTo } from '../reach.ts';

const reach = reachOf(evidenceReporterMachine, 'reporter');
const LIFE = 64;

/** What the cell draws in its n-th step, as a nonce. */
const drawOf = (step: number): number => step / 1_000;
const drawn = (step: number): bigint => BigInt(Math.floor(drawOf(step) * 2 ** 53));

const isSubmission = (message: Message): message is OperationsSubmitted =>
  message.type === 'operations.submitted';

/** A node's reporter, on a chain of its own. */
class Rig {
  readonly chain = new LedgerChain();
  readonly chart;
  readonly submitted: OperationsSubmitted[] = [];
  #steps = 0;

  constructor(deduplicationHeights = 1_000, now = 7_000) {
    const input = { form: LEDGER_EVIDENCE, bridge: 'bridge', deduplicationHeights };
    this.chart = reach.start(input, { now: monotonic(now) });
  }

  get place() {
    return this.chain.place;
  }

  get newest(): OperationsSubmitted {
    return present(this.submitted.at(-1), 'a submission');
  }

  get operation(): Uint8Array {
    return present(this.newest.transactions[0], 'an operation');
  }

  reportOf(accused: Address): Report | undefined {
    return this.chart.snapshot.context.reports.get(accused);
  }

  statusOf(index: number): string | undefined {
    return this.reportOf(this.place.addressAt(index))?.status;
  }

  find(evidence: Evidence): void {
    this.#send({ type: 'evidence.found', evidence });
  }

  /** A block, with what was submitted or without; as EX-7 has it, the ledger gets the payload. */
  block(...carried: readonly Uint8Array[]): void {
    const results = this.chain.block(carried.map((each) => each.subarray(OPERATION_HEADER_BYTES)));
    const executed = carried.map((each, index) => ({
      ...ended(each),
      result: present(results[index], 'a result'),
    }));
    this.executed(executed);
  }

  executed(transactions: readonly ExecutedTransaction[]): void {
    this.#send(blockExecuted(stateAfter(this.chain.height), ...transactions));
  }

  blocks(count: number): void {
    for (let turn = 0; turn < count; turn += 1) this.block();
  }

  /** The check of the real rules. */
  judge(): void {
    const hash = transactionHashOf(this.operation);
    const { code, log } = this.chain.check(this.operation.subarray(OPERATION_HEADER_BYTES));
    const refused = { status: 'refused', hash, code: 'CHECK_FAILED', log, applicationCode: code } as const;
    this.answer(code === 0 ? { status: 'admitted', hash } : refused);
  }

  refuse(code: NodeRefusalCode): void {
    this.answer({ status: 'refused', hash: transactionHashOf(this.operation), code, log: 'x' });
  }

  answer(admission: Admission, tag = this.newest.tag): void {
    this.#send({ type: 'operations.answered', tag, admissions: [admission] });
  }

  fail(): void {
    this.#send({ type: 'execution.failed', tag: 0, code: 'APPLICATION_FAILED', detail: 'x' });
  }

  #send(event: Parameters<ReturnType<typeof reach.start>['send']>[0]): void {
    this.#steps += 1;
    const told = toldTo(this.chart.send(event, { draws: [drawOf(this.#steps)] }), 'bridge');
    this.submitted.push(...told.filter(isSubmission));
  }
}

afterAll(() => expect(reach.missing()).toEqual([]));

describe('evidence that this node has seen (LG-17)', () => {
  it('goes to the bridge as an operation, and ends with the punishment: found, submitted, ended', () => {
    const rig = new Rig();
    const evidence = twoVotes(rig.place, 1);
    rig.find(evidence);
    expect([rig.statusOf(1), rig.submitted]).toEqual(['found', []]);
    rig.block();
    expect(rig.statusOf(1)).toBe('submitted');
    expect(rig.newest).toMatchObject({ replyTo: 'reporter', client: 'evidence-reporter' });
    expect(parseOperation(rig.operation)).toMatchObject({
      expiresAtHeight: 1 + LIFE,
      nonce: drawn(2),
      payload: LEDGER_EVIDENCE.encode(evidence),
    });
    rig.judge();
    expect(rig.statusOf(1)).toBe('submitted');
    rig.block(rig.operation);
    expect(rig.reportOf(rig.place.addressAt(1))).toEqual({ status: 'ended', as: 'punished', attempts: 1 });
    expect(rig.chain.ask('/validator', rig.place.addressAt(1))).toMatchObject({ jailed_at: '2' });
    rig.find(twoVotes(rig.place, 1, 1));
    rig.blocks(200);
    expect(rig.submitted).toHaveLength(1);
  });

  it('is one report a validator, however much of it there is, and goes at once when the height is known', () => {
    const rig = new Rig();
    rig.block();
    for (let variant = 0; variant < 50; variant += 1) rig.find(twoVotes(rig.place, 2, variant));
    rig.find(twoVotes(rig.place, 0));
    expect(rig.submitted).toHaveLength(2);
    expect(new Set(rig.submitted.map(({ tag }) => tag)).size).toBe(2);
    expect(rig.chart.snapshot.context.reports.size).toBe(2);
  });

  it('ends when somebody else has reported it, by the check or by a block', () => {
    const [before, meanwhile] = [new Rig(), new Rig()];
    for (const rig of [before, meanwhile]) {
      rig.block();
      rig.find(twoVotes(rig.place, 1));
      const others = LEDGER_EVIDENCE.encode(twoVotes(rig.place, 1, 9));
      if (rig === meanwhile) rig.judge();
      rig.chain.block([others]);
      if (rig === before) rig.judge();
    }
    expect(before.statusOf(1)).toBe('ended');
    expect(meanwhile.statusOf(1)).toBe('submitted');
    meanwhile.block(meanwhile.operation);
    expect(meanwhile.statusOf(1)).toBe('ended');
    for (const rig of [before, meanwhile]) {
      rig.blocks(100);
      expect(rig.submitted).toHaveLength(1);
    }
  });
});

describe('a report that does not come through (LG-17)', () => {
  const dueHeights = (rig: Rig, attempts: number): readonly number[] => {
    const heights: number[] = [];
    while (heights.length < attempts) {
      const before = rig.submitted.length;
      rig.block();
      if (rig.submitted.length === before) continue;
      heights.push(rig.chain.height);
      rig.refuse('MEMPOOL_FULL');
    }
    return heights;
  };

  it('is submitted anew after pauses that double up to 64 heights, never with the same bytes', () => {
    const rig = new Rig();
    rig.find(twoVotes(rig.place, 1));
    const heights = dueHeights(rig, 10);
    const pauses = heights.slice(1).map((at, index) => at - present(heights[index], 'a height'));
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64]);
    const bytes = rig.submitted.map(({ transactions }) => transactionHashOf(present(transactions[0], 'it')));
    expect(new Set(bytes).size).toBe(10);
    expect(new Set(rig.submitted.map(({ tag }) => tag)).size).toBe(10);
  });

  it('that the check has no time for goes again at the next height (LG-16)', () => {
    const rig = new Rig();
    rig.block();
    for (let variant = 0; variant < 16; variant += 1)
      rig.chain.check(LEDGER_EVIDENCE.encode(forged(twoVotes(rig.place, 0, variant))));
    rig.find(twoVotes(rig.place, 1));
    rig.judge();
    expect(rig.statusOf(1)).toBe('found');
    rig.block();
    rig.judge();
    expect([rig.statusOf(1), rig.submitted.length]).toEqual(['submitted', 2]);
  });

  it('that a block had no place for goes again, and is punished then', () => {
    const rig = new Rig();
    rig.block();
    rig.find(twoVotes(rig.place, 1));
    rig.judge();
    const header = new Uint8Array(OPERATION_HEADER_BYTES);
    const false4 = [0, 1, 2, 3].map((variant) =>
      Uint8Array.of(...header, ...LEDGER_EVIDENCE.encode(forged(twoVotes(rig.place, 0, variant)))),
    );
    rig.block(...false4, rig.operation);
    expect(rig.statusOf(1)).toBe('found');
    rig.block();
    rig.judge();
    rig.block(rig.operation);
    expect(rig.statusOf(1)).toBe('ended');
    expect(rig.chain.ask('/validator', rig.place.addressAt(1))).toMatchObject({ jailed_at: '4' });
  });

  it('is submitted anew above its height, though nobody ever answered; a late answer changes nothing', () => {
    const rig = new Rig(5);
    rig.block();
    rig.find(twoVotes(rig.place, 1));
    const { tag } = rig.newest;
    expect(parseOperation(rig.operation)?.expiresAtHeight).toBe(6);
    rig.fail();
    rig.blocks(5);
    expect(rig.submitted).toHaveLength(1);
    rig.block();
    expect(rig.submitted).toHaveLength(2);
    const hash = transactionHashOf(rig.operation);
    rig.answer({ status: 'refused', hash, code: 'CHECK_FAILED', log: '', applicationCode: 14 }, tag);
    expect(rig.statusOf(1)).toBe('submitted');
  });

  it.each(['expired', 'tooLate'] as const)('that a block carried %s goes again (EX-7)', (how) => {
    const rig = new Rig();
    rig.block();
    rig.find(twoVotes(rig.place, 1));
    rig.executed([ended(rig.operation, how)]);
    expect(rig.statusOf(1)).toBe('found');
  });

  it('and of which a duplicate comes has its result from the first, or none (EX-2)', () => {
    const rig = new Rig();
    rig.block();
    rig.find(twoVotes(rig.place, 1));
    rig.executed([ended(rig.operation, 'duplicate')]);
    expect(rig.statusOf(1)).toBe('submitted');
  });

  it('for good makes room for another offence of the same validator: too old is not for ever', () => {
    const rig = new Rig();
    rig.chain.idle(30);
    rig.find(twoVotes(rig.place, 1));
    rig.block();
    rig.judge();
    expect(rig.reportOf(rig.place.addressAt(1))).toEqual({ status: 'ended', as: 'refused', attempts: 1 });
    rig.blocks(3);
    expect(rig.submitted).toHaveLength(1);
    rig.find(twoVotes(rig.place, 1, 1));
    expect(rig.submitted).toHaveLength(2);
  });

  it('of an earlier life of the cell is not taken for this life’s', () => {
    const rig = new Rig(1_000, 9_000);
    const hash = transactionHashOf(Uint8Array.of(1));
    const answer: Admission = { status: 'refused', hash, code: 'CHECK_FAILED', log: '', applicationCode: 16 };
    rig.answer(answer, 7_000);
    rig.block();
    rig.fail();
    rig.find(twoVotes(rig.place, 1));
    rig.answer(answer, 7_000);
    expect([rig.statusOf(1), rig.newest.tag]).toEqual(['submitted', 9_000]);
  });
});
