/** A plain value as people read it: names and values, what is inside folded. It is bounded where it is made (`CellDetail.view`). */
import type { ReactNode } from 'react';

export function Facts({ value }: { readonly value: unknown }): ReactNode {
  const entries = entriesOf(value);
  if (entries.length === 0)
    return <p className="muted">{isBox(value) ? 'It knows nothing.' : plain(value)}</p>;
  return (
    <ul className="facts">
      {entries.map(([name, inner]) => (
        <Fact key={name} name={name} value={inner} depth={0} />
      ))}
    </ul>
  );
}

interface FactProps {
  readonly name: string;
  readonly value: unknown;
  readonly depth: number;
}

function Fact({ name, value, depth }: FactProps): ReactNode {
  const entries = entriesOf(value);
  if (entries.length === 0) {
    return (
      <li>
        <span className="fact-name">{name}</span>
        <span className={`fact-value ${typeof value}`}>{isBox(value) ? emptyBox(value) : plain(value)}</span>
      </li>
    );
  }
  return (
    <li>
      <details open={depth === 0 && entries.length <= 8}>
        <summary>
          <span className="fact-name">{name}</span>
          <span className="fact-value muted">{summary(value, entries.length)}</span>
        </summary>
        <ul>
          {entries.map(([inner, one]) => (
            <Fact key={inner} name={inner} value={one} depth={depth + 1} />
          ))}
        </ul>
      </details>
    </li>
  );
}

const isBox = (value: unknown): value is object => typeof value === 'object' && value !== null;

const entriesOf = (value: unknown): readonly (readonly [string, unknown])[] =>
  isBox(value) ? Object.entries(value) : [];

const emptyBox = (value: object): string => (Array.isArray(value) ? 'none' : '{}');

const summary = (value: unknown, count: number): string =>
  Array.isArray(value) ? `${count} ${count === 1 ? 'item' : 'items'}` : `${count} facts`;

function plain(value: unknown): string {
  if (value === undefined || value === null) return '–';
  return typeof value === 'string' ? value : String(value);
}
