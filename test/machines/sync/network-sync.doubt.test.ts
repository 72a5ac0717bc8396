import { describe, expect, it } from 'vitest';
import { SYNC_DEFAULTS } from '../../../src/protocol/sync/config.ts';
import { height } from '../../protocol/consensus/fixture.ts';
import { strangeId } from '../../protocol/sync/peer-states.ts';
import { agreed, CHAIN, checkFailed, NOT_FOUND, newReach, place, Rig } from './network-rig.ts';

const reach = newReach();
const rigAt = (own: number) => new Rig(reach).begin(own);

describe('where peers contradict certificates', () => {
  it('One lying peer raising Critical: an id of ours that less than J(W) name otherwise is nothing (SY-5)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, exact: 9, supported: 9, proved: CHAIN.tip(9) }));
    expect(rig.asked.get('state-sync')).toMatchObject({
      type: 'hash.verifyRequested',
      height: 9,
      id: CHAIN.tip(9).id,
    });
    rig.hash({ power: 1n });
    expect(rig.context.status).toEqual({ kind: 'InSync' });
    expect(rig.alerts).toEqual([]);
  });

  it('An equal-height fork read as InSync: 67 % are Critical as an alarm; signing goes on, and nothing is begun (SY-5)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, exact: 9, supported: 9, proved: CHAIN.tip(9) }));
    rig.hash({ power: 3n });
    expect(rig.context.status).toEqual({
      kind: 'Critical',
      reason: 'Fork detected! Our tip differs from 67%+ peers',
    });
    expect(rig.alerts).toEqual(['CriticalSyncRequired', 'PeerPollContradictsCertificate']);
    expect(rig.statuses.at(-1)).toMatchObject({ forkProved: false });
    expect(rig.violations).toEqual([]);
    expect(rig.state).toBe('resting');
    expect(rig.count('block-sync') + rig.count('chain-sync')).toBe(0);
    rig.check(agreed({ own: 9, exact: 9, supported: 9, proved: CHAIN.tip(9) }));
    rig.hash('failed');
    expect(rig.context.status.kind).toBe('Critical');
    rig.check(agreed({ own: 9, exact: 9, supported: 9, proved: CHAIN.tip(9) }));
    rig.hash('agreed');
    expect(rig.context.status).toEqual({ kind: 'InSync' });
    expect(rig.cleared).toEqual(['CriticalSyncRequired', 'PeerPollContradictsCertificate']);
  });

  it('Auto-download on Critical: though a proof is ahead, nothing is begun while 67 % contradict our chain (SY-5)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40), differsAt: 9 }));
    expect(rig.state).toBe('resting');
    expect(rig.count('block-sync')).toBe(0);
  });

  it('the same by the tips that tier 1 saw, until a poll says otherwise', () => {
    const rig = rigAt(9).check(agreed({ own: 9, exact: 8, supported: 8, differsAt: 8 }));
    expect(rig.context.status.kind).toBe('Critical');
    expect(rig.done.at(-1)).toMatchObject({ error: { code: 'CriticalSyncRequired' } });
    rig.check(checkFailed('Timeout'));
    expect(rig.context.status.kind).toBe('Critical');
    rig.check(agreed({ own: 9, exact: 9, supported: 9 }));
    expect(rig.context.status.kind).toBe('InSync');
  });

  it('PeerPollContradictsCertificate: 67 % far below what a certificate commits; the certificate is believed', () => {
    const rig = rigAt(9).check(agreed({ own: 9, exact: 3, supported: 3, proved: CHAIN.tip(3) }));
    expect(rig.alerts).toEqual(['PeerPollContradictsCertificate']);
    expect(rig.context.status).toEqual({ kind: 'InSync' });
    expect(rig.context.alerts.get('PeerPollContradictsCertificate')?.detail).toBe(
      "67%+ of the peers report height 3, but a quorum's certificate commits height 9",
    );
    rig.check(agreed({ own: 9, exact: 4, supported: 4, proved: CHAIN.tip(4) }));
    expect(rig.alerts).toEqual([]);
  });

  it('what was committed since the poll does not contradict it', () => {
    const rig = rigAt(9).check(agreed({ own: 9, exact: 9, supported: 9, proved: CHAIN.tip(9) }));
    rig.committed(60);
    expect(rig.alerts).toEqual([]);
    rig.request();
    expect(rig.alerts).toEqual([]);
  });

  it('our block is not asked about where the peers have not got so far, nor genesis', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 8 }));
    expect(rig.count('state-sync')).toBe(0);
    rigAt(0).check(agreed({ own: 0, supported: 0 }));
    expect(rig.count('state-sync')).toBe(0);
  });

  it('an answer about an earlier block of ours is late', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 9 }));
    rig.send({
      type: 'hash.verified',
      tag: 2,
      outcome: { status: 'differs', id: strangeId('x'), answered: 3, power: 3n },
    });
    expect(rig.context.status).toEqual({ kind: 'InSync' });
    expect(rig.context.counts.late).toBe(1);
  });
});

describe('the genesis of the peers (SY-4)', () => {
  it('a split stops every sync, raises an alarm, and is over when they agree', () => {
    const rig = rigAt(9);
    const peers = [place.addressAt(1), place.addressAt(2)];
    const genesisHash = place.epoch.set.hash;
    rig.send({ type: 'genesis.judged', outcome: { status: 'split', genesisHash, peers } });
    expect(rig.context.status.kind).toBe('Unknown');
    expect(rig.alerts).toEqual(['GenesisSplit']);
    rig.check(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40) }));
    expect(rig.state).toBe('resting');
    expect(rig.count('block-sync')).toBe(0);
    rig.send({ type: 'genesis.judged', outcome: { status: 'unanimous', asked: 3, answered: 3 } });
    expect(rig.cleared).toEqual(['GenesisSplit']);
  });

  it('nobody answering about it is a check that failed (SY-2)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 9 }));
    const error = { code: 'NoPeersAvailable', detail: 'nobody' } as const;
    rig.send({ type: 'genesis.judged', outcome: { status: 'unanswered', error } });
    expect(rig.context.status).toEqual({ kind: 'Unknown', reason: 'NoPeersAvailable: nobody' });
    rig.now += SYNC_DEFAULTS.checkInterval;
    rig.send({ type: 'genesis.judged', outcome: { status: 'unanswered', error } });
    expect(rig.raised).toEqual(['NoSyncPeers']);
  });
});

describe('a gap that stays', () => {
  it('what an earlier look of the same sync could not tell is not its error', () => {
    const rig = rigAt(9).check({ ...checkFailed('NoConsensusReached'), proved: CHAIN.tip(20) });
    rig.committed(20);
    rig.ended(20);
    rig.checked(agreed({ own: 20, supported: 20 }));
    expect(rig.done).toEqual([{ type: 'sync.done', tag: 1, status: { kind: 'InSync' } }]);
  });

  it('a failure tells the operator, and the alert ends with the gap (seed 001, flow 2)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40) }));
    rig.ended(NOT_FOUND);
    expect(rig.state).toBe('resting');
    expect(rig.done.at(-1)).toMatchObject({ status: { kind: 'MediumGap', gap: 31 }, error: NOT_FOUND });
    expect(rig.alerts).toEqual(['GapNotClosed']);
    expect(rig.context.alerts.get('GapNotClosed')?.detail).toBe(
      '31 blocks behind: BlockNotFound: nobody has it',
    );
    rig.committed(40);
    expect(rig.context.status).toEqual({ kind: 'InSync' });
    expect(rig.cleared).toEqual(['GapNotClosed']);
    // A gap that opens later has not failed yet.
    rig.check(agreed({ own: 40, supported: 60, proved: CHAIN.tip(60) }));
    expect(rig.alerts).toEqual([]);
  });

  it('looks again at most so often in one sync: the loop goes on with the rest', () => {
    const rig = rigAt(9);
    rig.request();
    for (let run = 0; run < 8; run += 1) {
      rig.checked(agreed({ own: 9 + run, supported: 9, proved: CHAIN.tip(20 + run) }));
      rig.ended(20 + run);
    }
    rig.checked(agreed({ own: 17, supported: 9, proved: CHAIN.tip(40) }));
    expect(rig.state).toBe('resting');
    expect(rig.count('block-sync')).toBe(8);
    rig.check(agreed({ own: 17, supported: 9, proved: CHAIN.tip(40) }));
    expect(rig.count('block-sync')).toBe(9);
  });

  it('what consensus has fetched for it is a gap, too, but not its newest few blocks (SY-11)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 9, proved: CHAIN.tip(9) }));
    const progress = (to: number) =>
      ({
        tier: 2,
        from: height(9),
        at: height(9),
        to: height(to),
        blocksPerSecond: 0,
        peers: [],
        startedAt: rig.context.startedAt,
      }) as const;
    rig.send({ type: 'catchUp.progressed', progress: progress(12) });
    expect(rig.context.status).toEqual({ kind: 'InSync' });
    rig.send({ type: 'catchUp.progressed', progress: progress(60) });
    expect(rig.context.status).toEqual({ kind: 'MediumGap', gap: 51 });
    expect(rig.context.progress?.to).toBe(60);
    rig.send({ type: 'catchUp.progressed' });
    expect(rig.context.status).toEqual({ kind: 'InSync' });
    expect(rig.context.progress).toBeUndefined();
  });
});
