import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import {
  blockIdOf,
  digestOf,
  genesisCertificate,
  merkleRootOf,
  NO_EVIDENCE,
  sameStatement,
  statementOf,
  u64,
  viewChangeStatementBytes,
  voteStatementBytes,
} from '../../../src/protocol/chain/canonical.ts';
import { CanonicalWriter } from '../../../src/protocol/chain/canonical-writer.ts';
import { parseDigest } from '../../../src/protocol/chain/parse.ts';
import type { Digest } from '../../../src/protocol/chain/types.ts';
import { blockOn, height, qcOf, round, world } from '../consensus/fixture.ts';

const place = world();
const { domain } = place.epoch;
const block = blockOn(place, place.epoch.rootQC, 1);
const statement = statementOf(block, blockIdOf(domain, block));

const digest = (fill: string): Digest => {
  const parsed = parseDigest(fill.repeat(64));
  if (parsed === 'malformed') throw new Error('malformed');
  return parsed;
};

describe('signed statements', () => {
  it('lays a vote out as kind, genesis hash, chain id, epoch, round, height, id, parent, parent round', () => {
    const bytes = Buffer.from(voteStatementBytes(domain, { ...statement, parentRound: round(258) }));
    const expected = Buffer.concat([
      Buffer.from('000000000000000f', 'hex'),
      Buffer.from('althing/vote/v1'),
      Buffer.from(domain.genesisHash, 'hex'),
      Buffer.from('0000000000000004', 'hex'),
      Buffer.from('test'),
      Buffer.from('0000000000000000', 'hex'),
      Buffer.from('0000000000000001', 'hex'),
      Buffer.from('0000000000000001', 'hex'),
      Buffer.from(statement.blockId, 'hex'),
      Buffer.from(statement.parentId, 'hex'),
      Buffer.from('0000000000000102', 'hex'),
    ]);
    expect(bytes.toString('hex')).toBe(expected.toString('hex'));
  });

  it('gives a vote and a timeout of the same numbers different bytes', () => {
    const vote = toHex(voteStatementBytes(domain, statement));
    const timeout = toHex(viewChangeStatementBytes(domain, statement.epoch, round(1), round(0)));
    expect(timeout).not.toBe(vote);
    expect(timeout.startsWith(toHex(u64('althing/view-change/v1'.length)))).toBe(true);
  });

  it('signs the high-QC round of a timeout, not the round alone (pitfall: TC signed over the round only)', () => {
    const [zero, one] = [0, 1].map((highQcRound) =>
      toHex(viewChangeStatementBytes(domain, statement.epoch, round(2), round(highQcRound))),
    );
    expect(one).not.toBe(zero);
  });

  it.each([
    ['chain id', { ...domain, chainId: 'tes' }],
    ['genesis hash', { ...domain, genesisHash: digest('a') }],
  ])('binds every statement to the %s', (_, other) => {
    expect(toHex(voteStatementBytes(other, statement))).not.toBe(
      toHex(voteStatementBytes(domain, statement)),
    );
    expect(blockIdOf(other, block)).not.toBe(blockIdOf(domain, block));
    expect(genesisCertificate(other, statement.epoch).blockId).not.toBe(place.epoch.rootQC.blockId);
  });

  it('names the same bytes exactly when every field is the same', () => {
    const others = [
      { ...statement, round: round(2) },
      { ...statement, height: height(2) },
      { ...statement, parentRound: round(1) },
      { ...statement, parentId: statement.blockId },
      { ...statement, blockId: statement.parentId },
    ];
    for (const other of others) {
      expect(sameStatement(statement, other)).toBe(false);
      expect(toHex(voteStatementBytes(domain, other))).not.toBe(toHex(voteStatementBytes(domain, statement)));
    }
    expect(sameStatement(statement, { ...statement })).toBe(true);
  });
});

describe('block id', () => {
  it('changes with every header field and with the parent round', () => {
    const { header, qc } = block;
    const variants = [
      block,
      { qc, header: { ...header, round: round(9) } },
      { qc, header: { ...header, height: height(9) } },
      { qc, header: { ...header, parentId: blockIdOf(domain, block) } },
      { qc, header: { ...header, proposer: place.addressAt(place.indexOf(header.proposer) === 0 ? 1 : 0) } },
      { qc, header: { ...header, batchesRoot: digest('b') } },
      { qc, header: { ...header, executed: { ...header.executed, appHash: digest('c') } } },
      { qc, header: { ...header, executed: { ...header.executed, height: height(5) } } },
      { qc, header: { ...header, validatorsHash: digest('d') } },
      { qc, header: { ...header, nextValidatorsHash: digest('d') } },
      { qc, header: { ...header, evidenceHash: digest('e') } },
      { qc, header: { ...header, vrfProof: Uint8Array.of(1) } },
      { qc: { ...qc, round: round(7) }, header },
      blockOn(place, qc, 1, { time: 5 }),
    ];
    expect(new Set(variants.map((one) => blockIdOf(domain, one))).size).toBe(variants.length);
  });

  it('does not depend on who signed the parent', () => {
    const byFirst = blockOn(place, qcOf(place, block, [0, 1, 2]), 2);
    const byLast = { ...byFirst, qc: qcOf(place, block, [1, 2, 3]) };
    expect(toHex(byLast.qc.signers)).not.toBe(toHex(byFirst.qc.signers));
    expect(blockIdOf(domain, byLast)).toBe(blockIdOf(domain, byFirst));
  });
});

describe('Merkle root of batch digests', () => {
  const sha = (...parts: readonly Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
  /** The definition of RFC 6962 section 2.1, word for word. */
  const defined = (leaves: readonly Uint8Array[]): Buffer => {
    const [only] = leaves;
    if (only === undefined) return sha();
    if (leaves.length === 1) return sha(Uint8Array.of(0), only);
    const split = 2 ** Math.floor(Math.log2(leaves.length - 1));
    return sha(Uint8Array.of(1), defined(leaves.slice(0, split)), defined(leaves.slice(split)));
  };

  it('is the tree hash of RFC 6962 for every number of leaves up to 70', () => {
    for (let count = 0; count <= 70; count += 1) {
      const digests = Array.from({ length: count }, (_, index) => digestOf(u64(index)));
      const expected = defined(digests.map((one) => Buffer.from(one, 'hex'))).toString('hex');
      expect(merkleRootOf(digests)).toBe(expected);
    }
  });

  it('tells a node from a leaf: two leaves and the leaf of their node have different roots', () => {
    const [left, right] = [digest('1'), digest('2')];
    expect(merkleRootOf([merkleRootOf([left, right])])).not.toBe(merkleRootOf([left, right]));
  });
});

describe('canonical writer', () => {
  it('writes every whole number below 2^53 as eight big-endian bytes', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(Buffer.from(u64(value)).readBigUInt64BE()).toBe(BigInt(value));
        expect(toHex(u64(BigInt(value)))).toBe(toHex(u64(value)));
      }),
    );
  });

  it('keeps lists of texts apart whatever they contain', () => {
    const texts = fc.array(fc.string({ unit: 'binary', maxLength: 700 }), { maxLength: 4 });
    const written = (list: readonly string[]) => {
      const writer = new CanonicalWriter();
      for (const one of list) writer.text(one);
      return toHex(writer.finish());
    };
    fc.assert(
      fc.property(texts, texts, (left, right) => {
        expect(written(left) === written(right)).toBe(JSON.stringify(left) === JSON.stringify(right));
      }),
    );
  });

  it('gives the digests that another program computed from the same description', () => {
    expect(NO_EVIDENCE).toBe('6225a941a3fa5427e072e09077416a5f3e9256dad529849ce271123944220e53');
    expect(statement.parentId).toBe('263dd415f4cbfb7b80e1a055e79eb7e268f2c646f09981a6cf15a533db4e80ce');
  });
});
