import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SYNC_DEFAULTS } from '../../../src/protocol/sync/config.ts';
import {
  consensusHeightOf,
  describeFork,
  healthLine,
  modeOf,
  type SyncFacts,
  statusOf,
  tierFor,
} from '../../../src/protocol/sync/status.ts';
import { height, world } from '../consensus/fixture.ts';
import { committedChain } from './peer-states.ts';

const facts = (given: {
  own?: number;
  proved?: number;
  supported?: number;
  check?: SyncFacts['check'];
  rest?: Partial<SyncFacts>;
}): SyncFacts => ({
  own: given.own === undefined ? undefined : height(given.own),
  proved: given.proved === undefined ? undefined : height(given.proved),
  supported: given.supported === undefined ? undefined : height(given.supported),
  check: given.check ?? { status: 'agreed' },
  isSolo: false,
  fork: undefined,
  differsAt: undefined,
  genesis: undefined,
  ...given.rest,
});
const status = (given: Parameters<typeof facts>[0]) => statusOf(facts(given), SYNC_DEFAULTS);
const NO_PEERS = { status: 'failed', error: { code: 'NoPeersAvailable', detail: 'nobody' } } as const;

describe('the ladder of seed 001', () => {
  it.each([
    [0, { kind: 'InSync' }],
    [1, { kind: 'SmallGap', gap: 1 }],
    [5, { kind: 'SmallGap', gap: 5 }],
    [6, { kind: 'MediumGap', gap: 6 }],
    [100, { kind: 'MediumGap', gap: 100 }],
    [101, { kind: 'LargeGap', gap: 101 }],
    [1_000, { kind: 'LargeGap', gap: 1_000 }],
  ])('a gap of %i is %o, proved or supported', (gap, expected) => {
    expect(status({ own: 50, proved: 50 + gap })).toEqual(expected);
    expect(status({ own: 50, supported: 50 + gap })).toEqual(expected);
  });

  it('a proved gap of any size is a LargeGap: tier 2 closes it without the operator (SY-3)', () => {
    expect(status({ own: 0, proved: 5_000_000 })).toEqual({ kind: 'LargeGap', gap: 5_000_000 });
  });

  it('an unproved gap above tier2_max_gap is Critical, and is believed no more than that (SY-3)', () => {
    expect(status({ own: 10, supported: 1_010 }).kind).toBe('LargeGap');
    const { kind, ...rest } = status({ own: 10, supported: 1_011 });
    expect(kind).toBe('Critical');
    expect(rest).toEqual({
      reason: '67%+ of the peers report height 1011 without proof, more than tier2_max_gap = 1000 above ours',
    });
    // What is proved is closed first.
    expect(status({ own: 10, proved: 20, supported: 9_999_999 })).toEqual({ kind: 'MediumGap', gap: 10 });
  });

  it('An own height above all others is in sync (Production blocked when nobody is ahead)', () => {
    expect(status({ own: 70, proved: 60, supported: 55 })).toEqual({ kind: 'InSync' });
  });
});

describe('nobody answering is never InSync (SY-2)', () => {
  it('"No peers" taken for "synced": Unknown, with the reason', () => {
    expect(status({ own: 70, check: NO_PEERS })).toEqual({
      kind: 'Unknown',
      reason: 'NoPeersAvailable: nobody',
    });
    expect(status({ own: 70, check: { status: 'none' } }).kind).toBe('Unknown');
    expect(status({}).kind).toBe('Unknown');
  });

  it('is InSync only after a check that agreed, or alone (any facts)', () => {
    const some = fc.option(fc.nat({ max: 2_000 }).map(height), { nil: undefined });
    fc.assert(
      fc.property(
        some,
        some,
        some,
        fc.constantFrom({ status: 'none' } as const, NO_PEERS),
        (own, proved, supported, check) => {
          const given = { ...facts({ check }), own, proved, supported };
          expect(statusOf(given, SYNC_DEFAULTS).kind).not.toBe('InSync');
        },
      ),
    );
  });

  it('a gap that is proved stands although nobody answers now', () => {
    expect(status({ own: 70, proved: 80, check: NO_PEERS })).toEqual({ kind: 'MediumGap', gap: 10 });
  });

  it('solo and bootstrap are explicit', () => {
    const solo = facts({ own: 3, check: { status: 'none' }, rest: { isSolo: true } });
    expect(modeOf(solo)).toBe('solo');
    expect(statusOf(solo, SYNC_DEFAULTS)).toEqual({ kind: 'InSync' });
    expect(modeOf(facts({ own: 0, supported: 0 }))).toBe('bootstrap');
    expect(status({ own: 0, supported: 0 })).toEqual({ kind: 'InSync' });
    expect(status({ own: 0, check: NO_PEERS }).kind).toBe('Unknown');
    expect(modeOf(facts({ own: 0, supported: 4 }))).toBe('network');
    expect(modeOf(facts({ own: 1 }))).toBe('network');
  });
});

describe('forks', () => {
  it('An equal-height fork read as InSync: 67 % with another block is Critical, in the seed’s words (SY-5)', () => {
    expect(status({ own: 70, proved: 70, supported: 70, rest: { differsAt: height(70) } })).toEqual({
      kind: 'Critical',
      reason: 'Fork detected! Our tip differs from 67%+ peers',
    });
  });

  it('a proven fork is Critical whatever else is so, even before the disk was read (SY-5)', () => {
    const fork = 'Two certificates of round 7';
    expect(status({ rest: { fork } })).toEqual({ kind: 'Critical', reason: `Fork detected! ${fork}` });
    expect(status({ own: 1, proved: 9, rest: { fork, isSolo: true } }).kind).toBe('Critical');
  });

  it('a split genesis is Unknown, with what to see (SY-4)', () => {
    expect(status({ own: 7, supported: 7, rest: { genesis: 'split' } })).toEqual({
      kind: 'Unknown',
      reason: 'split',
    });
  });

  it('names what contradicts what', () => {
    const chain = committedChain(world(), 3);
    const [first, second] = [chain.tip(1), chain.tip(2)];
    expect(describeFork({ kind: 'CommitProofs', height: height(1), first, second })).toBe(
      `Two commit proofs for height 1: ${first.id} and ${second.id}`,
    );
    expect(describeFork({ kind: 'RoundCertificates', first: first.proof, second: second.proof })).toBe(
      `Two certificates of round 2: ${first.proof.blockId} and ${second.proof.blockId}`,
    );
  });
});

describe('the health line of seed 001', () => {
  it.each([
    [{ kind: 'InSync' }, 12345, '✅ In Sync: Height 12345 (consensus: 12345)'],
    [{ kind: 'SmallGap', gap: 5 }, 12340, '⚠️ Small Gap: Height 12340 (consensus: 12345, gap: 5)'],
    [{ kind: 'MediumGap', gap: 100 }, 12245, '🟠 Medium Gap: Height 12245 (consensus: 12345, gap: 100)'],
    [{ kind: 'LargeGap', gap: 1000 }, 11345, '🔴 Large Gap: Height 11345 (consensus: 12345, gap: 1000)'],
    [
      { kind: 'Critical', reason: 'Fork detected! Our tip differs from 67%+ peers' },
      12345,
      '🚨 Critical: Fork detected! Our tip differs from 67%+ peers',
    ],
  ] as const)('of %o', (given, own, line) => {
    expect(healthLine(given, height(own), height(12345))).toBe(line);
  });

  it('of Unknown, in the same manner', () => {
    const unknown = { kind: 'Unknown', reason: 'NoPeersAvailable: nobody' } as const;
    expect(healthLine(unknown, height(7), undefined)).toBe(
      '❔ Unknown: Height 7 (consensus: -), NoPeersAvailable: nobody',
    );
    expect(healthLine(unknown, undefined, height(9))).toBe(
      '❔ Unknown: Height - (consensus: 9), NoPeersAvailable: nobody',
    );
  });

  it('and the gap is what the two heights differ by (any gap)', () => {
    fc.assert(
      fc.property(fc.nat({ max: 9_999 }), fc.nat({ max: 9_999 }), (own, ahead) => {
        const given = facts({ own, proved: own + ahead, supported: own });
        const now = statusOf(given, SYNC_DEFAULTS);
        expect('gap' in now ? now.gap : 0).toBe((consensusHeightOf(given, SYNC_DEFAULTS) ?? 0) - own);
      }),
    );
  });
});

describe('the consensus height', () => {
  it('is this node’s own where that is higher, for a quorum certified it', () => {
    expect(consensusHeightOf(facts({ own: 9, proved: 7, supported: 6 }), SYNC_DEFAULTS)).toBe(9);
    expect(consensusHeightOf(facts({ own: 9, proved: 70, supported: 6 }), SYNC_DEFAULTS)).toBe(70);
    expect(consensusHeightOf(facts({ own: 9, proved: 7, supported: 60 }), SYNC_DEFAULTS)).toBe(60);
    expect(
      consensusHeightOf(facts({ own: 9, check: { status: 'none' }, rest: { isSolo: true } }), SYNC_DEFAULTS),
    ).toBe(9);
  });

  it('is not what nobody proved and no probe could look at (SY-3)', () => {
    expect(consensusHeightOf(facts({ own: 9, proved: 12, supported: 9_999 }), SYNC_DEFAULTS)).toBe(12);
    expect(consensusHeightOf(facts({ own: 9, supported: 9_999 }), SYNC_DEFAULTS)).toBe(9);
  });

  it('is not this node’s own while nobody can tell (SY-2)', () => {
    expect(consensusHeightOf(facts({ own: 9, check: NO_PEERS }), SYNC_DEFAULTS)).toBeUndefined();
    expect(consensusHeightOf(facts({ own: 9, proved: 7, check: NO_PEERS }), SYNC_DEFAULTS)).toBeUndefined();
    expect(consensusHeightOf(facts({ own: 9, proved: 12, check: NO_PEERS }), SYNC_DEFAULTS)).toBe(12);
  });
});

describe('the tier that is due', () => {
  it.each([
    ['InSync', undefined],
    ['SmallGap', 1],
    ['Unknown', 1],
    ['MediumGap', 2],
    ['LargeGap', 2],
    ['Critical', 3],
  ] as const)('of %s is %s', (kind, tier) => {
    const given = kind === 'Critical' || kind === 'Unknown' ? { kind, reason: '' } : { kind, gap: 1 };
    expect(tierFor(given)).toBe(tier);
  });
});
