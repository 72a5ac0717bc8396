import fc from 'fast-check';
import { expect, it } from 'vitest';
import { height } from '../../protocol/consensus/fixture.ts';
import { strangeId } from '../../protocol/sync/peer-states.ts';
import { agreed, CHAIN, checkFailed, NOT_FOUND, newReach, Rig } from './network-rig.ts';

const reach = newReach();

/** What may happen to network-sync, in any order; heights up to 200. */
type Act =
  | { readonly kind: 'request'; readonly who: string }
  | {
      readonly kind: 'checked';
      readonly own: number;
      readonly supported: number;
      readonly proved: number;
      readonly exact: boolean;
      readonly differs: boolean;
    }
  | {
      readonly kind:
        | 'checkFailed'
        | 'tip'
        | 'reached'
        | 'catchUpFailed'
        | 'elapse'
        | 'hashDiffers'
        | 'hashAgrees';
    }
  | { readonly kind: 'committed'; readonly to: number }
  | { readonly kind: 'late'; readonly tag: number }
  | { readonly kind: 'resync' | 'resynced' | 'fork' | 'split' | 'unanimous' };

const at = fc.integer({ min: 1, max: 200 });
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    kind: fc.constant('request' as const),
    who: fc.constantFrom('coordinator', 'operator', 'other'),
  }),
  fc.record({
    kind: fc.constant('checked' as const),
    own: at,
    supported: fc.oneof(at, fc.constant(9_000)),
    proved: fc.integer({ min: 0, max: 200 }),
    exact: fc.boolean(),
    differs: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('committed' as const), to: at }),
  fc.record({ kind: fc.constant('late' as const), tag: fc.nat({ max: 3 }) }),
  fc.record({
    kind: fc.constantFrom(
      ...(['checkFailed', 'tip', 'reached', 'catchUpFailed', 'elapse', 'hashDiffers', 'hashAgrees'] as const),
    ),
  }),
  fc.record({ kind: fc.constantFrom(...(['resync', 'resynced', 'split', 'unanimous'] as const)) }),
);
const withFork = fc.oneof(
  { weight: 15, arbitrary: act },
  { weight: 1, arbitrary: fc.constant<Act>({ kind: 'fork' }) },
);

function happen(rig: Rig, one: Act, index: number): void {
  rig.now += 7;
  switch (one.kind) {
    case 'request':
      rig.request(index, one.who, one.who === 'coordinator' ? 'loop' : 'manual');
      return;
    case 'checked': {
      const { own, supported, proved, exact, differs } = one;
      rig.checked(
        agreed({
          own,
          supported,
          ...(exact ? { exact: supported } : {}),
          ...(proved === 0 ? {} : { proved: CHAIN.tip(proved) }),
          ...(differs ? { differsAt: own } : {}),
        }),
      );
      return;
    }
    case 'checkFailed':
      rig.checked(checkFailed('NoPeersAvailable'));
      return;
    case 'tip':
      rig.tip(5, CHAIN.tip(5).id);
      return;
    case 'reached':
      rig.ended(200);
      return;
    case 'catchUpFailed':
      rig.ended(NOT_FOUND);
      return;
    case 'hashDiffers':
      rig.hash({ power: 3n });
      return;
    case 'hashAgrees':
      rig.hash('agreed');
      return;
    case 'committed':
      rig.committed(one.to);
      return;
    case 'late':
      rig.send({ type: 'catchUp.ended', tag: one.tag, outcome: { status: 'reached', height: height(9) } });
      return;
    case 'elapse':
      elapseIfArmed(rig);
      return;
    case 'resync':
      rig.resync('operator', index);
      return;
    case 'resynced':
      rig.resyncEnded(height(9));
      return;
    case 'fork':
      rig.fork();
      return;
    case 'split':
      rig.send({
        type: 'genesis.judged',
        outcome: { status: 'split', genesisHash: strangeId('g'), peers: [] },
      });
      return;
    case 'unanimous':
      rig.send({ type: 'genesis.judged', outcome: { status: 'unanimous', asked: 1, answered: 1 } });
      return;
  }
}

const TIMED = new Set(['starting', 'checking', 'catchingUp', 'resyncing']);
const topOf = (rig: Rig): string =>
  typeof rig.state === 'string' ? rig.state : (Object.keys(rig.state)[0] ?? '');

function elapseIfArmed(rig: Rig): void {
  if (TIMED.has(topOf(rig))) rig.elapse();
}

/** How many questions of the tiers are open: never more than one (Competing loops). */
const openTiers = (rig: Rig): number => (TIMED.has(topOf(rig)) && topOf(rig) !== 'starting' ? 1 : 0);

it('any interleaving: one sync at a time, InSync only by an agreement, a fork is final, and nothing is left behind', () => {
  fc.assert(
    fc.property(fc.array(withFork, { maxLength: 60 }), (acts) => {
      const rig = new Rig(reach);
      let forked = false;
      let asked = 0;
      for (const [index, one] of acts.entries()) {
        const before = ['height-sync', 'block-sync', 'chain-sync'].reduce(
          (sum, cell) => sum + rig.count(cell),
          0,
        );
        const wasOpen = openTiers(rig);
        const resyncs = rig.count('chain-sync');
        if (one.kind === 'request') asked += 1;
        happen(rig, one, index);
        forked ||= one.kind === 'fork';
        const after = ['height-sync', 'block-sync', 'chain-sync'].reduce(
          (sum, cell) => sum + rig.count(cell),
          0,
        );
        // A step begins at most one tier, and none beside one that runs, but for the operator's.
        expect(after - before).toBeLessThanOrEqual(1);
        if (one.kind === 'request' && wasOpen === 1) expect(after).toBe(before);
        if (rig.count('chain-sync') > resyncs) expect(one.kind).toBe('resync');
        const { status, check, fork } = rig.context;
        if (status.kind === 'InSync') expect(check.status).toBe('agreed');
        if (forked) expect([status.kind, fork === undefined]).toEqual(['Critical', false]);
        expect(rig.context.askers.length).toBeLessThanOrEqual(16);
        expect(rig.violations.length).toBeLessThanOrEqual(1);
      }
      // Every cell falls silent: timers alone bring it to rest, and everybody who asked has an answer.
      for (let step = 0; step < 40 && TIMED.has(topOf(rig)); step += 1) {
        if (topOf(rig) === 'starting') rig.tip(5, CHAIN.tip(5).id);
        else rig.elapse();
      }
      expect(['joining', 'resting', 'critical']).toContain(topOf(rig));
      expect(rig.context.askers).toEqual([]);
      const replaced = asked - new Set(rig.done.map(({ tag }) => tag)).size;
      expect(replaced).toBeGreaterThanOrEqual(0);
      if (!acts.some((one) => one.kind === 'request' && one.who !== 'operator')) expect(replaced).toBe(0);
    }),
    { numRuns: 400 },
  );
});

it('what network-sync shows of itself hangs together after any history', () => {
  fc.assert(
    fc.property(fc.array(withFork, { maxLength: 40 }), (acts) => {
      const rig = new Rig(reach);
      for (const [index, one] of acts.entries()) {
        happen(rig, one, index);
        const { status, ownHeight, consensusHeight, told, alerts } = rig.context;
        if ('gap' in status) expect(consensusHeight).toBe((ownHeight ?? 0) + status.gap);
        expect(told?.status.kind).toBe(status.kind);
        expect(alerts.has('CriticalSyncRequired')).toBe(status.kind === 'Critical');
        const standing = rig.raised.filter((alert) => alerts.has(alert));
        expect(rig.raised.length - rig.cleared.length).toBe(new Set(standing).size);
      }
    }),
    { numRuns: 300 },
  );
});
