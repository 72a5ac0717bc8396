/**
 * What became of a transaction that this page submitted: looked for in each block that its validator executes from then on, as a reader would.
 * Asking comes from the caller. Bounded in blocks and time.
 */
import type { Control, NodeIndex, Question } from '../../../src/observe/feed/feed.ts';
import { readBlockAnswer } from '../views/chain/read-block.ts';
import type { Model } from './model.ts';
import { hashIn } from './orders.ts';

export interface Commit {
  readonly height: number;
  /** What the application said of it; 0: done. */
  readonly code: number;
  readonly log?: string;
}

export interface ChainReader {
  ask(question: Question): Promise<unknown>;
  /** The height that the validator has executed. */
  executed(): number;
  /** Where it is left out, time passes. */
  pause?(ms: number): Promise<void>;
}

/** @unit blocks @source a transaction waits for a leader or two; beyond it was lost with its validator */
const BLOCKS_MAX = 64;
/** @unit ms @source what a reader notices */
const LOOK_MS = 50;
/** @unit looks @source 30 s: several rounds that time out */
const LOOKS_MAX = 600;

const passing = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @param after the height that was executed before it was submitted @returns nothing for other orders, and where it was not found */
export async function commitOf(
  control: Control,
  answer: unknown,
  after: number,
  { pause = passing, ...reader }: ChainReader,
): Promise<Commit | undefined> {
  const hash = hashIn(answer);
  if (control.kind !== 'submit' || hash === undefined) return undefined;
  let height = after;
  for (let looks = 0; looks < LOOKS_MAX && height < after + BLOCKS_MAX; looks += 1) {
    while (height < Math.min(reader.executed(), after + BLOCKS_MAX)) {
      height += 1;
      const found = await inBlock(hash, control.node, height, reader);
      if (found !== undefined) return found;
    }
    await pause(LOOK_MS);
  }
  return undefined;
}

/** How far the node has come that an order is for. */
export const executedBy = ({ chains }: Model, control: Control): number =>
  'node' in control ? (chains.get(control.node)?.executed.height ?? 0) : 0;

async function inBlock(
  hash: string,
  node: NodeIndex,
  height: number,
  reader: Pick<ChainReader, 'ask'>,
): Promise<Commit | undefined> {
  const answer = await reader.ask({ kind: 'block', node, height }).catch(() => undefined);
  const found = readBlockAnswer(answer).answer?.transactions.find((one) => one.hash === hash);
  if (found === undefined) return undefined;
  return { height, code: found.code ?? 0, ...(found.log === undefined ? {} : { log: found.log }) };
}
