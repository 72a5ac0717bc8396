/** Cells. */
import type { ReactNode } from 'react';

export function CellsView(): ReactNode {
  return <p className="empty">Cells is being built.</p>;
}
