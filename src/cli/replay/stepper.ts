/** `althing replay --step`: commands a line, from a terminal or a pipe, answered at once. Boundary: streams. Rule RP-5, docs/journal.md. */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Transition } from '../../actors/runtime/index.ts';
import { statePaths } from '../../replay/breakpoint.ts';
import type { Playback } from '../../replay/playback.ts';
import { CommandFailure } from '../failure.ts';
import { breakpointOf, cellLines, stopLines, trackTable } from './show.ts';
import { INSTANT_FORMS, instantOf } from './times.ts';

const HELP = [
  'step [n]             n turns on, of the node whose turn it is',
  'back [n]             n turns back',
  'play [time]          on to a time or the end, or to where the breakpoint holds',
  'break <expression>   sets the breakpoint; alone it takes it away',
  `goto <time>          ${INSTANT_FORMS}`,
  'cell <address>       what a cell knows at each node',
  'nodes                where each node stands',
  'quit',
];

/** @unit turns @source one line of answer for each: more is what `play` is for */
const STEPS_MAX = 10_000;

/** Ends with `quit` or the end of the input. */
export async function stepThrough(playback: Playback, input: Readable, output: Writable): Promise<void> {
  const say = (lines: readonly string[]): void => void output.write(`${lines.join('\n')}\n`);
  const lines = createInterface({ input, terminal: false });
  const isTerminal = 'isTTY' in input && input.isTTY === true;
  const prompt = (): void => void (isTerminal && output.write('> '));
  const stepper = new Stepper(playback);
  say([...stopLines(playback, undefined), ...trackTable(playback)]);
  prompt();
  for await (const line of lines) {
    const [verb = '', ...words] = line.trim().split(/\s+/);
    if (verb === 'quit' || verb === 'q') break;
    try {
      if (verb !== '') say(stepper.answer(verb, words.join(' ')));
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      say([error.message]);
    }
    prompt();
  }
  lines.close();
}

class Stepper {
  readonly #playback: Playback;
  #breakpoint = '';

  constructor(playback: Playback) {
    this.#playback = playback;
  }

  answer(verb: string, rest: string): readonly string[] {
    const playback = this.#playback;
    switch (verb) {
      case 'step':
      case 'back':
        return this.#step(verb === 'step' ? 1 : -1, rest);
      case 'play':
        return this.#play(rest);
      case 'break':
        breakpointOf(rest);
        this.#breakpoint = rest;
        return [rest === '' ? 'no breakpoint' : `breakpoint: ${rest}`];
      case 'goto':
        playback.seek(this.#instant(rest));
        return [...stopLines(playback, undefined), ...trackTable(playback)];
      case 'cell':
        return playback.lanes.flatMap(({ player }) => cellLines(player, rest));
      case 'nodes':
        return trackTable(playback);
      default:
        return HELP;
    }
  }

  #step(by: 1 | -1, rest: string): readonly string[] {
    const count = rest === '' ? 1 : Number(rest);
    if (!Number.isInteger(count) || count < 1 || count > STEPS_MAX)
      return [`give a number of turns from 1 to ${STEPS_MAX}`];
    const steps: string[] = [];
    for (let step = 0; step < count; step += 1) {
      const before = this.#playback.lanes.map(({ player }) => player.turn);
      this.#playback.step(by);
      for (const [index, { player }] of this.#playback.lanes.entries()) {
        if (player.turn === before[index]) continue;
        const { moniker } = player.run.opening.node;
        steps.push(`${moniker} turn ${player.turn}: ${stepWords(this.#playback.lastStep(index))}`);
      }
    }
    return steps.length === 0 ? ['nothing is there to step to'] : steps;
  }

  #play(rest: string): readonly string[] {
    const playback = this.#playback;
    const until = rest === '' ? playback.span.to : this.#instant(rest);
    const stop = playback.play(until, breakpointOf(this.#breakpoint));
    return [...stopLines(playback, stop), ...trackTable(playback)];
  }

  #instant(text: string): number {
    const at = instantOf(text, this.#playback.span.from);
    if (at === undefined) throw new CommandFailure(`"${text}" is no time: give ${INSTANT_FORMS}`, 2);
    return at;
  }
}

/** `node/consensus/safety from …/round/0/7: vote.requested → ready; tells storage record.saved` */
function stepWords(step: Transition | undefined): string {
  if (step === undefined) return 'no step';
  const { address, from, event, snapshot, effects } = step;
  const states = statePaths(snapshot).join(', ');
  const asked = effects.map((effect) =>
    effect.kind === 'tell' ? `tells ${effect.to} ${effect.message.type}` : effect.kind,
  );
  const after = asked.length === 0 ? '' : `; ${asked.join(', ')}`;
  return `${address}${from === undefined ? '' : ` from ${from}`}: ${event.type} → ${states}${after}`;
}
