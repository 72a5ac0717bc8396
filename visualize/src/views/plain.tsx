/** Plain data as people read it: names and values, nested to be opened. What the feed cut is as it cut it. */
import type { ReactNode } from 'react';

/** Deeper is shown as text; the feed's own data is less deep. */
const DEPTH_MAX = 8;
/** Entries of one list or object. */
const ENTRIES_MAX = 200;

export function Plain({ value, depth = 0 }: { readonly value: unknown; readonly depth?: number }): ReactNode {
  if (typeof value !== 'object' || value === null || depth >= DEPTH_MAX) return <Leaf value={value} />;
  const all = Object.entries(value);
  if (all.length === 0) return <code className="is-muted">{Array.isArray(value) ? '[ ]' : '{ }'}</code>;
  return (
    <ul className="plain">
      {all.slice(0, ENTRIES_MAX).map(([name, inner]) => (
        <li key={name}>
          <span className="is-muted">{name}</span> <Plain value={inner} depth={depth + 1} />
        </li>
      ))}
      {all.length > ENTRIES_MAX ? <li className="is-muted">… {all.length - ENTRIES_MAX} more</li> : null}
    </ul>
  );
}

function Leaf({ value }: { readonly value: unknown }): ReactNode {
  if (typeof value === 'string') return <code>{value === '' ? '‘’' : value}</code>;
  if (value === null || value === undefined) return <code className="is-muted">none</code>;
  return <code>{typeof value === 'object' ? JSON.stringify(value).slice(0, 200) : String(value)}</code>;
}
