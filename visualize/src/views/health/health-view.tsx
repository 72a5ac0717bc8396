/** Health. */
import type { ReactNode } from 'react';

export function HealthView(): ReactNode {
  return <p className="empty">Health is being built.</p>;
}
