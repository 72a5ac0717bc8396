/** Mutants of which blocks are accepted, committed and executed, and what is kept of the rest. CS-3, CS-5, CS-12, EX-2, MP-3. */
import type { Mutant, Patch } from './mutant.ts';

const TREE = 'src/protocol/consensus/block-tree.ts';
const COMMIT_RULE = 'src/protocol/consensus/commit-rule.ts';
const PROPOSAL = 'src/protocol/consensus/proposal.ts';
const RUNNER = 'src/application/block-runner.ts';

/** Batches that expire within a run. */
const SHORT_LIVED: Patch = {
  file: 'src/protocol/mempool/config.ts',
  find: 'batchTtlHeights: 1_000,',
  replace: 'batchTtlHeights: 6,',
};

export const OF_CHAIN: readonly Mutant[] = [
  {
    name: 'commits-without-consecutive-rounds',
    rule: 'CS-5: b1.round = b0.round + 1',
    trial: 'swarm',
    patches: [
      {
        file: COMMIT_RULE,
        find: "if (qc.round !== qc.parentRound + 1 || qc.epoch !== root.epoch) return { status: 'nothing' };",
        replace: "if (qc.epoch !== root.epoch) return { status: 'nothing' };",
      },
    ],
  },
  {
    name: 'commits-over-one-failed-round',
    rule: 'CS-5: b1.round = b0.round + 1',
    trial: 'swarm',
    patches: [
      {
        file: COMMIT_RULE,
        find: 'if (qc.round !== qc.parentRound + 1 || qc.epoch',
        replace: 'if (qc.round > qc.parentRound + 2 || qc.epoch',
      },
    ],
  },
  {
    name: 'commits-the-certified-block',
    rule: 'CS-5: a QC commits the parent, not its own block',
    trial: 'swarm',
    patches: [
      {
        file: COMMIT_RULE,
        find: 'const path = pathTo(tree, qc.parentId);',
        replace: 'const path = pathTo(tree, qc.blockId);',
      },
    ],
  },
  {
    name: 'commits-newest-first',
    rule: 'CS-5: oldest first',
    trial: 'swarm',
    patches: [{ file: TREE, find: 'blocks: newestFirst.reverse() };', replace: 'blocks: newestFirst };' }],
  },
  {
    name: 'orphans-stay',
    rule: 'CS-5: what lost to a commit is dropped',
    trial: 'equivocate',
    patches: [
      {
        file: COMMIT_RULE,
        find: 'if (height === root.height && qc.parentId !== root.id) {',
        replace: 'if (height < 0) {',
      },
      {
        file: COMMIT_RULE,
        find: 'if (qc.round !== qc.parentRound + 1 || qc.epoch !== root.epoch)',
        replace: 'if (qc.round < qc.parentRound + 1 || qc.epoch !== root.epoch)',
      },
    ],
  },
  {
    name: 'wrong-parent-accepted',
    rule: 'CS-3: parentId = qc.block, height = parent + 1',
    trial: 'other-parent',
    patches: [
      {
        file: PROPOSAL,
        find: 'if (header.parentId !== qc.blockId) {',
        replace: 'if (header.parentId === undefined) {',
      },
      {
        file: PROPOSAL,
        find: 'if (header.height !== nextHeight(qc.height)) {',
        replace: 'if (header.height < 0) {',
      },
      {
        file: 'src/protocol/consensus/safety.ts',
        find: 'if (statement.parentId !== qc.blockId || statement.parentRound !== qc.round) {',
        replace: 'if (statement.parentRound !== qc.round) {',
      },
      {
        file: 'src/protocol/consensus/safety.ts',
        find: 'if (statement.height !== qc.height + 1) {',
        replace: 'if (statement.height < 0) {',
      },
    ],
  },
  {
    name: 'time-not-compared-with-parent',
    rule: 'CS-3: time > parent’s',
    trial: 'lie-times',
    patches: [
      {
        file: PROPOSAL,
        find: 'if (parent !== undefined && header.time <= parent.time) {',
        replace: 'if (parent !== undefined && header.time < 0) {',
      },
      {
        file: 'src/protocol/consensus/timeliness.ts',
        find: 'if (receivedAt > latest) {',
        replace: 'if (receivedAt < 0) {',
      },
    ],
  },
  {
    name: 'vrf-proof-not-verified',
    rule: 'CS-17: a block has its leader’s proof of its round',
    trial: 'lie-vrf',
    patches: [
      {
        file: PROPOSAL,
        find: "return isRight ? 'valid' : {",
        replace: "return isRight || vrfProof.byteLength > 0 ? 'valid' : {",
      },
    ],
  },
  {
    name: 'timeliness-not-judged',
    rule: 'TM-8: a block’s time is near the receiver’s clock',
    trial: 'lie-times',
    patches: [
      {
        file: 'src/protocol/consensus/timeliness.ts',
        find: "if (now >= earliest) return { status: 'timely' };",
        replace: "if (now >= 0) return { status: 'timely' };",
      },
    ],
  },
  {
    name: 'executed-state-not-compared',
    rule: 'Blocks: `executed` is what this node executed',
    trial: 'mutate',
    patches: [
      {
        file: PROPOSAL,
        find: 'if (executed !== undefined && !sameExecuted(executed, header.executed)) {',
        replace: 'if (executed !== undefined && executed.height < 0) {',
      },
    ],
  },
  {
    name: 'fetched-blocks-not-proven',
    rule: 'CS-12: what is fetched is proven by its QC',
    trial: 'unproven-blocks',
    patches: [
      {
        file: 'src/protocol/consensus/fetched.ts',
        find: 'if (refusal !== undefined) return refuse(refusal, memory);',
        replace: 'if (refusal !== undefined && memory === undefined) return refuse(refusal, memory);',
      },
    ],
  },
  {
    name: 'missing-blocks-not-fetched',
    rule: 'CS-12: a certificate for an unknown block is fetched',
    trial: 'swarm',
    patches: [
      {
        file: 'src/machines/consensus/round-manager.settling.ts',
        find: 'if (target === undefined || live.wanted === target.round) return still(live);',
        replace: 'if (target === undefined || target.round >= 0) return still(live);',
      },
    ],
  },
  {
    name: 'commit-told-before-durable',
    rule: 'ST-4: a commit is told when it is durable',
    trial: 'swarm',
    patches: [
      {
        file: 'src/machines/consensus/round-manager.settling.ts',
        find: '      ...fates,\n    ],',
        replace:
          "      ...fates,\n      ...context.commitListeners.map((listener) => telling(listener, { type: 'blocks.committed', blocks })),\n    ],",
      },
    ],
  },
  {
    name: 'duplicates-executed',
    rule: 'EX-2: no transaction executes twice',
    trial: 'resubmit',
    patches: [
      {
        file: RUNNER,
        find: 'const isKnown = hash !== undefined && this.#table.appears(hash, header.height);',
        replace:
          'const isKnown = hash !== undefined && this.#table.appears(hash, header.height) && hash.length === 0;',
      },
    ],
  },
  {
    name: 'deduplication-swallows-others',
    rule: 'EX-2: a duplicate is of the same transaction',
    trial: 'resubmit',
    patches: [
      {
        file: 'src/protocol/execution/deduplication.ts',
        find: '  into[0] = wordAt(hash, 0);\n  into[1] = wordAt(hash, WORD_LETTERS);\n  into[2] = wordAt(hash, 2 * WORD_LETTERS);',
        replace: '  into[0] = wordAt(hash, 0) & 0x3f000000;\n  into[1] = 1;\n  into[2] = 1;',
      },
    ],
  },
  {
    name: 'window-of-deduplication-forgotten',
    rule: 'EX-2: a restarted node knows what appeared before',
    trial: 'resubmit',
    patches: [
      {
        file: RUNNER,
        find: 'const first = parseHeight(Math.max(1, place.below.height + 1 - deduplicationHeights));',
        replace: 'const first = parseHeight(place.below.height + 1);',
      },
    ],
  },
  {
    name: 'batches-executed-as-they-come',
    rule: 'EX-1: transactions run in the order of the header',
    trial: 'swarm',
    patches: [
      {
        file: 'src/application/block-feed.ts',
        find: 'for (const { digest } of header.batches) {\n      const bytes = batches.get(digest);',
        replace:
          'for (const digest of batches.size < header.batches.length ? header.batches.map((one) => one.digest) : [...batches.keys()].sort().reverse()) {\n      const bytes = batches.get(digest);',
      },
    ],
  },
  {
    name: 'a-block-is-skipped',
    rule: 'EX-1: committed blocks are executed in order, each',
    trial: 'swarm',
    patches: [
      {
        file: RUNNER,
        find: 'if (block.header.height <= this.#place.below.height) {',
        replace: 'if (block.header.height <= this.#place.below.height || block.header.height % 16 === 0) {',
      },
    ],
  },
  {
    name: 'batch-expiry-ignored',
    rule: 'MP-7: a batch is not named above its expiry',
    trial: 'expiring',
    setting: [SHORT_LIVED],
    patches: [
      {
        file: 'src/protocol/mempool/payload.ts',
        find: 'expiresAtHeight >= height && expiresAtHeight <= height + batchTtlHeights;',
        replace: 'expiresAtHeight >= 0 && height >= 0 && batchTtlHeights >= 0;',
      },
    ],
  },
  {
    name: 'expired-too-early',
    rule: 'MP-7: expired is told when a greater height is committed and executed',
    trial: 'expiring',
    setting: [SHORT_LIVED],
    patches: [
      {
        file: 'src/protocol/mempool/chain.ts',
        find: 'if (state.committedHeight <= expiresAtHeight) return false;\n  return own === undefined || state.executedHeight > expiresAtHeight;',
        replace: 'return state.committedHeight > expiresAtHeight - 4;',
      },
      {
        file: 'src/protocol/mempool/chain.ts',
        find: 'if (state.committedHeight <= state.earliestExpiry) return unchanged(state);',
        replace: '',
      },
    ],
  },
  {
    name: 'admitted-before-durable',
    rule: 'MP-3: admitted means durable',
    trial: 'swarm',
    patches: [
      {
        file: 'src/storage/storage-actor.ts',
        find: "    if (outcome.status !== 'staged') {\n      fail(options, context, request, outcome);",
        replace:
          "    if (outcome.status !== 'staged') {\n      if (request.type === 'batches.persistRequested') {\n        context.tell(request.replyTo, { type: 'batches.persisted', tag: request.tag, digests: request.batches.map(({ digest }) => digest) });\n        continue;\n      }\n      fail(options, context, request, outcome);",
      },
    ],
  },
  {
    name: 'batches-acknowledged-on-arrival',
    rule: 'MP-5: an acknowledgement says durable',
    trial: 'swarm',
    patches: [
      {
        file: 'src/protocol/mempool/receiving.ts',
        find: '  return persisting(withBatch(state, entry), [{ digest, bytes: view.bytes }]);',
        replace:
          '  return persisting({ ...withBatch(state, entry), acksDue: [...state.acksDue, digest] }, [{ digest, bytes: view.bytes }]);',
      },
    ],
  },
  {
    name: 'own-batches-lost-at-a-restart',
    rule: 'MP-3: what was admitted comes back after a crash',
    trial: 'swarm',
    patches: [
      {
        file: 'src/protocol/mempool/recovery.ts',
        find: 'if (holds(state.batches, digest)) return unchanged(state);\n  const entry: BatchEntry = recoveredEntry(',
        replace:
          'if (holds(state.batches, digest) || digest.length > 0) return unchanged(state);\n  const entry: BatchEntry = recoveredEntry(',
      },
    ],
  },
  {
    name: 'nothing-is-displaced',
    rule: 'CS-13: a book keeps a validator’s newest few rounds',
    trial: 'flood',
    patches: [
      {
        file: 'src/protocol/consensus/round-window.ts',
        find: 'const full = held.length >= ROUNDS_PER_VALIDATOR_MAX;',
        replace: 'const full = held.length < 0 && ROUNDS_PER_VALIDATOR_MAX > 0;',
      },
    ],
  },
];
