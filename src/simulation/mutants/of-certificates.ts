/** Mutants of what proves what: quorums, signatures, certificates, evidence. Rules CS-2, CS-4, CS-7, CS-8, CS-14. */
import type { Mutant, Patch } from './mutant.ts';

const CERTIFICATES = 'src/protocol/consensus/certificates.ts';
const ENTRY = 'src/protocol/consensus/entry.ts';
const POOL = 'src/protocol/consensus/evidence-pool.ts';
const VOTES = 'src/protocol/consensus/vote-book.ts';
const TIMEOUTS = 'src/protocol/consensus/view-change-book.ts';
const SET = 'src/protocol/chain/validator-set.ts';

/** Each guards against one signer that is counted twice; without the others it stands alone. */
const SIGNERS_COUNT_TWICE: Patch = {
  file: CERTIFICATES,
  find: "if (seen.has(validator)) return { code: 'SIGNER_TWICE', round, validator: validator.address };",
  replace: '',
};
const ENGINE_COUNTS_TWICE: Patch = {
  file: 'src/crypto/bls/pairing-engine.ts',
  find: 'return seen.size === named;',
  replace: 'return seen.size > 0 || named === 0;',
};

export const OF_CERTIFICATES: readonly Mutant[] = [
  {
    name: 'quorum-one-short',
    rule: 'Arithmetic: Q(W) = ⌊2W/3⌋ + 1',
    trial: 'swarm',
    patches: [{ file: SET, find: '(totalPower * 2n) / 3n + 1n;', replace: '(totalPower * 2n) / 3n;' }],
  },
  {
    name: 'quorum-by-heads',
    rule: 'Arithmetic: power counts, not heads',
    trial: 'powers',
    patches: [
      {
        file: SET,
        find: 'const totalPower = validators.reduce((sum, { power }) => sum + power, 0n);',
        replace: 'const totalPower = BigInt(validators.length);',
      },
      {
        file: SET,
        find: 'validatorOf(set, address)?.power ?? 0n;',
        replace: 'set.indexByAddress.has(address) ? 1n : 0n;',
      },
      {
        file: SET,
        find: '  validators.reduce((sum, { power }) => sum + power, 0n);\n\nfunction',
        replace: '  BigInt(validators.length);\n\nfunction',
      },
    ],
  },
  {
    name: 'power-not-of-the-set',
    rule: 'Arithmetic: a quorum is of the whole power',
    trial: 'swarm',
    patches: [
      {
        file: CERTIFICATES,
        find: 'if (power < set.quorumPower) return',
        replace: 'if (power < set.honestPower) return',
      },
      {
        file: VOTES,
        find: 'const needed = epoch.set.quorumPower;',
        replace: 'const needed = epoch.set.honestPower;',
      },
    ],
  },
  {
    name: 'tc-over-the-round-only',
    rule: 'CS-8: a timeout signs the round of its high QC too',
    trial: 'swarm',
    patches: [
      {
        file: 'src/protocol/chain/canonical.ts',
        find: ".statement('view-change', domain, epoch).u64(round).u64(highQcRound).finish();",
        replace: ".statement('view-change', domain, epoch).u64(round).finish();",
      },
    ],
  },
  {
    name: 'vote-without-parent',
    rule: 'Signed statements: a vote names its parent and the parent’s round',
    trial: 'swarm',
    patches: [
      {
        file: 'src/protocol/chain/canonical.ts',
        find: '    .hex(statement.parentId)\n    .u64(statement.parentRound)\n',
        replace: '',
      },
    ],
  },
  {
    name: 'tc-high-qc-not-the-best',
    rule: 'CS-8: the high QC of a TC is the best that was reported',
    trial: 'lossy',
    patches: [
      {
        file: TIMEOUTS,
        find: 'message.highQC.round > best.round ? message.highQC : best',
        replace: 'message.highQC.round < best.round ? message.highQC : best',
      },
      {
        file: CERTIFICATES,
        find: 'if (greatestGroup !== highQC.round) {',
        replace: 'if (greatestGroup < highQC.round) {',
      },
    ],
  },
  {
    name: 'safeguard-of-the-tc-skipped',
    rule: 'CS-2: qc.round >= tc.maxHighQcRound, which stands for the lock',
    trial: 'below-the-tc',
    patches: [
      { file: ENTRY, find: 'if (qc.round < maxHighQcRoundOf(tc)) {', replace: 'if (qc.round < 0) {' },
    ],
  },
  {
    name: 'round-skipped-without-tc',
    rule: 'CS-2: a proposal that skips a round carries its TC',
    trial: 'mutate',
    patches: [
      {
        file: ENTRY,
        find: "return qc.round + 1 === round ? 'valid' :",
        replace: "return qc.round < round ? 'valid' :",
      },
    ],
  },
  {
    name: 'qc-signature-not-verified',
    rule: 'CS-4: a QC is a quorum’s aggregate',
    trial: 'forge-signers',
    patches: [
      {
        file: CERTIFICATES,
        find: "if (bls.fastAggregateVerify(keys, voteStatementBytes(epoch.domain, qc), qc.signature)) return 'valid';",
        replace: "if (keys.length > 0) return 'valid';",
      },
    ],
  },
  {
    name: 'tc-signature-not-verified',
    rule: 'CS-8: a TC is a quorum’s aggregate',
    trial: 'forge-signers',
    patches: [
      {
        file: CERTIFICATES,
        find: "if (bls.aggregateVerify(groups, tc.signature)) return 'valid';",
        replace: "if (groups.length > 0) return 'valid';",
      },
    ],
  },
  {
    name: 'votes-not-verified',
    rule: 'CS-4: votes are verified at the quorum',
    trial: 'other-signature',
    patches: [
      {
        file: VOTES,
        find: 'return proven ? qc : undefined;',
        replace: 'return proven || qc.round > 0 ? qc : undefined;',
      },
    ],
  },
  {
    name: 'timeouts-not-verified',
    rule: 'CS-7: a timeout counts only under its own signature',
    trial: 'other-signature',
    patches: [
      {
        file: CERTIFICATES,
        find: "if (bls.verify(sender.consensusKey, statement, signature)) return 'valid';",
        replace: "if (statement.byteLength > 0 && signature.byteLength > 0) return 'valid';",
      },
    ],
  },
  {
    name: 'signer-counted-twice',
    rule: 'CS-8: nobody is in two groups',
    trial: 'one-in-all-groups',
    patches: [SIGNERS_COUNT_TWICE, ENGINE_COUNTS_TWICE],
  },
  {
    name: 'signers-beyond-the-set',
    rule: 'Arithmetic: a bitmap’s length is the set’s and no bit lies beyond',
    trial: 'one-in-all-places',
    patches: [
      SIGNERS_COUNT_TWICE,
      ENGINE_COUNTS_TWICE,
      {
        file: 'src/crypto/signer-bitmap.ts',
        find: 'if (bitmap.byteLength !== signerBitmapBytes(size)) return false;\n',
        replace: 'if (bitmap.byteLength >= signerBitmapBytes(size)) return true;\n',
      },
      {
        file: 'src/crypto/signer-bitmap.ts',
        find: 'if ((byte >> bit) & 1) indices.push(offset * 8 + bit);',
        replace: 'if ((byte >> bit) & 1) indices.push((offset * 8 + bit) % size);',
      },
    ],
  },
  {
    name: 'leader-not-checked',
    rule: 'CS-3: the author is the round’s leader',
    trial: 'usurper',
    patches: [
      {
        file: 'src/protocol/consensus/proposal.ts',
        find: 'if (header.proposer !== leader || vote.validator !== leader) {',
        replace: 'if (header.proposer !== vote.validator) {',
      },
      {
        file: 'src/machines/consensus/round-manager.decisions.ts',
        find: 'if (leaderAt(setting.epoch, round) !== from || vote.validator !== from || vote.round !== round) {',
        replace: 'if (vote.validator !== from || vote.round !== round) {',
      },
    ],
  },
  {
    name: 'evidence-against-another',
    rule: 'CS-14: two votes of one validator',
    trial: 'equivocate',
    patches: [
      {
        file: VOTES,
        find: 'const held = votes.slots.get(vote.validator);',
        replace:
          'const held = votes.slots.get(vote.validator) ?? (votes.qc === undefined ? undefined : [...votes.slots.values()][0]);',
      },
      {
        file: VOTES,
        find: 'const same = sameStatement(held.vote, vote);',
        replace: 'const same = held.vote.validator === vote.validator && sameStatement(held.vote, vote);',
      },
      {
        file: 'src/protocol/consensus/evidence.ts',
        find: '    left.validator === right.validator && left.epoch === right.epoch && left.round === right.round;\n  if (!comparable || sameStatement(left, right)) return undefined;',
        replace:
          '    left.epoch === right.epoch && left.round === right.round;\n  if (!comparable) return undefined;',
      },
    ],
  },
  {
    name: 'timeout-at-its-own-vote',
    rule: 'CS-14: a timeout that knows what its vote extended hides nothing',
    trial: 'withhold-votes',
    patches: [
      {
        file: 'src/protocol/consensus/evidence.ts',
        find: 'timeout.highQcRound >= vote.parentRound) return undefined;',
        replace: 'timeout.highQcRound > vote.parentRound) return undefined;',
      },
    ],
  },
  {
    name: 'evidence-carried-forgotten',
    rule: 'CS-14: the chain carries an offence once',
    trial: 'equivocate',
    patches: [
      {
        file: POOL,
        find: 'carried = new Map([...carried, ...offences.map((offence) => [offence, height] as const)]);',
        replace: 'carried = new Map(carried);',
      },
    ],
  },
  {
    name: 'evidence-of-ancestors-forgotten',
    rule: 'CS-14: no ancestor carries it',
    trial: 'equivocate',
    patches: [
      {
        file: POOL,
        find: '!named.includes(offence) && isWithin(pool, evidence)',
        replace: 'offence.length > 0 && isWithin(pool, evidence)',
      },
      {
        file: POOL,
        find: "if (named.includes(offence)) return { code: 'EVIDENCE_REPEATED', offence };",
        replace: "if (named.length > 9_999) return { code: 'EVIDENCE_REPEATED', offence };",
      },
    ],
  },
];
