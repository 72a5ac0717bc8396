/** The record of one verification, check by check; what comes after the first that failed was not reached. Mutable, no I/O. */
import { describeRefusal } from '../../../../src/protocol/consensus/refusals.ts';
import type { LightRefusal } from '../../../../src/protocol/light/types.ts';
import { CHECKS, type Check, type CheckName, type Report } from './report.ts';

export class Protocol {
  readonly #checks = new Map<CheckName, Check>();
  #signers: Pick<Report, 'signers' | 'power'> = { signers: [], power: undefined };
  #refusal: Report['refusal'];
  #verdict: Report['verdict'] = 'proven';

  pass(name: CheckName, says: string): void {
    this.#checks.set(name, { name, says, outcome: 'passed' });
  }

  fail(name: CheckName, says: string): void {
    this.#checks.set(name, { name, says, outcome: 'failed' });
    this.#verdict = 'refused';
  }

  refuse(name: CheckName, refusal: LightRefusal): void {
    const detail = describeRefusal(refusal);
    this.#refusal = { code: refusal.code, detail };
    this.fail(name, detail);
  }

  unverifiable(says: string): void {
    this.#checks.set('signature', { name: 'signature', says, outcome: 'notReached' });
    this.#verdict = 'unverifiable';
  }

  signedBy(signers: Pick<Report, 'signers' | 'power'>): void {
    this.#signers = signers;
  }

  report(): Report {
    const checks = CHECKS.map(
      (name): Check => this.#checks.get(name) ?? { name, says: '', outcome: 'notReached' },
    );
    return { verdict: this.#verdict, checks, ...this.#signers, refusal: this.#refusal };
  }
}
