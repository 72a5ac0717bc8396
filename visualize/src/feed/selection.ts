/** What the reader looks at, shared by all views and kept in the address, so that a link shows the same. Pure. */
import type { At, NodeIndex } from '../../../src/observe/feed/feed.ts';

export const VIEWS = [
  'overview',
  'diagram',
  'chain',
  'cells',
  'chart',
  'messages',
  'health',
  'control',
  'verify',
] as const;
export type ViewId = (typeof VIEWS)[number];

export interface Selection {
  readonly view: ViewId;
  readonly node: NodeIndex | undefined;
  /** Address of a cell of `node`. */
  readonly cell: string | undefined;
  /** Id of a message between nodes. */
  readonly message: string | undefined;
  /** Id of a block, hexadecimal. */
  readonly block: string | undefined;
}

export const NOTHING_SELECTED: Selection = {
  view: 'overview',
  node: undefined,
  cell: undefined,
  message: undefined,
  block: undefined,
};

export interface Place {
  readonly selection: Selection;
  /** The instant; undefined is live, or where a recorded run stands. */
  readonly at: At | undefined;
}

/** `#view=cells&node=0&cell=consensus/safety&at=1700000000000`. What is malformed is as if it were absent. */
export function placeOfFragment(fragment: string): Place {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  const text = (name: string): string | undefined => fields.get(name)?.slice(0, 512) || undefined;
  const number = (name: string): number | undefined => {
    const value = text(name);
    return value !== undefined && /^\d{1,15}(\.\d{1,6})?$/.test(value) ? Number(value) : undefined;
  };
  const view = VIEWS.find((name) => name === fields.get('view')) ?? 'overview';
  const node = number('node');
  return {
    selection: {
      view,
      node: node === undefined ? undefined : Math.floor(node),
      cell: text('cell'),
      message: text('message'),
      block: text('block'),
    },
    at: number('at'),
  };
}

export function fragmentOf({ selection, at }: Place): string {
  const fields = new URLSearchParams();
  if (selection.view !== 'overview') fields.set('view', selection.view);
  if (selection.node !== undefined) fields.set('node', String(selection.node));
  for (const name of ['cell', 'message', 'block'] as const) {
    const value = selection[name];
    if (value !== undefined) fields.set(name, value);
  }
  if (at !== undefined) fields.set('at', String(at));
  // Slashes of addresses stay readable: they need no escape in a fragment.
  return fields.size === 0 ? '' : `#${fields.toString().replaceAll('%2F', '/')}`;
}
