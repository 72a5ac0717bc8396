/** Overview. */
import type { ReactNode } from 'react';

export function OverviewView(): ReactNode {
  return <p className="empty">Overview is being built.</p>;
}
