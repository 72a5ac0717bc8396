/** What narrows the list of messages. */
import type { ReactNode } from 'react';
import { usePage } from '../../feed/use-page.ts';
import { nodeName } from '../words.ts';
import { type MessageFilter, NO_FILTER, roundOf, type Verdict } from './filter.ts';

interface BarProps {
  readonly filter: MessageFilter;
  readonly kinds: readonly string[];
  readonly onChange: (filter: MessageFilter) => void;
}

const VERDICTS: readonly (readonly [Verdict, string])[] = [
  ['all', 'any verdict'],
  ['taken', 'taken'],
  ['refused', 'refused'],
  ['lost', 'lost'],
  ['late', 'late'],
];

export function FilterBar({ filter, kinds, onChange }: BarProps): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  return (
    <search className="messages-filter">
      <select
        aria-label="Node"
        value={filter.node ?? ''}
        onChange={({ target }) =>
          onChange({ ...filter, node: target.value === '' ? undefined : Number(target.value) })
        }
      >
        <option value="">any node</option>
        {nodes.map(({ id }, place) => (
          <option key={id} value={place}>
            {nodeName(nodes, place)}
          </option>
        ))}
      </select>
      <select
        aria-label="Kind"
        value={filter.kind ?? ''}
        onChange={({ target }) => onChange({ ...filter, kind: target.value || undefined })}
      >
        <option value="">any kind</option>
        {kinds.map((kind) => (
          <option key={kind}>{kind}</option>
        ))}
      </select>
      <select
        aria-label="Verdict"
        value={filter.verdict}
        onChange={({ target }) =>
          onChange({ ...filter, verdict: VERDICTS.find(([name]) => name === target.value)?.[0] ?? 'all' })
        }
      >
        {VERDICTS.map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
      <input
        aria-label="Round"
        placeholder="round"
        inputMode="numeric"
        size={8}
        defaultValue={filter.round ?? ''}
        onChange={({ target }) => onChange({ ...filter, round: roundOf(target.value) })}
      />
      <input
        type="search"
        aria-label="Text"
        placeholder="id, block or reason"
        size={26}
        value={filter.text}
        onChange={({ target }) => onChange({ ...filter, text: target.value })}
      />
      <button type="button" className="link" onClick={() => onChange(NO_FILTER)}>
        Clear
      </button>
    </search>
  );
}
