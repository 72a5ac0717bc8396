import { describe, expect, it } from 'vitest';
import { NO_REPORTS, REPORTS_MAX, type Report, withEvidence } from '../../../src/protocol/bridge/reports.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { accusedOf, type Evidence } from '../../../src/protocol/consensus/evidence.ts';
import { twoVotes } from '../../application/ledger/offences.ts';
import { world } from '../consensus/fixture.ts';

const place = world();

describe('reports (LG-17)', () => {
  it('are at most as many as a set has validators: evidence against one more is dropped', () => {
    const evidence: Evidence = twoVotes(place, 0);
    const found: Report = { status: 'found', evidence, attempts: 0, dueHeight: 0 };
    const others = Array.from({ length: REPORTS_MAX }, (_, index): [Address, Report] => [
      `${index}`.padStart(40, '0') as Address,
      found,
    ]);
    const full = new Map(others);
    expect(withEvidence(full, evidence)).toBe(full);
    const oneLess = withEvidence(new Map(others.slice(1)), evidence);
    expect(oneLess.get(accusedOf(evidence))).toEqual(found);
  });

  it('keep the first offence while it is under way or punished', () => {
    const first = twoVotes(place, 0);
    const reports = withEvidence(NO_REPORTS, first);
    expect(withEvidence(reports, twoVotes(place, 0, 1))).toBe(reports);
    const punished: Report = { status: 'ended', as: 'punished', attempts: 1 };
    const ended = new Map([[accusedOf(first), punished]]);
    expect(withEvidence(ended, first)).toBe(ended);
  });
});
