import { describe, expect, it } from 'vitest';
import { wallTime } from '../../../src/base/units.ts';
import { newReputation } from '../../../src/protocol/sync/reputation.ts';
import { present } from '../../protocol/consensus/fixture.ts';
import { fetchOf, newStateSyncReach, type RigOptions, START_WALL, StateSyncRig } from './state-sync.rig.ts';

const reach = newStateSyncReach();
const rig = (options: RigOptions = {}) => new StateSyncRig(reach, options);
const HOUR = 3_600_000;

describe('reputations on disk (SY-6, SY-9)', () => {
  it('are written at most once a minute, and within a second when a peer has lied', () => {
    const at = rig();
    for (let count = 0; count < 20; count += 1) at.join(0, 10 + (count % 2 === 0 ? 0 : 1));
    at.advance(59_000);
    expect(at.persisted).toEqual([]);
    at.advance(1_000);
    expect(at.persisted).toHaveLength(1);
    at.send({ type: 'peer.judged', peer: at.peer(0), verdict: { code: 'BAD_BLOCKS' } });
    at.advance(1_000);
    expect(at.persisted).toHaveLength(2);
    expect(at.blamed).toContainEqual({ peer: at.peer(0), code: 'BAD_BLOCKS' });
    expect(at.persisted.at(-1)?.map(({ peer }) => peer)).toEqual([...at.peers].sort());
  });

  it('count the uptime of who is connected, and not that of who is away or while this node was down', () => {
    const at = rig({
      kept: ({ addressAt }) => [
        {
          ...newReputation(addressAt(1), wallTime(START_WALL - 10 * HOUR)),
          at: wallTime(START_WALL - 9 * HOUR),
        },
      ],
    });
    at.join(0, 10);
    const uptime = (index: number) => at.wall - at.state(index).reputation.consistentSince;
    expect(uptime(0)).toBe(HOUR);
    at.advance(2 * HOUR);
    expect(uptime(0)).toBe(3 * HOUR);
    at.disconnect(0);
    at.advance(HOUR);
    at.join(0, 10);
    expect(uptime(0)).toBe(3 * HOUR);
    at.send({ type: 'peer.judged', peer: at.peer(0), verdict: { code: 'BAD_BLOCKS' } });
    expect(uptime(0)).toBe(0);
  });

  it('keep a peer out that contradicted in an earlier life of this node', () => {
    const first = rig({ committed: 12 });
    const proof = { ...present(first.chain.proofs[11], 'proof'), signature: new Uint8Array(96) };
    first.join(0, 15, { proof });
    first.advance(1_000);
    const kept = present(first.persisted.at(-1), 'reputations');
    const next = rig({ kept: () => kept });
    next.join(0, 15);
    next.send(fetchOf(1, 5, { holders: [next.peer(0)] }));
    expect(next.replies).toMatchObject([{ type: 'fetch.failed', tried: [] }]);
  });
});
