/** What the close of a set tells of each of its seals; found by the commit id. Pure. docs/ledger.md, "Events". */
import { toHex } from '../../../base/bytes.ts';
import type { ApplicationEvent } from '../../../protocol/ports/storage.ts';
import { addressText } from '../address.ts';
import { outboxEvent } from '../events.ts';
import type { SealedContent } from './content.ts';
import type { SealOutcome } from './records.ts';

interface ToldSeal {
  readonly sender: Uint8Array;
  readonly outcome: SealOutcome;
  readonly place: number;
  /** Those revealed. */
  readonly content: SealedContent;
  /** Of the first in the outbox. */
  readonly sequence: bigint | undefined;
  readonly deposit: bigint;
}

/** Events of the block: one of the type `ledger.sealed`, and those of the outbox, as a `send` has them. */
export function sealedEvents(
  id: Uint8Array,
  { sender, outcome, place, content: { transfers, chain }, sequence, deposit }: ToldSeal,
): readonly ApplicationEvent[] {
  const told: ApplicationEvent = {
    type: 'ledger.sealed',
    attributes: [
      { key: 'seal', value: toHex(id), index: true },
      { key: 'sender', value: addressText(sender), index: true },
      { key: 'outcome', value: outcome, index: true },
      { key: 'place', value: String(place), index: false },
      { key: 'deposit', value: deposit.toString(), index: false },
      ...(chain === undefined ? [] : [{ key: 'chain', value: toHex(chain), index: true }]),
      ...transfers.flatMap(({ to, amount }) => [
        { key: 'recipient', value: addressText(to), index: true },
        { key: 'amount', value: amount.toString(), index: false },
      ]),
    ],
  };
  if (chain === undefined || sequence === undefined) return [told];
  return [told, ...transfers.map((_, index) => outboxEvent(chain, sequence + BigInt(index)))];
}

export const revealEvent = (id: Uint8Array): ApplicationEvent => ({
  type: 'ledger.reveal',
  attributes: [{ key: 'seal', value: toHex(id), index: true }],
});
