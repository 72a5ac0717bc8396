/** Control. */
import type { ReactNode } from 'react';

export function ControlView(): ReactNode {
  return <p className="empty">Control is being built.</p>;
}
