/** Mutants of what keeps the chain going: rounds, timeouts, restarts. Rules CS-1, CS-6, CS-7, CS-10, CS-11, SM-5. */
import type { Mutant } from './mutant.ts';

const ENTRY = 'src/protocol/consensus/entry.ts';
const PACEMAKER = 'src/protocol/consensus/pacemaker.ts';
const VIEW = 'src/machines/consensus/view-change.decisions.ts';

export const OF_PACE: readonly Mutant[] = [
  {
    name: 'high-qc-not-restored',
    rule: 'CS-1: after a restart too',
    trial: 'blackout',
    patches: [
      {
        file: VIEW,
        find: 'recoveredHighQC(record.highQC, committed?.commitProof);',
        replace: 'recoveredHighQC(rootQC, committed?.commitProof);',
      },
    ],
  },
  {
    name: 'commit-proof-forgotten',
    rule: 'CS-1: the newest commit’s proof counts after a restart',
    trial: 'power-failure',
    patches: [
      {
        file: ENTRY,
        find: 'return isHigher ? commitProof : recorded;',
        replace: 'return isHigher ? recorded : recorded;',
      },
      {
        file: 'src/machines/consensus/round-manager.beginning.ts',
        find: '.filter(({ block: { qc } }) => qc.round === qc.parentRound + 1)',
        replace: '.filter(({ block: { qc } }) => qc.round < 0)',
      },
      {
        file: VIEW,
        find: '...(lastVote === undefined ? [] : [toManager(',
        replace: '...(lastVote === undefined || message.round >= 0 ? [] : [toManager(',
      },
    ],
  },
  {
    name: 'round-not-restored',
    rule: 'CS-1: the last TC counts after a restart (babylon-node#243)',
    trial: 'blackout',
    patches: [{ file: VIEW, find: '    lastTC: record.lastTC,\n', replace: '' }],
  },
  {
    name: 'tc-moves-no-round',
    rule: 'CS-1: max(highQC.round, lastTC.round) + 1',
    trial: 'swarm',
    patches: [
      {
        file: ENTRY,
        find: 'return nextRound(lastTC === undefined ? highQC.round : maxRound(highQC.round, lastTC.round));',
        replace:
          'return nextRound(lastTC === undefined ? highQC.round : maxRound(highQC.round, highQC.round));',
      },
    ],
  },
  {
    name: 'round-falls-back',
    rule: 'CS-1: certificates are adopted only over older ones',
    trial: 'swarm',
    patches: [
      {
        file: PACEMAKER,
        find: '.reduce((best, one) => (one.round > best.round ? one : best), pacemaker.highQC);',
        replace:
          '.reduce((best, one) => (one.round > best.round || tc !== undefined ? one : best), pacemaker.highQC);',
      },
      {
        file: PACEMAKER,
        find: 'const lastTC = ours(tc) && tc.round > (pacemaker.lastTC?.round ?? -1) ? tc : pacemaker.lastTC;',
        replace: 'const lastTC = ours(tc) ? tc : pacemaker.lastTC;',
      },
      {
        file: VIEW,
        find: '...(tc !== undefined && (tc.round >= round || tc.highQC.round > highQC.round) ? { tc } : {}),',
        replace: '...(tc !== undefined && round >= 0 ? { tc } : {}),',
      },
    ],
  },
  {
    name: 'no-backoff',
    rule: 'CS-11: timeouts grow with failed rounds',
    trial: 'slow-links',
    patches: [
      {
        file: PACEMAKER,
        find: 'const grown = base * config.growth ** exponent;',
        replace: 'const grown = base * config.growth ** Math.min(0, exponent);',
      },
    ],
  },
  {
    name: 'timeout-sent-once',
    rule: 'CS-6: re-sent until the round changes',
    trial: 'lossy',
    patches: [
      {
        file: VIEW,
        find: "      { kind: 'startTimer', key: 'resend', delayMs: resendEvery, message: resend },\n",
        replace: '      ...(resendEvery < 0 ? [telling(context.safety, resend)] : []),\n',
      },
    ],
  },
  {
    name: 'deadline-armed-once',
    rule: 'CS-6: every round has a deadline',
    trial: 'swarm',
    patches: [
      {
        file: VIEW,
        find: "      { kind: 'cancelTimer', key: 'resend' },\n      ...armDeadline(context, next, clock),",
        replace:
          "      { kind: 'cancelTimer', key: 'resend' },\n      ...(entered.by === 'qc' ? armDeadline(context, next, clock) : [{ kind: 'cancelTimer', key: 'deadline' } as const]),",
      },
      {
        file: VIEW,
        find: '  live.timeout?.round === live.pacemaker.round ? [] : armDeadline(context, live, clock);',
        replace:
          '  live.timeout !== undefined || live.pacemaker.round > 1 ? [] : armDeadline(context, live, clock);',
      },
    ],
  },
  {
    name: 'work-of-a-tail-forgotten',
    rule: 'CS-10: an uncommitted block with a payload is work',
    trial: 'swarm',
    patches: [
      {
        file: 'src/protocol/consensus/block-tree.ts',
        find: 'header.batches.length > 0 || evidence',
        replace: 'header.batches.length < 0 || evidence',
      },
      {
        file: PACEMAKER,
        find: 'const idleEnd = enteredAt + config.emptyBlockIntervalMs;',
        replace: 'const idleEnd = enteredAt + config.emptyBlockIntervalMs * 1e9;',
      },
    ],
  },
  {
    name: 'timeout-not-repeated-by-its-signer',
    rule: 'CS-6: asked again, the signer gives the stored message',
    trial: 'lossy',
    patches: [
      {
        file: 'src/protocol/consensus/safety.ts',
        find: "    return { status: 'resend', message: { ...lastTimeout, tick } };",
        replace:
          "    return refuse({ code: 'TIMEOUT_NOT_GROWING', round, lastTimeoutRound: maxRound(lastTimeout.round, tick > 0 ? round : round) });",
      },
    ],
  },
];
