/** Mutants of sync: what is believed of peers, what is verified, what is bounded, who is blamed. Rules SY-1 to SY-9. */
import type { Mutant } from './mutant.ts';

const AGREEMENT = 'src/protocol/sync/agreement.ts';
const ANSWERS = 'src/machines/sync/block-sync.answers.ts';
const ASKING = 'src/machines/sync/block-sync.asking.ts';
const CLAIMS = 'src/protocol/sync/claims.ts';
const HASH_VOTES = 'src/protocol/sync/hash-votes.ts';
const SEGMENT = 'src/protocol/sync/segment.ts';
const STATE_ASKING = 'src/machines/sync/state-sync.asking.ts';
const STATUS = 'src/protocol/sync/status.ts';
const TARGETS = 'src/machines/sync/block-sync.targets.ts';
const NETWORK = 'src/machines/sync/network-sync.setup.ts';
const TIERS = 'src/machines/sync/network-sync.tiers.ts';

export const OF_SYNC: readonly Mutant[] = [
  {
    name: 'newest-certificate-not-verified',
    rule: 'SY-8: the newest QC of a batch is verified',
    trial: 'behind-and-a-liar',
    patches: [
      {
        file: SEGMENT,
        find: "  if (outcome.refusals.length > 0) return refuse('BLOCKS_NOT_CERTIFIED', outcome.verified);\n  return proven(",
        replace: '  return proven(',
      },
    ],
  },
  {
    name: 'claim-not-verified',
    rule: 'SY-3: an unproved height is never a target',
    trial: 'behind-and-a-liar',
    patches: [
      {
        file: CLAIMS,
        find: 'const isDirect = statesCommitOf(proof, { height, id: tipId });',
        replace: 'const isDirect: boolean = height >= 0;',
      },
      {
        file: CLAIMS,
        find: 'if (refusal !== undefined) return lie(',
        replace: 'if (refusal !== undefined && height < 0) return lie(',
      },
    ],
  },
  {
    name: 'one-vote-is-a-consensus',
    rule: 'SY-1: agree = max(⌈0.67·n⌉, ⌊2n/3⌋+1), an honest one among them',
    trial: 'behind-and-a-liar',
    patches: [
      {
        file: AGREEMENT,
        find: 'const needed = max(agreePower(threshold, answered), honestPower);',
        replace: 'const needed = max((answered * 666n) / 2000n, 1n * (honestPower / honestPower));',
      },
    ],
  },
  {
    name: 'window-not-bounded',
    rule: 'SY-8: memory is bounded by the window',
    trial: 'far-behind',
    patches: [
      {
        file: TARGETS,
        find: 'const limit = heightPlus(tip.height, config.tier2MaxGap);',
        replace: 'const limit = heightPlus(tip.height, 1_000_000 + config.tier2MaxGap);',
      },
    ],
  },
  {
    name: 'another-is-blamed',
    rule: 'SY-8: a batch that fails is blamed on the right sender',
    trial: 'behind-and-a-liar',
    patches: [
      {
        file: ANSWERS,
        find: 'effects: [judging(now, answer.peer, { code })]',
        replace:
          'effects: now.epoch.set.validators.flatMap(({ address }) => address === answer.peer ? [] : [judging(now, address, { code })])',
      },
    ],
  },
  {
    name: 'never-given-up',
    rule: 'SY-8, SY-11: what is not answered is asked of another peer',
    trial: 'behind-and-a-liar',
    patches: [
      { file: ASKING, find: 'if (clock.now >= flight.until) {', replace: 'if (clock.now < 0) {' },
      {
        file: ASKING,
        find: 'if (!isWaitedFor || clock.now < hurryAt(batch, now.usualMs)) return still(now);',
        replace: 'if (isWaitedFor || clock.now < hurryAt(batch, now.usualMs)) return still(now);',
      },
      {
        file: STATE_ASKING,
        find: 'const question = work.context.book.open.get(requestId);\n  if (question === undefined) return;\n  const { peer, task, hurried } = question;',
        replace:
          "const question = work.context.book.open.get(requestId);\n  if (question === undefined || question.message.kind.startsWith('GetBlock')) return;\n  const { peer, task, hurried } = question;",
      },
    ],
  },
  {
    name: 'in-sync-before-anybody-was-asked',
    rule: 'SY-2: nobody answering is never InSync',
    trial: 'behind',
    patches: [
      {
        file: STATUS,
        find: "if (check.status === 'none') return { kind: 'Unknown', reason: 'joining: no peer has been asked yet' };",
        replace: "if (check.status === 'none') return { kind: 'InSync' };",
      },
    ],
  },
  {
    name: 'in-sync-when-nobody-answers',
    rule: 'SY-2: nobody answering is never InSync',
    trial: 'swarm',
    patches: [
      {
        file: STATUS,
        find: "if (check.status === 'agreed') return { kind: 'InSync' };",
        replace: "if (check.status !== 'none') return { kind: 'InSync' };",
      },
    ],
  },
  {
    name: 'own-height-from-memory',
    rule: 'SY-12: height is derived from the store',
    trial: 'behind',
    patches: [
      {
        file: NETWORK,
        find: '? settled(context, { progress: event.progress }, now)',
        replace:
          '? settled(context, { progress: event.progress, ownHeight: event.progress?.to ?? context.ownHeight }, now)',
      },
    ],
  },
  {
    name: 'one-other-genesis-is-a-split',
    rule: 'SY-4: a split is J(W) or more of power',
    trial: 'behind-and-a-liar',
    patches: [
      {
        file: HASH_VOTES,
        find: 'if (powerOfAll(set, differing) >= set.honestPower) {',
        replace: 'if (powerOfAll(set, differing) > 0n) {',
      },
    ],
  },
  {
    name: 'fork-evidence-ignored',
    rule: 'SY-5: two commit proofs for different blocks: Critical',
    trial: 'fork',
    patches: [
      {
        file: TIERS,
        find: 'if (context.fork !== undefined) return settled(',
        replace: 'if (evidence.kind.length > 0) return settled(',
      },
      {
        file: TIERS,
        find: 'const fork = context.fork ?? { detail, ...(evidence === undefined ? {} : { evidence }) };',
        replace: 'const fork = detail === undefined && evidence === undefined ? { detail } : undefined;',
      },
    ],
  },
  {
    name: 'fork-does-not-end-voting',
    rule: 'SY-5: a fork ends voting',
    trial: 'fork',
    patches: [
      {
        file: TIERS,
        find: 'const effects = [telling(context.safety, violated), telling(context.alarm, violated)];',
        replace: 'const effects = [telling(context.alarm, violated)];',
      },
    ],
  },
  {
    name: 'resync-begun-by-a-fork',
    rule: 'SY-9: no trigger from a peer can start a full resync',
    trial: 'fork',
    patches: [
      {
        file: TIERS,
        find: 'const effects = [telling(context.safety, violated), telling(context.alarm, violated)];',
        replace:
          "const effects = [telling(context.safety, violated), telling(context.alarm, violated), telling(context.chainSync, { type: 'resync.requested', replyTo: context.chainSync, tag: 1 })];",
      },
    ],
  },
];
