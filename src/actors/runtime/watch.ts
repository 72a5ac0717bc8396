/** Death watch: exactly one `cell.down` for each watch, bound to incarnations on both sides. Rules RT-6, RT-10. */
import type { CellAddress, CellDown, ExitReason } from '../../protocol/supervision/effect.ts';
import type { Cell } from './cell.ts';
import type { Core } from './core.ts';
import { deliver, lose } from './deliver.ts';
import { NOT_STAMPED } from './mailbox.ts';

/** Watches the present incarnation at `address`; one that is watched already stays watched once. */
export function watchCell(core: Core, watcher: Cell, address: CellAddress): void {
  const target = core.cells.get(address);
  if (target === undefined || target.status === 'down' || target.status === 'gone') {
    sendDown(core, watcher, address, { kind: 'no_such_cell' }, undefined);
    return;
  }
  target.watchers ??= new Set();
  target.watchers.add(watcher);
  watcher.watching ??= new Set();
  watcher.watching.add(target);
}

/** Takes a watch back; a `cell.down` of it that is still queued is dropped. */
export function unwatchCell(core: Core, watcher: Cell, address: CellAddress): void {
  const target = core.cells.get(address);
  if (target !== undefined) {
    target.watchers?.delete(watcher);
    watcher.watching?.delete(target);
  }
  const isDown = watcher.mailbox.removeWhere(
    ({ message, from }) => from === address && message.type === 'cell.down',
  );
  for (const envelope of isDown) lose(core, watcher, envelope, 'cancelled');
}

/** Tells all who watched the incarnation that has ended. */
export function notifyWatchers(core: Core, cell: Cell, reason: ExitReason): void {
  const { watchers } = cell;
  cell.watchers = undefined;
  if (watchers === undefined) return;
  // A watcher that has ended since took its watches with it (dropWatches).
  for (const watcher of watchers) {
    watcher.watching?.delete(cell);
    sendDown(core, watcher, cell.address, reason, cell.output);
  }
}

/** An incarnation has ended: what it watched need not tell it any more. */
export function dropWatches(cell: Cell): void {
  for (const target of cell.watching ?? []) target.watchers?.delete(cell);
  cell.watching = undefined;
}

function sendDown(
  core: Core,
  watcher: Cell,
  address: CellAddress,
  reason: ExitReason,
  output: unknown,
): void {
  const message: CellDown =
    output === undefined
      ? { type: 'cell.down', address, reason }
      : { type: 'cell.down', address, reason, output };
  deliver(core, watcher, {
    message,
    from: address,
    fromIncarnation: 0,
    forIncarnation: watcher.incarnation,
    timer: undefined,
    lane: 'supervision',
    queuedAt: NOT_STAMPED,
  });
}
