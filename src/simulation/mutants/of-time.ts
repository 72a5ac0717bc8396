/** Mutants of time: what the peers and NTP servers may do to a clock, and what a clock may do. Rules TM-4 to TM-7. */
import type { Mutant } from './mutant.ts';

const ADJUSTED = 'src/time/adjusted-clock.ts';
const DISCIPLINE = 'src/protocol/time/discipline.ts';
const HYBRID = 'src/protocol/time/hybrid.ts';
const MIDPOINT = 'src/protocol/time/midpoint.ts';
const POLL = 'src/protocol/time/poll.ts';
const SELECTION = 'src/protocol/time/selection.ts';
const SOURCES = 'src/protocol/time/sources.ts';

export const OF_TIME: readonly Mutant[] = [
  {
    name: 'nobody-trimmed',
    rule: 'TM-4: the F lowest minima and F highest maxima are dropped',
    trial: 'lie-clocks',
    patches: [
      { file: MIDPOINT, find: 'if (passed > faulty) break;', replace: 'if (passed > 0n * faulty) break;' },
    ],
  },
  {
    name: 'only-minima-trimmed',
    rule: 'TM-4: dropped on both sides',
    trial: 'lie-clocks',
    patches: [
      {
        file: MIDPOINT,
        find: '    faulty,\n    ({ interval }) => interval.hi,',
        replace: '    0n,\n    ({ interval }) => interval.hi,',
      },
    ],
  },
  {
    name: 'too-few-answers-suffice',
    rule: 'TM-4: fewer than 2F+1 answers: hold over',
    trial: 'liar-alone-heard',
    patches: [{ file: MIDPOINT, find: 'if (power < needed) return', replace: 'if (power < 1n) return' }],
  },
  {
    name: 'own-clock-left-out',
    rule: 'TM-4: this node’s own reading counts like any other',
    trial: 'unset-clocks-and-a-liar',
    patches: [
      {
        file: SOURCES,
        find: 'return [own, ...others];',
        replace: 'return others.length > 2 ? others : [...others, own];',
      },
    ],
  },
  {
    name: 'weighed-before-the-trimming',
    rule: 'TM-4: reliability weighs inside of the trimmed range alone',
    trial: 'lie-clocks',
    patches: [
      {
        file: MIDPOINT,
        find: 'sum += weight * (clampInto(offset, interval) - middle);',
        replace: 'sum += weight * (offset - middle);',
      },
      {
        file: MIDPOINT,
        find: 'return weights > 0 ? clampInto(sum / weights, { lo: -most, hi: most }) : 0;',
        replace: 'return weights > 0 && most >= 0 ? sum / weights : 0;',
      },
      {
        file: MIDPOINT,
        find: 'const offset = clampInto(middle + leanOf(readings, interval, middle), interval);',
        replace: 'const offset = middle + leanOf(readings, interval, middle);',
      },
    ],
  },
  {
    name: 'midpoint-by-the-fastest-answer',
    rule: 'TM-4: the error is half of the width, and the way there and back widens it',
    trial: 'unset-clocks',
    patches: [
      {
        file: MIDPOINT,
        find: 'const radius = roundTripTime / 2 + aged;',
        replace: 'const radius = roundTripTime / 1e9 + aged;',
      },
    ],
  },
  {
    name: 'answer-of-another-peer',
    rule: 'TM-4: an answer counts as the asked peer’s',
    trial: 'answer-for-another',
    patches: [
      {
        file: POLL,
        find: 'if (question === undefined || question.peer !== from) return',
        replace: 'if (question === undefined) return',
      },
      { file: POLL, find: 'poll.heard.get(from)', replace: 'poll.heard.get(question.peer)' },
      {
        file: POLL,
        find: 'new Map(poll.heard).set(from, best)',
        replace: 'new Map(poll.heard).set(question.peer, best)',
      },
    ],
  },
  {
    name: 'ntp-not-clamped',
    rule: 'TM-5: NTP only within what the peers agree on',
    trial: 'wrong-servers',
    patches: [
      {
        file: HYBRID,
        find: 'const offset = clampInto(ntp.offset, interval);',
        replace: 'const offset = clampInto(ntp.offset, { lo: -8.64e15, hi: 8.64e15 });',
      },
    ],
  },
  {
    name: 'first-server-believed',
    rule: 'TM-3: a strict majority of the servers holds an offset possible',
    trial: 'some-wrong-servers',
    patches: [
      {
        file: SELECTION,
        find: 'filter((lo) => heldBy(lo) >= majority)',
        replace: 'filter((lo, index) => index === 0 && heldBy(lo) > 0)',
      },
      {
        file: SELECTION,
        find: 'filter((hi) => heldBy(hi) >= majority)',
        replace: 'filter((hi, index) => index === 0 && heldBy(hi) > 0)',
      },
    ],
  },
  {
    name: 'bound-without-the-slew',
    rule: 'TM-4: what is still to be made up is part of the error',
    trial: 'servers-gone',
    patches: [
      {
        file: 'src/machines/time/time-coordinator.live.ts',
        find: 'errorAt(bound, now, config) + Math.abs(slewLeft(discipline, now))',
        replace: 'errorAt(bound, now, config) + 0 * Math.abs(slewLeft(discipline, now))',
      },
    ],
  },
  {
    name: 'bound-does-not-grow',
    rule: 'TM-4: the error grows by twice the drift',
    trial: 'servers-gone',
    patches: [
      {
        file: HYBRID,
        find: 'error + (2 * driftPpmMax * Math.max(0, ageMs)) / PER_MILLION;',
        replace: 'error + (0 * driftPpmMax * Math.max(0, ageMs)) / PER_MILLION;',
      },
    ],
  },
  {
    name: 'steps-at-any-time',
    rule: 'TM-6: steps in the first three updates only',
    trial: 'unset-clocks',
    patches: [
      {
        file: DISCIPLINE,
        find: "    case 'none':\n      return false;",
        replace: "    case 'none':\n      return Math.abs(correction) >= FIRST_STEP_THRESHOLD_MS;",
      },
    ],
  },
  {
    name: 'time-falls',
    rule: 'TM-6: adjusted time never decreases',
    trial: 'unset-clocks',
    patches: [
      {
        file: ADJUSTED,
        find: 'return this.#discipline === undefined ? time : this.#shown;',
        replace: 'return time;',
      },
    ],
  },
  {
    name: 'no-panic',
    rule: 'TM-6: a correction beyond the panic threshold is refused',
    trial: 'far-clocks',
    patches: [
      {
        file: DISCIPLINE,
        find: 'if (Math.abs(correction) > limit && Math.abs(fromSystemTime) > limit) {',
        replace: 'if (Math.abs(correction) > 1e9 * limit && Math.abs(fromSystemTime) > limit) {',
      },
    ],
  },
  {
    name: 'proposes-without-time',
    rule: 'TM-7: a node without adjusted time does not propose',
    trial: 'unset-clocks',
    patches: [
      {
        file: 'src/machines/consensus/round.proposing.ts',
        find: 'if (!facts.mayPropose) return { context };',
        replace: '',
      },
      {
        file: 'src/machines/consensus/round.proposing.ts',
        find: 'nextHash === undefined || !facts.mayPropose)',
        replace: 'nextHash === undefined)',
      },
    ],
  },
];
