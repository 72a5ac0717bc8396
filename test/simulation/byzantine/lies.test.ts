/** Each lie does what it is called, and signs with the liar's own key alone. Rule SM-3. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/actors/runtime/index.ts';
import { ECVRF } from '../../../src/crypto/vrf.ts';
import { BRIDGE_KINDS } from '../../../src/protocol/bridge/messages.ts';
import { signersOf } from '../../../src/protocol/chain/signers.ts';
import {
  verifyQC,
  verifyTC,
  verifyViewChange,
  verifyVote,
} from '../../../src/protocol/consensus/certificates.ts';
import {
  doubleVote,
  qcHiding,
  timeoutStatementOf,
  verifyEvidence,
} from '../../../src/protocol/consensus/evidence.ts';
import { checkProposal } from '../../../src/protocol/consensus/proposal.ts';
import type { PeerMessage, PeerMessageKind } from '../../../src/protocol/consensus/types.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import { isPeerMessage } from '../../../src/protocol/transport/kinds.ts';
import { createLiar, LIE_KINDS, LIES } from '../../../src/simulation/byzantine/index.ts';
import type { Letter } from '../../../src/simulation/byzantine/lie.ts';
import type { LieKind } from '../../../src/simulation/plan.ts';
import { encode } from '../../../src/transport/codec/codec.ts';
import { bridgeLetters, correspondence, LIAR, timeReplies } from './letters.ts';

const LIMITS = { batchesMax: 64, bytesMax: 1_048_576 };
const { epoch, bls, signer, letters: real } = correspondence();
const letters: typeof real = [
  ...real,
  ...[...timeReplies(correspondence()), ...bridgeLetters(correspondence())].map(
    (letter) => ({ direction: 'sent', letter }) as const,
  ),
];

interface Told<Kind extends PeerMessageKind> {
  readonly truth: Letter<Kind>;
  readonly said: readonly Letter[];
}

/** What the liar says for each message of one kind that its program sent. */
function told<Kind extends PeerMessageKind>(lie: LieKind, kind: Kind, rate = 1): readonly Told<Kind>[] {
  const voice = createLiar(
    { validator: LIAR, lies: [lie], rate },
    {
      signer,
      epoch,
      draws: seededRandom('lies').stream(lie),
      aggregate: (signatures) => bls.aggregateSignatures(signatures),
    },
  );
  return letters.flatMap(({ direction, letter }): readonly Told<Kind>[] => {
    if (direction === 'heard') {
      voice.heard(letter);
      return [];
    }
    const said = voice.outgoing(letter).flatMap((transit): readonly Letter[] => {
      const { message } = transit;
      return isPeerMessage(message) ? [{ ...transit, message }] : [];
    });
    return isOf(kind, letter) ? [{ truth: letter, said }] : [];
  });
}

const isOf = <Kind extends PeerMessageKind>(kind: Kind, letter: Letter): letter is Letter & Letter<Kind> =>
  letter.message.kind === kind;

const saidOf = <Kind extends PeerMessageKind>(
  all: readonly Told<Kind>[],
  kind: Kind,
): readonly Letter<Kind>[] => all.flatMap(({ said }) => said.filter((one) => isOf(kind, one)));

const codeOf = (verdict: 'valid' | { readonly code: string }): string =>
  verdict === 'valid' ? 'valid' : verdict.code;

/** What a receiver that knows no state says of a proposal of the liar's. */
function verdictOn({ message }: Letter<'Proposal'>): string {
  const check = checkProposal(epoch, { bls, vrf: ECVRF }, NONE_VERIFIED, LIMITS, {
    message,
    from: signer.address,
  });
  return check.status === 'authentic' ? 'valid' : check.refusal.code;
}

const isOwnAndSigned = (message: PeerMessage): boolean => {
  if (message.kind === 'Proposal') return codeOf(verifyVote(epoch, bls, message.vote)) === 'valid';
  if (message.kind === 'Vote') return codeOf(verifyVote(epoch, bls, message.vote)) === 'valid';
  return message.kind === 'ViewChange' && codeOf(verifyViewChange(epoch, bls, message)) === 'valid';
};

describe('every lie', () => {
  it.each(LIE_KINDS)('%s: what is said differs from the truth, and the codec carries it', (lie) => {
    const all = LIES[lie].concerns.flatMap((kind) => told(lie, kind));
    const lied = all.filter(({ truth, said }) => said.length !== 1 || said[0]?.message !== truth.message);
    expect(lied.length).toBeGreaterThan(5);
    for (const { said } of lied.slice(0, 60)) {
      for (const { message } of said) expect(encode(message)).toMatchObject({ outcome: 'encoded' });
    }
  });

  it.each(BRIDGE_KINDS)('mutate: changes what bridges say (%s), and the codec carries it', (kind) => {
    const all = told('mutate', kind);
    // Four are given; a network's bridges say more of their own accord.
    expect(all.length).toBeGreaterThanOrEqual(4);
    for (const { truth, said } of all) {
      expect(said.map(({ message }) => message)).not.toEqual([truth.message]);
      for (const { message } of said) expect(encode(message)).toMatchObject({ outcome: 'encoded' });
    }
  });

  it.each(LIE_KINDS)('%s: leaves what does not concern it alone', (lie) => {
    const { concerns } = LIES[lie];
    const others = (
      ['Proposal', 'Vote', 'QC', 'ViewChange', 'Batch', 'GetBlock', 'TimeReply'] as const
    ).filter((kind) => !concerns.includes(kind));
    for (const kind of others) {
      for (const { truth, said } of told(lie, kind)) {
        expect(said).toHaveLength(1);
        expect(said[0]?.message).toBe(truth.message);
      }
    }
  });

  it.each(LIE_KINDS)(
    '%s: at rate 0 is the truth, at 0.5 about half, and for one message one decision',
    (lie) => {
      const [kind = 'Vote'] = LIES[lie].concerns;
      for (const { truth, said } of told(lie, kind, 0))
        expect(said.map(({ message }) => message)).toEqual([truth.message]);
      const half = LIES[lie].concerns.flatMap((one) => told(lie, one, 0.5));
      const isTruth = ({ truth, said }: (typeof half)[number]): boolean =>
        said.length === 1 && said[0]?.message === truth.message;
      expect(half.filter(isTruth).length).toBeGreaterThan(half.length / 5);
      expect(half.filter((one) => !isTruth(one)).length).toBeGreaterThan(0);
    },
  );

  it.each(LIE_KINDS)('%s: is the same for the same seed', (lie) => {
    const [kind = 'Vote'] = LIES[lie].concerns;
    expect(told(lie, kind)).toEqual(told(lie, kind));
  });
});

describe('equivocate', () => {
  it('tells two valid blocks of a round to two halves, which prove a double vote (CS-14)', () => {
    const proposals = saidOf(told('equivocate', 'Proposal'), 'Proposal');
    const byRound = Map.groupBy(proposals, ({ message }) => message.block.header.round);
    let proven = 0;
    for (const [, ofRound] of byRound) {
      for (const one of ofRound) expect(['valid', 'BATCHES_ROOT_WRONG']).toContain(verdictOn(one));
      const ids = [...new Map(ofRound.map(({ message }) => [message.vote.blockId, message.vote])).values()];
      expect(ids.length).toBeLessThanOrEqual(2);
      const [first, second] = ids;
      const evidence = first && second && doubleVote(first, second);
      if (evidence === undefined) continue;
      expect(verifyEvidence(epoch, bls, evidence)).toBe('valid');
      proven += 1;
    }
    expect(proven).toBeGreaterThan(3);
  });

  it('votes for two blocks of a round', () => {
    const votes = saidOf(told('equivocate', 'Vote'), 'Vote').map(({ message }) => message.vote);
    for (const vote of votes) expect(verifyVote(epoch, bls, vote)).toBe('valid');
    const pairs = votes.flatMap((vote) => votes.flatMap((other) => doubleVote(vote, other) ?? []));
    expect(pairs.length).toBeGreaterThan(0);
  });
});

describe('withhold-votes', () => {
  it('sends no vote, and timeouts without one, validly signed', () => {
    expect(saidOf(told('withhold-votes', 'Vote'), 'Vote')).toEqual([]);
    const timeouts = told('withhold-votes', 'ViewChange');
    expect(timeouts.some(({ truth }) => truth.message.lastVote !== undefined)).toBe(true);
    for (const { message } of saidOf(timeouts, 'ViewChange')) {
      expect(message.lastVote).toBeUndefined();
      expect(verifyViewChange(epoch, bls, message)).toBe('valid');
    }
  });
});

describe('hide-qc', () => {
  it('tells no QC and no block on a fresh one', () => {
    expect(saidOf(told('hide-qc', 'QC'), 'QC')).toEqual([]);
    for (const { message } of saidOf(told('hide-qc', 'Proposal'), 'Proposal')) {
      expect(message.tc).toBeDefined();
      expect(message.block.qc.round).toBe(message.tc?.highQC.round);
    }
  });

  it('signs timeouts over older QCs, which with its votes prove the offence (CS-14)', () => {
    const timeouts = saidOf(told('hide-qc', 'ViewChange'), 'ViewChange').map(({ message }) => message);
    expect(timeouts.length).toBeGreaterThan(0);
    for (const timeout of timeouts) expect(verifyViewChange(epoch, bls, timeout)).toBe('valid');
    const votes = letters.flatMap(({ direction, letter: { message } }) =>
      direction === 'sent' && message.kind === 'Vote' ? [message.vote] : [],
    );
    const proven = timeouts.flatMap((timeout) =>
      votes.flatMap((vote) => qcHiding(vote, timeoutStatementOf(timeout)) ?? []),
    );
    expect(proven.length).toBeGreaterThan(0);
    for (const evidence of proven.slice(0, 5)) expect(verifyEvidence(epoch, bls, evidence)).toBe('valid');
  });
});

describe('stale-certificates', () => {
  it('puts older ones in the place of the present, in its own signed messages', () => {
    for (const { truth, said } of told('stale-certificates', 'Proposal')) {
      for (const one of said.filter((letter) => isOf('Proposal', letter))) {
        expect(isOwnAndSigned(one.message)).toBe(true);
        if (one.message === truth.message) continue;
        expect(one.message.block.qc.round).toBeLessThanOrEqual(truth.message.block.qc.round);
        expect(['ENTRY_INVALID', 'NOT_EXTENDING_LOCK', 'valid']).toContain(verdictOn(one));
      }
    }
    const lied = told('stale-certificates', 'ViewChange').filter(
      ({ truth, said }) => said[0]?.message !== truth.message,
    );
    expect(lied.length).toBeGreaterThan(0);
    for (const { truth, said } of lied) {
      const [one] = said.filter((letter) => isOf('ViewChange', letter));
      expect(one?.message.highQC.round).toBeLessThan(truth.message.highQC.round);
    }
  });
});

describe('lie-heights', () => {
  it('signs blocks of another height, which are refused for it', () => {
    const proposals = saidOf(told('lie-heights', 'Proposal'), 'Proposal');
    expect(proposals.length).toBeGreaterThan(0);
    for (const one of proposals) {
      expect(isOwnAndSigned(one.message) || one.message.block.header.height === 0).toBe(true);
      expect(['HEIGHT_WRONG', 'LINK_WRONG']).toContain(verdictOn(one));
    }
    for (const { truth, said } of told('lie-heights', 'Vote')) {
      const [one] = said.filter((letter) => isOf('Vote', letter));
      expect(one?.message.vote.height).not.toBe(truth.message.vote.height);
    }
  });
});

describe('lie-times', () => {
  it('signs blocks that differ in their time alone', () => {
    for (const { truth, said } of told('lie-times', 'Proposal')) {
      const [one] = said.filter((letter) => isOf('Proposal', letter));
      if (one === undefined) continue;
      const { time, ...rest } = one.message.block.header;
      const { time: before, ...same } = truth.message.block.header;
      expect(rest).toEqual(same);
      expect(time).not.toBe(before);
      expect(verdictOn(one)).toBe('valid');
    }
  });
});

describe('forge-signers', () => {
  it('claims all as signers of QCs and TCs that they never signed (CS-4, CS-8)', () => {
    for (const { message } of saidOf(told('forge-signers', 'QC'), 'QC')) {
      expect(signersOf(epoch.set, message.qc.signers)).toHaveLength(4);
      expect(codeOf(verifyQC(epoch, bls, message.qc))).toBe('SIGNATURE_INVALID');
    }
    for (const { message } of saidOf(told('forge-signers', 'NewView'), 'NewView')) {
      expect(codeOf(verifyTC(epoch, bls, message.tc))).toBe('SIGNATURE_INVALID');
    }
    const proposals = saidOf(told('forge-signers', 'Proposal'), 'Proposal');
    expect(proposals.length).toBeGreaterThan(0);
    for (const one of proposals) {
      expect(isOwnAndSigned(one.message)).toBe(true);
      expect(['SIGNATURE_INVALID', 'ROOT_CERTIFICATE_WRONG']).toContain(verdictOn(one));
    }
  });
});

describe('duplicate-signers', () => {
  it('counts itself three times in QCs and TCs, and names bits beyond the set', () => {
    for (const { message } of saidOf(told('duplicate-signers', 'QC'), 'QC')) {
      expect(codeOf(verifyQC(epoch, bls, message.qc))).toBe('SIGNATURE_INVALID');
    }
    const codes = saidOf(told('duplicate-signers', 'Proposal'), 'Proposal').map(verdictOn);
    expect(codes).toContain('SIGNERS_MALFORMED');
    expect(codes).toContain('SIGNER_TWICE');
    expect(codes).not.toContain('valid');
  });

  it('says its votes three times, byte for byte', () => {
    for (const { truth, said } of told('duplicate-signers', 'Vote')) {
      expect(said.map(({ message }) => message)).toEqual([truth.message, truth.message, truth.message]);
    }
  });
});

describe('flood', () => {
  it('says the truth first, and up to sixteen more', () => {
    const all = told('flood', 'Vote');
    for (const { truth, said } of all) {
      expect(said[0]).toEqual(truth);
      expect(said.length).toBeGreaterThan(0);
      expect(said.length).toBeLessThanOrEqual(17);
    }
    const kinds = new Set(all.flatMap(({ said }) => said.map(({ message }) => message.kind)));
    for (const kind of ['GetBatch', 'BatchAck', 'GetBlocks', 'Batch', 'Vote']) expect(kinds).toContain(kind);
  });
});

describe('mutate', () => {
  it('changes a field, and signs again where it is its own to sign', () => {
    for (const kind of ['Proposal', 'Vote', 'ViewChange'] as const) {
      const all = told('mutate', kind);
      const changed = all.filter(({ truth, said }) => !same(truth.message, said[0]?.message));
      expect(changed.length).toBeGreaterThan(all.length / 2);
      const signed = all.filter(({ said }) => said[0] !== undefined && isOwnAndSigned(said[0].message));
      expect(signed.length).toBeGreaterThan(all.length / 4);
    }
  });

  it('makes refusals of many kinds', () => {
    const codes = new Set(saidOf(told('mutate', 'Proposal'), 'Proposal').map(verdictOn));
    expect(codes.size).toBeGreaterThan(4);
  });
});

const text = (value: unknown): string =>
  JSON.stringify(value, (_, field) =>
    field instanceof Uint8Array ? Buffer.from(field).toString('hex') : field,
  );
const same = (left: unknown, right: unknown): boolean => text(left) === text(right);
