/** What of the trees is shown: by words, by kind, what is in trouble, what works. */
import type { ReactNode } from 'react';
import type { CellRow } from '../../../../src/observe/feed/feed.ts';
import { counted } from '../../shell/words.ts';
import type { TreeFilter } from './tree.ts';

const KINDS: readonly CellRow['kind'][] = ['machine', 'supervisor', 'boundary', 'reducer'];

export interface CellFilterProps {
  readonly filter: TreeFilter;
  readonly onChange: (filter: TreeFilter) => void;
  readonly total: number;
  readonly troubled: number;
}

export function CellFilter({ filter, onChange, total, troubled }: CellFilterProps): ReactNode {
  return (
    <search className="cell-filter">
      <input
        type="search"
        aria-label="Filter cells"
        placeholder={`Filter ${counted(total)} cells`}
        spellCheck={false}
        value={filter.text}
        onChange={({ target }) => onChange({ ...filter, text: target.value })}
      />
      <select
        aria-label="Kind of cell"
        value={filter.kind ?? ''}
        onChange={({ target }) => onChange({ ...filter, kind: KINDS.find((kind) => kind === target.value) })}
      >
        <option value="">all kinds</option>
        {KINDS.map((kind) => (
          <option key={kind}>{kind}</option>
        ))}
      </select>
      <button
        type="button"
        aria-pressed={filter.isBusyOnly}
        title="Only cells that took messages in the last seconds, or hold some"
        onClick={() => onChange({ ...filter, isBusyOnly: !filter.isBusyOnly })}
      >
        busy
      </button>
      <button
        type="button"
        aria-pressed={filter.isTroubledOnly}
        title="Only cells that do not run, were restarted, or lost messages"
        onClick={() => onChange({ ...filter, isTroubledOnly: !filter.isTroubledOnly })}
      >
        trouble {troubled}
      </button>
    </search>
  );
}
