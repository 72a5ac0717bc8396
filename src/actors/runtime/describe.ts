/** Cells as the registry and inspectors show them. Pure reading. */
import { monotonic } from '../../base/units.ts';
import type { Cell } from './cell.ts';
import type { CellInfo } from './inspector.ts';

/** What there is to see of a cell now. */
export function describeCell(cell: Cell): CellInfo {
  const { logic } = cell;
  return {
    address: cell.address,
    parent: cell.parent?.address,
    kind: logic.kind,
    status: cell.status,
    incarnation: cell.incarnation,
    restarts: Math.max(0, cell.restarts),
    counters: {
      accepted: cell.accepted,
      processed: cell.processed,
      queued: cell.mailbox.queued,
      postponed: cell.mailbox.postponed,
      lost: cell.lost ?? new Map(),
    },
    capacity: cell.mailbox.options.capacity,
    timers: [...(cell.timers?.values() ?? [])].map(({ key, due }) => ({ key, due: monotonic(due) })),
    machine: logic.kind === 'machine' || logic.kind === 'supervisor' ? logic.machine : undefined,
    snapshot: cell.snapshot ?? cell.reduced,
  };
}

/** The address of a cell, with the names of templates and kinds in place of ids that were given at run time. */
export function pathOf({ parent, template, spawnKind, spec }: Cell): string {
  const name = template ?? spawnKind ?? spec.id;
  return parent === undefined ? name : `${pathOf(parent)}/${name}`;
}
