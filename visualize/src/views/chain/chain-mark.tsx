/** What a node says of the chain, as a mark on its line: the same in the map and in the legend. */
import type { ReactNode } from 'react';
import type { Marker } from './layout.ts';

export const MARKERS: readonly Marker['kind'][] = ['executed', 'committed', 'locked', 'highQc'];

export function ChainMark({ kind }: { readonly kind: Marker['kind'] }): ReactNode {
  return (
    <svg className="chain-lanes" width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">
      <g className={`is-${kind}`}>{MARKS[kind]}</g>
    </svg>
  );
}

export const MARKS: Readonly<Record<Marker['kind'], ReactNode>> = {
  executed: <circle r="4.2" />,
  committed: (
    <>
      <circle r="6" />
      <path d="M-2.8 0.2-0.7 2.4 3-2.1" />
    </>
  ),
  locked: (
    <>
      <path d="M-2.6-1.5v-1.6a2.6 2.6 0 0 1 5.2 0v1.6" fill="none" />
      <rect x="-4.2" y="-1.5" width="8.4" height="6.4" rx="1" />
    </>
  ),
  highQc: <path d="M0-6 5.4 0 0 6-5.4 0z" />,
};

export const MARK_WORDS: Readonly<Record<Marker['kind'], string>> = {
  executed: 'executed up to',
  committed: 'committed up to',
  locked: 'locked on',
  highQc: 'highest QC it knows is of',
};

export const MARK_LABELS: Readonly<Record<Marker['kind'], string>> = {
  executed: 'executed',
  committed: 'committed',
  locked: 'locked',
  highQc: 'highest QC',
};
