/** Questions from outside: each has an address of its own while it is open, so that an answer is an ordinary message. */
import type { CellAddress, Message } from '../../protocol/supervision/effect.ts';
import type { Cell } from './cell.ts';
import type { ClockTimer } from './clock.ts';
import type { Core } from './core.ts';

/** An ask failed. `code` says how; the three classes below are its forms. */
export abstract class AskError extends Error {
  abstract readonly code: 'refused' | 'late' | 'dead';
  readonly to: CellAddress;
  constructor(to: CellAddress, text: string) {
    super(text);
    this.to = to;
  }
}

/** The mailbox, the list of public events or the chart's present state did not take the question. */
export class AskRefused extends AskError {
  override readonly name = 'AskRefused';
  readonly code = 'refused';
}

/** No answer came in time; one that comes later is a dead letter. */
export class AskLate extends AskError {
  override readonly name = 'AskLate';
  readonly code = 'late';
}

/** The cell does not exist, or its incarnation ended before it answered. */
export class AskDead extends AskError {
  override readonly name = 'AskDead';
  readonly code = 'dead';
}

export interface Ask {
  readonly to: CellAddress;
  readonly resolve: (answer: Message) => void;
  readonly reject: (error: AskError) => void;
  timer: ClockTimer | undefined;
  /** The cell whose present incarnation has handled the question. */
  handledBy: Cell | undefined;
}

/** True for the address of a question. */
export const isAskAddress = (address: CellAddress): boolean => address.startsWith('@ask/');

/** Opens a question and gives its address. @param timeoutMs unit ms */
export function openAsk(
  core: Core,
  to: CellAddress,
  timeoutMs: number,
  ask: Pick<Ask, 'resolve' | 'reject'>,
): CellAddress {
  core.askCount += 1;
  const address = `@ask/${core.askCount}`;
  const timer = core.clock.schedule(timeoutMs, () => {
    core.takeInput();
    if (core.journal !== undefined) core.record({ ...core.stamp(), kind: 'lapsed', address });
    const open = closeAsk(core, address);
    open?.reject(
      new AskLate(
        to,
        `${to} did not answer within ${timeoutMs} ms: ask with a longer timeout, or look at its mailbox`,
      ),
    );
  });
  core.asks.set(address, { to, timer, handledBy: undefined, ...ask });
  return address;
}

/** Gives the answer to whoever asked; false when the question is over. */
export function answerAsk(core: Core, address: CellAddress, answer: Message): boolean {
  const ask = closeAsk(core, address);
  ask?.resolve(answer);
  return ask !== undefined;
}

/** Ends a question that can no longer be answered. */
export function failAsk(core: Core, address: CellAddress, make: (to: CellAddress) => AskError): void {
  const ask = closeAsk(core, address);
  ask?.reject(make(ask.to));
}

/** The cell's present incarnation has handled the question, and now owes an answer. */
export function oweAnswer(core: Core, cell: Cell, address: CellAddress): void {
  const ask = core.asks.get(address);
  if (ask === undefined) return;
  ask.handledBy = cell;
  cell.openAsks ??= new Set();
  cell.openAsks.add(address);
}

/** Fails the questions that an incarnation which has ended leaves unanswered. */
export function failOwed(core: Core, cell: Cell): void {
  const owed = cell.openAsks;
  cell.openAsks = undefined;
  if (owed === undefined) return;
  for (const address of owed) {
    failAsk(core, address, (to) => new AskDead(to, `${to} ended before it answered: watch it, or ask again`));
  }
}

/** Fails every open question: the system has stopped. */
export function failAllAsks(core: Core): void {
  for (const address of [...core.asks.keys()]) {
    failAsk(core, address, (to) => new AskDead(to, `the system stopped before ${to} answered`));
  }
}

/** Takes a question off the list of open ones. */
export function closeAsk(core: Core, address: CellAddress): Ask | undefined {
  const ask = core.asks.get(address);
  if (ask === undefined) return undefined;
  core.asks.delete(address);
  if (ask.timer !== undefined) core.clock.cancel(ask.timer);
  ask.handledBy?.openAsks?.delete(address);
  return ask;
}
