/** A family's arrow, small, as legends and lists show it: the same head and colour as in the diagram. */
import type { ReactNode } from 'react';
import './families.css';
import { type Family, type Head, headOf } from './families.ts';

const HEADS: Readonly<Record<Head, ReactNode>> = {
  triangle: <path d="M14 2.5 22 6 14 9.5z" fill="currentColor" stroke="none" />,
  open: <path d="M15 2.5 22 6 15 9.5" fill="none" />,
  diamond: <path d="M13 6 17.5 2.6 22 6 17.5 9.4z" fill="currentColor" stroke="none" />,
  square: <path d="M16 3h6v6h-6z" fill="currentColor" stroke="none" />,
  bar: <path d="M21 2v8" />,
  dot: <circle cx="20" cy="6" r="2.4" fill="currentColor" stroke="none" />,
};

export function FamilySample({ family }: { readonly family: Family }): ReactNode {
  return (
    <svg
      className="family-sample"
      width="24"
      height="12"
      viewBox="0 0 24 12"
      aria-hidden="true"
      style={{ color: `var(--family-${family})` }}
      stroke="currentColor"
      strokeWidth="1.5"
    >
      <path d="M1 6h19" />
      {HEADS[headOf(family)]}
    </svg>
  );
}
