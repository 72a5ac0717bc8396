/** Wire events for tests of the diagram, as two nodes tell them. */
import type { NodeIndex, WireEvent } from '../../../../src/observe/feed/feed.ts';

export interface Told {
  readonly id: string;
  readonly from: NodeIndex;
  readonly to: NodeIndex;
  readonly sentAt: number;
  readonly receivedAt: number;
  readonly kind?: string;
}

export const sent = ({ id, from, to, sentAt: at, kind = 'Vote' }: Omit<Told, 'receivedAt'>): WireEvent => ({
  ...{ id, node: from, peer: to, at, kind },
  ...{ turn: 1, direction: 'sent' },
});

export const received = ({
  id,
  from,
  to,
  receivedAt: at,
  kind = 'Vote',
}: Omit<Told, 'sentAt'>): WireEvent => ({
  ...{ id, node: to, peer: from, at, kind },
  ...{ turn: 2, direction: 'received' },
});

export const both = (told: Told): readonly WireEvent[] => [sent(told), received(told)];
