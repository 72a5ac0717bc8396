import { describe, expect, it } from 'vitest';
import { blockOn, present, qcOf } from '../../protocol/consensus/fixture.ts';
import { fetchOf, newStateSyncReach, type RigOptions, StateSyncRig } from './state-sync.rig.ts';

const reach = newStateSyncReach();
const rig = (options: RigOptions = {}) => new StateSyncRig(reach, options);
const HOUR = 3_600_000;

describe('forks (SY-5)', () => {
  const forkedAt = (at: StateSyncRig, tip: number) => {
    const below = present(at.chain.blocks[tip - 2], 'block below');
    const block = blockOn(at.place, below.qc, 50);
    const qc = qcOf(at.place, block);
    return { tipId: qc.blockId, proof: qcOf(at.place, blockOn(at.place, qc, 51)) };
  };

  it('tells of two proofs for different blocks at an equal height, with both as evidence', () => {
    const at = rig({ committed: 12 });
    const other = forkedAt(at, 12);
    at.join(0, 12, other);
    expect(at.forks).toMatchObject([
      { type: 'fork.found', from: at.peer(0), evidence: { kind: 'CommitProofs', height: 12 } },
    ]);
    const [fork] = at.forks;
    const both =
      fork?.type === 'fork.found' && fork.evidence.kind === 'CommitProofs' ? fork.evidence : undefined;
    expect(new Set([both?.first.proof, both?.second.proof])).toEqual(
      new Set([other.proof, at.chain.proofs[11]]),
    );
  });

  it('sees one at a height below its own, and among two peers above it', () => {
    const below = rig({ committed: 12 });
    below.join(0, 7, forkedAt(below, 7));
    expect(below.forks).toMatchObject([{ evidence: { height: 7 } }]);
    const above = rig({ committed: 2 });
    above.join(0, 12);
    above.join(1, 12, forkedAt(above, 12));
    expect(above.forks).toMatchObject([{ evidence: { height: 12 }, from: above.peer(1) }]);
  });

  it('bug "one lying peer raising Critical": without a proof that holds there is none, only a liar', () => {
    const at = rig({ committed: 12 });
    const { tipId, proof } = forkedAt(at, 12);
    const { proof: _, ...unproved } = at.claim(0, 12, { tipId });
    at.take('GetBlockHeight');
    at.connect(0);
    const [question] = at.take('GetBlockHeight');
    const { requestId } = present(question, 'question').message;
    at.answer(present(question, 'question'), { ...unproved, requestId });
    at.join(1, 12, { tipId, proof: { ...proof, signature: new Uint8Array(96) } });
    expect(at.forks).toEqual([]);
    expect(at.blamed.map(({ code }) => code)).toEqual(['CLAIM_FALSE', 'CLAIM_FALSE']);
  });

  it('bug "re-sync from the peer that caused the fork": it is asked for no block until trust has grown anew', () => {
    const at = rig({ committed: 12 });
    at.join(0, 12, forkedAt(at, 12));
    at.join(0, 20);
    at.send(fetchOf(13, 5, { holders: [at.peer(0)] }));
    expect(at.replies).toMatchObject([{ type: 'fetch.failed', tried: [] }]);
    at.advance(5 * HOUR);
    at.send(fetchOf(13, 5, { holders: [at.peer(0)] }));
    expect(at.replies.at(-1)).toMatchObject({ type: 'fetch.started', peer: at.peer(0) });
  });
});
