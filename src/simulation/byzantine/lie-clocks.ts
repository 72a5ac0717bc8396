/**
 * Answers about time that are not its clock's. How it lies is drawn at its first lie and kept: a wrong constant, a drift, a
 * constant of its own for each peer, a delay that is longer one way, silence. Deterministic. Rules SM-3, TM-4.
 */
import type { RandomStream } from '../../base/random.ts';
import type { NodeId } from '../../protocol/transport/messages.ts';
import { instead, type Letter, type LieModule, type LieTools } from './lie.ts';

/** What becomes of one answer; undefined: nobody hears it. */
type ClockLie = (told: Reply, to: NodeId) => Reply | undefined;
type Reply = Letter<'TimeReply'>['message'];

/** A false constant is between these, evenly by its logarithm. @unit µs @source 1 ms, 1 h */
const SHIFT_MICROS_MIN = 1_000;
const SHIFT_MICROS_MAX = 3_600_000_000;
/** A false drift is at most this. @unit parts @source as BAD_CLOCK of the swarm */
const DRIFT_MAX = 0.05;

const MODES: readonly ((draws: RandomStream) => ClockLie)[] = [
  constant,
  absurd,
  drifting,
  twoFaced,
  oneWay,
  () => () => undefined,
  () => (told) => ({ ...told, receivedMicros: told.repliedMicros, repliedMicros: told.receivedMicros }),
  () => (told) => ({ ...told, isSynchronised: !told.isSynchronised }),
];

/** The tools are a liar's own. */
const chosen = new WeakMap<LieTools, ClockLie>();

export const lieClocks: LieModule = {
  concerns: ['TimeReply'],
  lie(sent, tools) {
    const { message } = sent;
    if (message.kind !== 'TimeReply') return [sent];
    const lie = chosen.get(tools) ?? MODES[tools.draws.below(MODES.length)]?.(tools.draws);
    if (lie === undefined) return [sent];
    chosen.set(tools, lie);
    const said = lie(message, sent.to);
    return said === undefined ? [] : [instead(sent, said)];
  },
};

function constant(draws: RandomStream): ClockLie {
  const by = signOf(draws) * aShift(draws);
  return (told) => shifted(told, by, by);
}

/** The first moment that there is, or the last. */
function absurd(draws: RandomStream): ClockLie {
  const at = draws.below(2) === 0 ? 0 : Number.MAX_SAFE_INTEGER;
  return (told) => ({ ...told, receivedMicros: at, repliedMicros: at });
}

/** Right at its first answer, then further off with every second. */
function drifting(draws: RandomStream): ClockLie {
  const drift = signOf(draws) * DRIFT_MAX * (1 - draws.next());
  let since: number | undefined;
  return (told) => {
    since ??= told.receivedMicros;
    return shifted(told, (told.receivedMicros - since) * drift, (told.repliedMicros - since) * drift);
  };
}

/** Ahead to one, behind to the next whom it answers. One constant for each validator at most. */
function twoFaced(draws: RandomStream): ClockLie {
  const shifts = new Map<NodeId, number>();
  let sign = signOf(draws);
  return (told, to) => {
    const by = shifts.get(to) ?? sign * aShift(draws);
    if (!shifts.has(to)) {
      shifts.set(to, by);
      sign = -sign;
    }
    return shifted(told, by, by);
  };
}

/** A lie cannot wait: one stamp is wrong, and half of that in the offset, as a delay of one direction alone would be. */
function oneWay(draws: RandomStream): ClockLie {
  const by = signOf(draws) * aShift(draws);
  return draws.below(2) === 0 ? (told) => shifted(told, by, 0) : (told) => shifted(told, 0, by);
}

const signOf = (draws: RandomStream): number => (draws.below(2) === 0 ? 1 : -1);

const aShift = (draws: RandomStream): number =>
  SHIFT_MICROS_MIN * (SHIFT_MICROS_MAX / SHIFT_MICROS_MIN) ** draws.next();

/** Later by so much, within what the wire can carry. */
const shifted = (told: Reply, receivedBy: number, repliedBy: number): Reply => ({
  ...told,
  receivedMicros: micros(told.receivedMicros + receivedBy),
  repliedMicros: micros(told.repliedMicros + repliedBy),
});

const micros = (value: number): number => Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.round(value)));
