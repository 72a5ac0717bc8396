/** Messages. */
import type { ReactNode } from 'react';

export function MessagesView(): ReactNode {
  return <p className="empty">Messages is being built.</p>;
}
