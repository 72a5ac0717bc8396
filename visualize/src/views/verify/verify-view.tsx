/** Verify. */
import type { ReactNode } from 'react';

export function VerifyView(): ReactNode {
  return <p className="empty">Verify is being built.</p>;
}
