/** The safety chart: recovering → ready ⇄ persisting; following where this node is no validator; halted when what is stored is not what was written. Pure. */
import { postpone } from '../vocabulary/index.ts';
import { safetySetup } from './safety.setup.ts';

export const safetyMachine = safetySetup.createMachine({
  id: 'safety',
  context: ({ input }) => ({ ...input, version: 0, tag: 0, pending: undefined }),
  initial: 'recovering',
  on: {
    'safety.violated': { target: '.halted', actions: 'giveUpSignature' },
    // CS-16: the record of the new epoch is durable, and says nothing of what was signed in the one before.
    'epoch.began': [{ guard: 'isNews', target: '.recovering', actions: 'giveUpSignature' }, {}],
    // Answers to an earlier request, or to an earlier life of this cell: the record is read again since (RT-8).
    'recovery.found': {},
    'record.persisted': {},
    'storage.failed': {},
  },
  states: {
    recovering: {
      entry: 'requestRecovery',
      always: { guard: 'forkIsProved', target: 'halted' },
      on: {
        'recovery.found': { guard: 'isForThisRequest', target: 'ready', actions: 'recordRecovery' },
        'storage.failed': [
          { guard: 'recordIsDamaged', target: 'halted' },
          { guard: 'isForThisRequest', target: 'waiting' },
        ],
        'vote.requested': { actions: postpone() },
        'proposal.requested': { actions: postpone() },
        'timeout.requested': { actions: postpone() },
        'proof.requested': { actions: postpone() },
      },
    },
    waiting: {
      after: { recoveryRetry: 'recovering' },
      on: {
        'vote.requested': { actions: postpone() },
        'proposal.requested': { actions: postpone() },
        'timeout.requested': { actions: postpone() },
        'proof.requested': { actions: postpone() },
      },
    },
    ready: {
      always: [
        { guard: 'isNoValidator', target: 'following' },
        { guard: 'aSignatureWaits', target: 'persisting' },
      ],
      on: {
        'vote.requested': { actions: 'ruleOnVote' },
        'proposal.requested': { actions: 'ruleOnProposal' },
        'timeout.requested': { actions: 'ruleOnTimeout' },
        'proof.requested': { actions: 'proveRound' },
      },
    },
    persisting: {
      on: {
        'record.persisted': { guard: 'isForThisRequest', target: 'ready', actions: 'recordDurable' },
        'storage.failed': [
          { guard: 'recordIsDamaged', target: 'halted', actions: 'giveUpSignature' },
          { guard: 'isForThisRequest', target: 'waiting', actions: 'giveUpSignature' },
        ],
        'vote.requested': { actions: postpone() },
        'proposal.requested': { actions: postpone() },
        'timeout.requested': { actions: postpone() },
        'proof.requested': { actions: 'proveRound' },
      },
    },
    /** CS-19: nothing here leads to a signature. */
    following: {
      on: {
        'vote.requested': { actions: 'refuseFollower' },
        'proposal.requested': { actions: 'refuseFollower' },
        'timeout.requested': { actions: 'refuseFollower' },
        'proof.requested': { actions: 'refuseFollower' },
      },
    },
    /** A validator that cannot trust its record, or saw safety broken, never signs again in this life. */
    halted: {
      on: {
        'epoch.began': {},
        'vote.requested': { actions: 'refuseHalted' },
        'proposal.requested': { actions: 'refuseHalted' },
        'timeout.requested': { actions: 'refuseHalted' },
        'proof.requested': { actions: 'refuseHalted' },
      },
    },
  },
});
