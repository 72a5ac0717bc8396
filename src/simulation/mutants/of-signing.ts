/** Mutants of what a validator may sign, and of what must be durable before. Rules CS-3, CS-6, CS-9, ST-2. */
import type { Mutant, Patch } from './mutant.ts';

const SAFETY = 'src/protocol/consensus/safety.ts';
const CELL = 'src/machines/consensus/safety.setup.ts';
const ROUND = 'src/machines/consensus/round.voting.ts';
const RULINGS = 'src/storage/rulings.ts';

/** The store's own guard, the last line below the rules: without it they stand alone. */
const UNGUARDED: Patch = {
  file: RULINGS,
  find: 'const fall = whatFalls(facts.record, write.record);\n',
  replace: 'const fall = facts.recordVersion < 0 ? whatFalls(facts.record, write.record) : undefined;\n',
};

export const OF_SIGNING: readonly Mutant[] = [
  {
    name: 'votes-twice',
    rule: 'CS-3: at most one vote a round',
    trial: 'equivocate',
    patches: [
      {
        file: SAFETY,
        find: 'if (statement.round <= record.lastVotedRound) {',
        replace: 'if (statement.round < record.lastVotedRound) {',
      },
      {
        file: ROUND,
        find: 'if (context.candidate !== undefined || leads(context)) return {};',
        replace: 'if (leads(context)) return {};',
      },
      {
        file: ROUND,
        find: 'if (candidate === undefined || context.voteAsked || !isLive(context)) return { context };',
        replace: 'if (candidate === undefined) return { context };',
      },
      {
        file: 'src/protocol/consensus/round-state.ts',
        find: "Propose: ['Prevote', 'Precommit', 'Commit', 'TimedOut', 'Abandoned'],",
        replace: "Propose: ['Precommit', 'Commit', 'TimedOut', 'Abandoned'],",
      },
      UNGUARDED,
    ],
  },
  {
    name: 'lock-not-raised',
    rule: 'CS-3: lockedRound := max(lockedRound, b.qc.round)',
    trial: 'swarm',
    patches: [
      {
        file: SAFETY,
        find: 'lockedRound: maxRound(record.lockedRound, qc.round),',
        replace: 'lockedRound: record.lockedRound,',
      },
    ],
  },
  {
    name: 'high-qc-not-recorded',
    rule: 'CS-3: highQC := max(highQC, b.qc)',
    trial: 'swarm',
    patches: [
      {
        file: SAFETY,
        find: 'highQC: qc.round > record.highQC.round ? qc : record.highQC,',
        replace: 'highQC: record.highQC,',
      },
    ],
  },
  {
    name: 'high-qc-overwritten-by-older',
    rule: 'CS-3: an older certificate never overwrites a newer one',
    trial: 'mute',
    patches: [
      {
        file: SAFETY,
        find: 'highQC: qc.round > record.highQC.round ? qc : record.highQC,',
        replace: 'highQC: qc,',
      },
      UNGUARDED,
    ],
  },
  {
    name: 'timeout-does-not-end-voting',
    rule: 'CS-6: lastVotedRound := max(lastVotedRound, r)',
    trial: 'swarm',
    patches: [
      {
        file: SAFETY,
        find: 'lastVotedRound: maxRound(lastVotedRound, round) },',
        replace: 'lastVotedRound },',
      },
      UNGUARDED,
    ],
  },
  {
    name: 'votes-after-timeout',
    rule: 'CS-6: a round that was given up is not voted in',
    trial: 'swarm',
    patches: [
      {
        file: SAFETY,
        find: 'if (statement.round <= record.lastVotedRound) {',
        replace: 'if (statement.round <= (record.lastVote?.round ?? -1)) {',
      },
      {
        file: 'src/protocol/consensus/round-state.ts',
        find: "Propose: ['Prevote', 'Precommit', 'Commit', 'TimedOut', 'Abandoned'],",
        replace: "Propose: ['Prevote', 'Precommit', 'Commit', 'Abandoned'],",
      },
      UNGUARDED,
    ],
  },
  {
    name: 'timeout-signed-anew',
    rule: 'CS-6: a re-send with a newer high QC is a second statement of the round',
    trial: 'lossy',
    patches: [
      {
        file: SAFETY,
        find: 'if (lastTimeout?.round === round) {',
        replace: 'if (lastTimeout?.round === -1) {',
      },
      UNGUARDED,
    ],
  },
  {
    name: 'vote-leaves-before-its-record',
    rule: 'CS-3, ST-2: the record is durable before the vote leaves',
    trial: 'swarm',
    patches: [
      {
        file: CELL,
        find: "    effects: [\n      toStorage(context, {\n        type: 'record.persistRequested',",
        replace:
          "    effects: [\n      toNetwork(context, thenSend),\n      toStorage(context, {\n        type: 'record.persistRequested',",
      },
    ],
  },
  {
    name: 'timeout-leaves-before-its-record',
    rule: 'CS-6, ST-2: the record is durable before the timeout leaves',
    trial: 'swarm',
    patches: [
      {
        file: CELL,
        find: 'return persistThenSend(context, self, { record: answer.record, replyTo, answer: reply, refusal }, outgoing);',
        replace:
          'const stepped = persistThenSend(context, self, { record: answer.record, replyTo, answer: reply, refusal }, []);\n' +
          '  return { ...stepped, effects: [toNetwork(context, outgoing), ...stepped.effects] };',
      },
    ],
  },
  {
    name: 'block-voted-for-not-stored',
    rule: 'CS-3: the block voted for is durable with the vote',
    trial: 'swarm',
    patches: [
      {
        file: CELL,
        find: '...(block === undefined ? {} : { block }),',
        replace: '...(block === undefined ? {} : {}),',
      },
    ],
  },
  {
    name: 'safety-record-not-restored',
    rule: 'CS-3: a restarted validator goes on from its record',
    trial: 'swarm',
    patches: [
      {
        file: CELL,
        find: '          record: event.recovered.record,\n',
        replace:
          '          record: { epoch: event.recovered.record.epoch, lastVotedRound: event.recovered.record.epoch, lockedRound: event.recovered.record.epoch, highQC: event.recovered.record.highQC },\n',
      },
      UNGUARDED,
    ],
  },
  {
    name: 'votes-without-batches',
    rule: 'CS-3: every batch is held and durable',
    trial: 'swarm',
    patches: [
      {
        file: 'src/protocol/consensus/proposal.ts',
        find: "if (batches.status === 'missing') waits.push('batches');",
        replace: '',
      },
    ],
  },
  {
    name: 'storage-written-not-synced',
    rule: 'ST-2: what is told as durable is synced',
    trial: 'swarm',
    patches: [
      {
        file: 'src/storage/storage-actor.ts',
        find: "const failure = staged.status === 'failed' ? staged : failureOf(store.sync());",
        replace: "const failure = staged.status === 'failed' ? staged : undefined;",
      },
    ],
  },
  {
    name: 'failed-sync-told-as-done',
    rule: 'ST-2: a failed sync is a refusal',
    trial: 'swarm',
    patches: [
      {
        file: 'src/storage/storage-actor.ts',
        find: "result.status === 'failed' ? result : undefined;",
        replace: "result.status === 'failed' && result.code === 'CORRUPT' ? result : undefined;",
      },
    ],
  },
];
