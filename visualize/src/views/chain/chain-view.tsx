/** Chain. */
import type { ReactNode } from 'react';

export function ChainView(): ReactNode {
  return <p className="empty">Chain is being built.</p>;
}
