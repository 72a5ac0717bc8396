/** Space-time. */
import type { ReactNode } from 'react';

export function DiagramView(): ReactNode {
  return <p className="empty">Space-time is being built.</p>;
}
