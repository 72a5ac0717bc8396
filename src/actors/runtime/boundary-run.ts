/**
 * Runs one incarnation of a boundary actor: opens it, hands it one message at a time, stops it, ignores it afterwards.
 * Boundary. Never runs inside a pure turn. Rules RT-3, RT-6, RT-15, docs/runtime.md.
 */
import {
  type CellAddress,
  crash,
  type ExitReason,
  type Message,
  NORMAL,
} from '../../protocol/supervision/effect.ts';
import { openAsk } from './asks.ts';
import {
  type BoundaryContext,
  type BoundaryDefinition,
  type Delivery,
  type HandlerRun,
  type Inbox,
  isPromise,
  type TellOutcome,
} from './boundary.ts';
import { type Cell, type CellHooks, hooksOf, type RoomWait } from './cell.ts';
import type { Core } from './core.ts';
import { tellFromOutside } from './deliver.ts';
import { endCell, markStarted } from './lifecycle.ts';
import type { Envelope } from './mailbox.ts';
import { cancelTimer, namedKey, startTimer } from './timers.ts';
import { unwatchCell, watchCell } from './watch.ts';

/** One incarnation. `detached` means that nothing it does counts any more. */
export interface BoundaryRun {
  detached: boolean;
  /** It can take a message now. */
  isIdle(): boolean;
  /** Hands over one message. */
  give(envelope: Envelope): void;
  /** Aborts its signal. */
  abort(): void;
  /** It was asked to stop: ends the cell when it has closed. */
  close(): void;
}

/** Opens a boundary actor for the cell's present incarnation. */
export function openBoundary(core: Core, cell: Cell, definition: BoundaryDefinition<unknown>): void {
  const controller = new AbortController();
  const context = makeContext(core, cell, controller.signal);
  if (definition.kind === 'function') runFunction(core, cell, definition, context, controller);
  else runHandler(core, cell, definition, context, controller);
}

type FunctionDefinition = Extract<BoundaryDefinition<unknown>, { readonly kind: 'function' }>;
type HandlerOpener = Extract<BoundaryDefinition<unknown>, { readonly kind: 'handler' }>;

function runFunction(
  core: Core,
  cell: Cell,
  definition: FunctionDefinition,
  context: BoundaryContext<unknown>,
  controller: AbortController,
): void {
  let waiting: ((delivery: Delivery<Message> | undefined) => void) | undefined;
  let closed = false;
  const inbox: Inbox<Message> = {
    take() {
      if (closed || run.detached) return Promise.resolve(undefined);
      if (waiting !== undefined)
        return Promise.reject(new Error(`${cell.address} took from its inbox twice at once`));
      if (!cell.mailbox.isEmpty && cell.status === 'running') {
        core.schedule(cell);
        core.wake();
      }
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
    async *[Symbol.asyncIterator]() {
      for (let delivery = await inbox.take(); delivery !== undefined; delivery = await inbox.take()) {
        yield delivery.message;
      }
    },
  };
  const release = (delivery: Delivery<Message> | undefined): void => {
    const resolve = waiting;
    waiting = undefined;
    resolve?.(delivery);
  };
  const run: BoundaryRun = {
    detached: false,
    isIdle: () => waiting !== undefined,
    give: ({ message, from }) => release({ message, from }),
    abort() {
      closed = true;
      controller.abort();
      release(undefined);
    },
    close: () => undefined,
  };
  cell.boundary = run;
  const full = Object.assign(Object.create(context), { inbox });
  started(core, cell, run);
  attempt(() => definition.run(full)).then(
    () => ended(core, cell, run, cell.stopReason ?? NORMAL),
    (error: unknown) => ended(core, cell, run, crash(describeError(error))),
  );
}

function runHandler(
  core: Core,
  cell: Cell,
  definition: HandlerOpener,
  context: BoundaryContext<unknown>,
  controller: AbortController,
): void {
  let opened: HandlerRun | undefined;
  let busy = true;
  let closing = false;
  const fail = (error: unknown): void => ended(core, cell, run, crash(describeError(error)));
  const settle = (work: () => void | Promise<void>, then: () => void): void => {
    busy = true;
    try {
      const pending = work();
      if (isPromise(pending)) pending.then(() => resume(then), fail);
      else resume(then);
    } catch (error) {
      fail(error);
    }
  };
  const resume = (then: () => void): void => {
    busy = false;
    if (run.detached) return;
    then();
    if (closing && !busy) run.close();
    else if (!cell.mailbox.isEmpty) {
      core.schedule(cell);
      core.wake();
    }
  };
  const run: BoundaryRun = {
    detached: false,
    isIdle: () => opened !== undefined && !busy,
    give: ({ message, from }) =>
      settle(
        () => opened?.receive(message, from),
        () => undefined,
      ),
    abort: () => controller.abort(),
    close() {
      closing = true;
      if (busy || run.detached) return;
      closing = false;
      settle(
        () => opened?.terminate(),
        () => ended(core, cell, run, cell.stopReason ?? NORMAL),
      );
    },
  };
  cell.boundary = run;
  const open = (handler: HandlerRun): void => {
    opened = handler;
  };
  settle(
    () => {
      const pending = definition.open(context);
      if (!isPromise(pending)) {
        open(pending);
        return undefined;
      }
      return pending.then(open);
    },
    () => {
      started(core, cell, run);
      if (cell.stopReason !== undefined) run.close();
    },
  );
}

function started(core: Core, cell: Cell, run: BoundaryRun): void {
  if (run.detached || cell.boundary !== run || cell.status !== 'starting') return;
  core.takeInput();
  if (core.journal !== undefined) core.record({ ...core.stamp(), kind: 'started', address: cell.address });
  markStarted(core, cell);
  core.wake();
}

function ended(core: Core, cell: Cell, run: BoundaryRun, reason: ExitReason): void {
  if (!run.detached && cell.boundary === run) endBoundary(core, cell, reason);
}

/** A boundary actor ends: to the pure cells that is an input. */
export function endBoundary(core: Core, cell: Cell, reason: ExitReason): void {
  core.takeInput();
  if (core.journal !== undefined) {
    core.record({ ...core.stamp(), kind: 'ended', address: cell.address, reason });
  }
  endCell(core, cell, reason);
  core.wake();
}

function makeContext(core: Core, cell: Cell, signal: AbortSignal): BoundaryContext<unknown> {
  const { address, incarnation } = cell;
  const counts = (): boolean => cell.incarnation === incarnation && cell.isLive;
  return {
    self: address,
    input: cell.input,
    signal,
    now: () => core.clock.now(),
    tell(to, message, lane = 'user'): TellOutcome {
      if (counts()) return tellFromOutside(core, to, message, lane, address, incarnation);
      core.takeInput();
      if (core.journal !== undefined) {
        core.record({ ...core.stamp(), kind: 'stale', from: address, address: to, message });
      }
      core.deadLetters.add({ reason: 'stale', to, from: address, message });
      return 'dead';
    },
    ready: (to) => readyAt(core, to, address, () => !counts()),
    ask: (to, message, timeoutMs) => askCell(core, to, message, timeoutMs),
    watch(target) {
      if (!counts()) return;
      watchCell(core, cell, target);
      core.wake();
    },
    unwatch(target) {
      if (counts()) unwatchCell(core, cell, target);
    },
    startTimer(key, delayMs, message) {
      if (counts()) startTimer(core, cell, namedKey(key), delayMs, message);
    },
    cancelTimer(key) {
      if (counts()) cancelTimer(core, cell, namedKey(key));
    },
    exit(reason) {
      if (!counts()) return;
      core.later.push(() => {
        const { boundary } = cell;
        if (boundary !== undefined && cell.incarnation === incarnation) ended(core, cell, boundary, reason);
      });
      core.wake();
    },
  };
}

/**
 * Resolves when the cell's mailbox has room for `sender`, or when the cell or the sender's incarnation is gone. A restart of the
 * cell keeps the wait, as it keeps the queue (RT-6, RT-7).
 */
export function readyAt(
  core: Core,
  to: CellAddress,
  sender: CellAddress,
  isOver: () => boolean,
): Promise<void> {
  const cell = core.cells.get(to);
  if (cell === undefined || cell.mailbox.hasRoomFor(sender) || isOver()) return Promise.resolve();
  const hooks = hooksOf(cell);
  endWaits(hooks, (wait) => wait.isOver());
  return new Promise((resolve) => {
    hooks.ready.push({ sender, isOver, resolve });
  });
}

/** A message was taken: those who may send again hear of it. */
export function announceRoom({ hooks, mailbox }: Cell): void {
  if (hooks === undefined || hooks.ready.length === 0 || !mailbox.isHalfFree) return;
  endWaits(hooks, ({ sender, isOver }) => mailbox.hasRoomFor(sender) || isOver());
}

function endWaits(hooks: CellHooks, isDone: (wait: RoomWait) => boolean): void {
  const left: RoomWait[] = [];
  for (const wait of hooks.ready) {
    if (isDone(wait)) wait.resolve();
    else left.push(wait);
  }
  hooks.ready = left;
}

/** Asks a cell from outside. @param timeoutMs unit ms */
export function askCell(core: Core, to: CellAddress, message: Message, timeoutMs: number): Promise<Message> {
  return new Promise((resolve, reject) => {
    const question = openAsk(core, to, timeoutMs, { resolve, reject });
    tellFromOutside(core, to, message, 'user', question, 0);
  });
}

async function attempt(work: () => Promise<void>): Promise<void> {
  await work();
}

/** An error as text: its message, without the stack. */
export function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
