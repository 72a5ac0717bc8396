/** Mutants of evidence, of who leads, and of how one epoch follows another. Rules CS-14, CS-15, CS-16, CS-17, SY-16. */
import type { Mutant } from './mutant.ts';

const POOL = 'src/protocol/consensus/evidence-pool.ts';
const EVIDENCE = 'src/protocol/consensus/evidence.ts';
const EPOCH = 'src/protocol/consensus/epoch.ts';
const EPOCH_END = 'src/protocol/consensus/epoch-end.ts';
const STANDING = 'src/protocol/consensus/standing.ts';
const COMMIT_RULE = 'src/protocol/consensus/commit-rule.ts';
const PROPOSAL = 'src/protocol/consensus/proposal.ts';
const KEEPER = 'src/machines/consensus/epoch-keeper.setup.ts';
const EPOCH_CHANGE = 'src/protocol/consensus/epoch-change.ts';

export const OF_EPOCHS: readonly Mutant[] = [
  {
    name: 'evidence-not-verified',
    rule: 'CS-14: evidence counts when both signatures are right',
    trial: 'false-evidence',
    patches: [
      {
        file: POOL,
        find: "  if (verdict !== 'valid') return { status: 'refused', refusal: verdict };\n",
        replace: '',
      },
    ],
  },
  {
    name: 'evidence-carried-again',
    rule: 'CS-14: the chain carries an offence once',
    trial: 'epochs-and-a-liar',
    patches: [
      {
        file: POOL,
        find: 'if (offences.length === 0) continue;',
        replace: 'if (offences.length >= 0) continue;',
      },
    ],
  },
  {
    name: 'evidence-never-proposed',
    rule: 'CS-14: evidence comes into a block',
    trial: 'equivocate',
    patches: [{ file: POOL, find: '.slice(0, EVIDENCE_PER_BLOCK_MAX)', replace: '.slice(0, 0)' }],
  },
  {
    name: 'equal-qc-taken-for-hidden',
    rule: 'CS-14: a timeout hides a QC when it reports a lower one than its vote extended',
    trial: 'lossy',
    patches: [
      {
        file: EVIDENCE,
        find: 'timeout.highQcRound >= vote.parentRound) return undefined;',
        replace: 'timeout.highQcRound > vote.parentRound) return undefined;',
      },
    ],
  },
  {
    name: 'leaders-of-the-old-epoch',
    rule: 'CS-15: schedules change at the start of an epoch',
    trial: 'epochs',
    patches: [
      {
        file: EPOCH,
        find: 'settledHeight: settledBy({ proof }),',
        replace: 'settledHeight: settledBy({ proof }), leaders: of.leaders,',
      },
    ],
  },
  {
    name: 'seed-without-outputs',
    rule: 'CS-17: the VRF outputs of an epoch are in the seed of the next',
    trial: 'epochs',
    patches: [
      {
        file: STANDING,
        find: 'const seed = epoch.leadership.vrf ? seedWith(standing.seed, vrfProof) : standing.seed;',
        replace: 'const seed = standing.seed;',
      },
    ],
  },
  {
    name: 'nobody-passed-over',
    rule: 'CS-15: reputation passes over leaders whose rounds failed',
    trial: 'epochs',
    patches: [{ file: STANDING, find: 'failed >= FAILED_MIN && failed', replace: 'failed < 0 && failed' }],
  },
  {
    name: 'reputation-of-what-was-seen',
    rule: 'CS-15: reputation comes from the committed chain alone',
    trial: 'epochs',
    patches: [
      {
        file: EPOCH_END,
        find: 'const below = blocksTo(tree, qc.blockId);',
        replace: 'const below = [...blocks].map(([id, { block }]) => ({ id, block }));',
      },
    ],
  },
  {
    name: 'set-of-the-old-epoch',
    rule: 'CS-16: what is said in an epoch is judged by its validators',
    trial: 'epochs',
    patches: [
      {
        file: EPOCH,
        find: 'settledHeight: settledBy({ proof }),',
        replace: 'settledHeight: settledBy({ proof }), set: of.set,',
      },
    ],
  },
  {
    name: 'who-leaves-stays',
    rule: 'CS-16: power 0 leaves the set',
    trial: 'epochs',
    patches: [
      {
        file: EPOCH_END,
        find: 'if (power === 0n) validators.delete(address);',
        replace: 'if (power === 0n) continue;',
      },
    ],
  },
  {
    name: 'epoch-a-block-too-long',
    rule: 'CS-16: an epoch ends after its length',
    trial: 'epochs',
    patches: [
      {
        file: EPOCH_END,
        find: 'height - rootQC.height >= epochLength',
        replace: 'height - rootQC.height > epochLength',
      },
    ],
  },
  {
    name: 'changes-a-block-late',
    rule: 'CS-16: the first block that states the change as executed is the last of its epoch',
    trial: 'epochs',
    patches: [
      {
        file: EPOCH_END,
        find: 'return isLong || updates.some((at) => at.height <= executed);',
        replace: 'return isLong || updates.some((at) => at.height < executed);',
      },
    ],
  },
  {
    name: 'commits-above-the-end',
    rule: 'CS-16: commit stops at the last block of the epoch',
    trial: 'epochs',
    patches: [
      {
        file: COMMIT_RULE,
        find: 'const last = path.blocks.findIndex(({ block }) => endsEpoch(block.header));',
        replace: 'const last = -1;',
      },
      {
        file: COMMIT_RULE,
        find: 'if (height <= root.height || root.endsEpoch)',
        replace: 'if (height <= root.height)',
      },
    ],
  },
  {
    name: 'next-hash-not-compared',
    rule: 'CS-16: a voter knows the next epoch that a block has to name',
    trial: 'other-next-epoch',
    patches: [
      {
        file: PROPOSAL,
        find: 'if (nextHash !== undefined && header.nextValidatorsHash !== nextHash) {',
        replace: 'if (nextHash !== undefined && header.nextValidatorsHash === undefined) {',
      },
    ],
  },
  {
    name: 'lock-carried-over',
    rule: 'CS-16: the record of a new epoch says nothing of the one before',
    trial: 'epochs',
    patches: [
      {
        file: 'src/storage/rulings.ts',
        find: 'const record = recordAfter(write.change);',
        replace:
          'const record = { ...recordAfter(write.change), lockedRound: facts.record.lockedRound, lastVotedRound: facts.record.lastVotedRound };',
      },
    ],
  },
  {
    name: 'epoch-change-not-verified',
    rule: 'SY-16, CS-16: the end of an epoch is proven by its validators',
    trial: 'false-epoch-change',
    patches: [
      {
        file: EPOCH_CHANGE,
        find: "if (!sameStatement(qc, statement) || verifyQC(epoch, bls, qc) !== 'valid') return undefined;",
        replace: 'if (!sameStatement(qc, statement)) return undefined;',
      },
      {
        file: EPOCH_CHANGE,
        find: "return verifyEpochProof(trusted, bls, proof).status === 'proven' ? { qc, proof } : undefined;",
        replace: 'return trusted === undefined ? undefined : { qc, proof };',
      },
    ],
  },
  {
    name: 'laggards-of-an-epoch-left-alone',
    rule: 'CS-16: whoever speaks in an older epoch is told how it ended',
    trial: 'epochs',
    patches: [
      {
        file: KEEPER,
        find: 'if (epoch < context.epoch.epoch) return tell(',
        replace: 'if (epoch < 0) return tell(',
      },
      { file: KEEPER, find: ': tell(context, from, message.epoch, clock),', replace: ': {},' },
      { file: KEEPER, find: "const to = tag === context.announcing ? 'all' :", replace: 'const to =' },
    ],
  },
];
