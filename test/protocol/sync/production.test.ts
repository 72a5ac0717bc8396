import { describe, expect, it } from 'vitest';
import { type ProductionFacts, syncBeforeProduction } from '../../../src/protocol/sync/production.ts';
import type { SyncStatus } from '../../../src/protocol/sync/types.ts';

const READY: ProductionFacts = {
  holdsEntry: true,
  holdsParent: true,
  hasExecuted: true,
  forkProved: false,
  status: { kind: 'InSync' },
};

const STATUSES: readonly SyncStatus[] = [
  { kind: 'InSync' },
  { kind: 'SmallGap', gap: 5 },
  { kind: 'MediumGap', gap: 100 },
  { kind: 'LargeGap', gap: 5_000 },
  { kind: 'Critical', reason: 'Fork detected! Our tip differs from 67%+ peers' },
  { kind: 'Unknown', reason: 'NoPeersAvailable' },
];

describe('syncBeforeProduction (seed 001)', () => {
  it.each(STATUSES)(
    'Production blocked when nobody is ahead: who holds the certificate and its block proceeds, whatever the poll says: $kind (SY-7)',
    (status) => {
      expect(syncBeforeProduction({ ...READY, status })).toEqual({ proceed: true });
    },
  );

  it.each([
    ['FORK_PROVED', { forkProved: true }],
    ['ROUND_NOT_OPENED', { holdsEntry: false }],
    ['PARENT_MISSING', { holdsParent: false }],
    ['NOT_EXECUTED', { hasExecuted: false }],
  ])('skips the round with %s (SY-5, SY-7)', (code, facts) => {
    expect(syncBeforeProduction({ ...READY, ...facts })).toMatchObject({ proceed: false, code });
  });

  it('says a proven fork first, for it is what the operator must know (SY-5)', () => {
    const nothing = { holdsEntry: false, holdsParent: false, hasExecuted: false, forkProved: true };
    expect(syncBeforeProduction({ ...READY, ...nothing })).toMatchObject({ code: 'FORK_PROVED' });
  });
});
