import { describe, expect, it } from 'vitest';
import type { Epoch } from '../../../src/protocol/chain/types.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import {
  forkAmong,
  forkOf,
  ownTip,
  provedTipOf,
  ruleOnChain,
  ruleOnClaim,
  statesCommitOf,
  wentBack,
} from '../../../src/protocol/sync/claims.ts';
import {
  blockOn,
  chainOf,
  epochNumber,
  height,
  idOf,
  present,
  qcOf,
  round,
  world,
} from '../consensus/fixture.ts';

const place = world();
const { epoch, bls } = place;
const { blocks, qcs } = chainOf(place, [1, 2, 3, 4, 6, 7]);
const qc = (at: number) => present(qcs[at - 1], `QC ${at}`);
const idAt = (at: number) => qc(at).blockId;
const claimOf = (at: number) => ({ base: height(1), height: height(at), tipId: idAt(at), proof: qc(at + 1) });
const rule = (claim: Parameters<typeof ruleOnClaim>[3], held?: Parameters<typeof ruleOnClaim>[4]) =>
  ruleOnClaim(epoch, bls, NONE_VERIFIED, claim, held).ruling;

/** As a later validator set would sign it. */
const ofNextEpoch = <Statement extends { readonly epoch: Epoch }>(statement: Statement): Statement => ({
  ...statement,
  epoch: epochNumber(1),
});

/** Another block at height 2, with a certified child of consecutive round: only more than a third of liars can make it. */
const other = blockOn(place, qc(1), 8);
const otherQc = qcOf(place, other);
const child = blockOn(place, otherQc, 9);
const otherTip = { height: height(2), id: idOf(place, other), proof: qcOf(place, child) };

describe('what a claim is worth (SY-3)', () => {
  it('takes a height as proved by the certificate of a child of the tip in the next round', () => {
    expect(rule(claimOf(3))).toMatchObject({ status: 'accepted', claim: { status: 'proved', height: 3 } });
    expect(provedTipOf({ ...claimOf(3), status: 'proved' })).toMatchObject({ height: 3, id: idAt(3) });
  });

  it('takes no certificate of a later round for a proof of commit (CS-5)', () => {
    // Round 5 failed: the certificate of height 5 commits nothing.
    expect(statesCommitOf(qc(5), { height: height(4), id: idAt(4) })).toBe(false);
    expect(rule(claimOf(4))).toMatchObject({ status: 'false' });
    expect(rule(claimOf(5))).toMatchObject({ status: 'accepted' });
  });

  it('takes a claim without proof above its own chain for unproved: a probe, never a target', () => {
    const { proof: _, ...unproved } = claimOf(3);
    expect(rule(unproved)).toMatchObject({ status: 'accepted', claim: { status: 'unproved' } });
    expect(provedTipOf({ ...unproved, status: 'unproved' })).toBeUndefined();
  });

  it('needs no proof, and looks at none, where the claim names the block that this node committed', () => {
    const before = bls.calls.fastAggregateVerify;
    const forged = { ...claimOf(3), proof: { ...qc(4), signature: qc(2).signature } };
    expect(rule(forged, idAt(3))).toMatchObject({ status: 'accepted', claim: { status: 'proved' } });
    expect(bls.calls.fastAggregateVerify).toBe(before);
  });

  it('takes everything else for a lie', () => {
    const lies = [
      { ...claimOf(3), base: height(4) },
      { ...claimOf(3), proof: { ...qc(4), signature: qc(2).signature } },
      { ...claimOf(3), proof: qc(3) },
      { ...claimOf(2), tipId: idAt(1) },
      { ...claimOf(2), proof: { ...qc(4), signature: qc(2).signature } },
      { ...claimOf(3), tipId: idAt(2) },
      { base: height(0), height: height(0), tipId: idAt(1) },
    ];
    for (const lie of lies) expect(rule(lie)).toMatchObject({ status: 'false', code: 'CLAIM_FALSE' });
    const { proof: _, ...unproved } = claimOf(3);
    expect(rule({ ...unproved, tipId: otherTip.id }, idAt(3))).toMatchObject({ status: 'false' });
  });

  it('takes a proof high above the tip for none: it may have committed the last block of an epoch (CS-16)', () => {
    const above = { ...claimOf(2), proof: qc(4) };
    expect(rule(above)).toMatchObject({ status: 'accepted', claim: { status: 'unproved', height: 2 } });
    expect(rule(above, otherTip.id)).toMatchObject({ status: 'false' });
  });

  it('rules no lie, and no proof, what is proved by a later epoch, whose validators are not known here (CS-16)', () => {
    const claim = { ...claimOf(3), proof: ofNextEpoch(qc(4)) };
    const later = { status: 'accepted', claim: { status: 'later', height: 3, epoch: 1 } };
    expect(rule(claim)).toMatchObject(later);
    expect(rule(claim, otherTip.id)).toMatchObject(later);
    expect(rule({ ...claim, base: height(4) }), 'that is a lie in any epoch').toMatchObject({
      status: 'false',
    });
  });

  it('knows genesis without proof', () => {
    const genesis = { base: height(0), height: height(0), tipId: epoch.rootQC.blockId };
    expect(rule(genesis)).toMatchObject({ status: 'accepted', claim: { status: 'proved', height: 0 } });
  });

  it('verifies each proof once, however many peers show it', () => {
    const first = ruleOnClaim(epoch, bls, NONE_VERIFIED, claimOf(2), undefined);
    const before = bls.calls.fastAggregateVerify;
    ruleOnClaim(epoch, bls, first.verified, claimOf(2), undefined);
    expect(bls.calls.fastAggregateVerify).toBe(before);
  });

  it('sees height and base go backwards', () => {
    const now = { ...claimOf(3), status: 'proved' } as const;
    expect(wentBack(now, now)).toBe(false);
    expect(wentBack(now, { ...now, height: height(2) })).toBe(true);
    expect(wentBack({ ...now, base: height(2) }, now)).toBe(true);
  });
});

describe('forks (SY-5)', () => {
  const { id: otherId, ...tip } = otherTip;
  const forked = { base: height(1), ...tip, tipId: otherId };

  it('is one when a proof that holds commits another block than this node did', () => {
    expect(rule(forked, idAt(2))).toMatchObject({ status: 'fork', tip: { height: 2, id: otherId } });
  });

  it('bug "one lying peer raising Critical": is none without a proof that holds', () => {
    const { proof, ...without } = forked;
    const forged = { ...proof, signature: qc(1).signature };
    for (const lie of [without, { ...without, proof: forged }, { ...without, proof: qc(3) }])
      expect(rule(lie, idAt(2))).toMatchObject({ status: 'false' });
  });

  it('is evidence by two commit proofs at a height, in one order whoever was first', () => {
    const own = { height: height(2), id: idAt(2), proof: qc(3) };
    const evidence = forkOf(own, otherTip);
    expect(evidence).toMatchObject({ kind: 'CommitProofs', height: 2 });
    expect(forkOf(otherTip, own)).toEqual(evidence);
    expect(forkAmong(own, [{ peer: place.addressAt(1), claim: { ...forked, status: 'proved' } }])).toEqual(
      evidence,
    );
  });

  it('is evidence by two certificates of one round, and none by two of different rounds at one height', () => {
    const twin = blockOn(place, qc(1), 2, { time: 5_000_000 });
    const sameRound = { height: height(1), id: idAt(1), proof: qcOf(place, twin) };
    expect(forkOf({ height: height(1), id: idAt(1), proof: qc(2) }, sameRound)).toMatchObject({
      kind: 'RoundCertificates',
      first: { round: round(2) },
    });
    const laterRound = { height: height(1), id: idAt(1), proof: qcOf(place, blockOn(place, qc(1), 8)) };
    expect(forkOf({ height: height(1), id: idAt(1), proof: qc(2) }, laterRound)).toBeUndefined();
  });

  it('shows the certificate of the block above as its own proof where that is direct and holds', () => {
    const certified = blocks.map((block, index) => ({ block, qc: qc(index + 1) }));
    const two = certified.slice(1, 3);
    expect(ownTip(epoch, bls, two, qc(6))).toEqual({ height: 2, id: idAt(2), proof: qc(3) });
    const forged = two.map(({ block, qc: of }) => ({ block, qc: { ...of, signature: qc(1).signature } }));
    expect(ownTip(epoch, bls, forged, qc(6))).toMatchObject({ proof: qc(6) });
    expect(ownTip(epoch, bls, certified.slice(3, 5), qc(6))).toMatchObject({ height: 4, proof: qc(6) });
    expect(ownTip(epoch, bls, [], undefined)).toBeUndefined();
  });
});

describe('description of a whole chain (SY-9)', () => {
  const checkpoints = [1, 2, 3].map((at) => ({ height: height(at), id: idAt(at) }));
  const chain = { kind: 'Chain', requestId: 1, base: height(1), proof: qc(4), checkpoints } as const;
  const rulingOn = (changes: object) =>
    ruleOnChain(epoch, bls, NONE_VERIFIED, { ...chain, ...changes }).ruling;

  it('is taken when its checkpoints rise from its base to a tip that is proved', () => {
    expect(rulingOn({})).toBe('sound');
    const genesis = [{ height: height(0), id: epoch.rootQC.blockId }];
    const { proof: _, ...unproved } = chain;
    expect(
      ruleOnChain(epoch, bls, NONE_VERIFIED, { ...unproved, base: height(0), checkpoints: genesis }).ruling,
    ).toBe('sound');
  });

  it('is refused otherwise', () => {
    const { proof: _, ...unproved } = chain;
    expect(ruleOnChain(epoch, bls, NONE_VERIFIED, unproved).ruling, 'as at the end of an epoch').toBe(
      'notUnderstood',
    );
    expect(rulingOn({ checkpoints: [] })).toBe('false');
    expect(rulingOn({ checkpoints: [...checkpoints].reverse() })).toBe('false');
    expect(rulingOn({ checkpoints: checkpoints.slice(0, 2) })).toBe('false');
    expect(rulingOn({ base: height(2) })).toBe('false');
    expect(rulingOn({ proof: { ...qc(4), signature: qc(1).signature } })).toBe('false');
    expect(rulingOn({ base: height(0), checkpoints: [{ height: height(0), id: idAt(1) }] })).toBe('false');
    const many = Array.from({ length: 129 }, (_, index) => ({ height: height(index + 1), id: idAt(1) }));
    expect(rulingOn({ checkpoints: many })).toBe('false');
  });

  it('is not understood, and no lie, with a proof of an epoch whose validators are not known here', () => {
    expect(rulingOn({ proof: ofNextEpoch(qc(4)) })).toBe('notUnderstood');
  });
});
