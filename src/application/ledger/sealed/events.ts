/** What the close of a set tells of each of its seals; found by the commit id. Pure. docs/ledger.md, "Events". */
import { toHex } from '../../../base/bytes.ts';
import type { ApplicationEvent } from '../../../protocol/ports/storage.ts';
import { addressText } from '../address.ts';
import type { SealedTransfer } from './content.ts';
import type { SealOutcome } from './records.ts';

interface ToldSeal {
  readonly sender: Uint8Array;
  readonly outcome: SealOutcome;
  readonly place: number;
  /** Those revealed. */
  readonly transfers: readonly SealedTransfer[];
  readonly deposit: bigint;
}

/** An event of the block, of the type `ledger.sealed`. */
export const sealedEvent = (
  id: Uint8Array,
  { sender, outcome, place, transfers, deposit }: ToldSeal,
): ApplicationEvent => ({
  type: 'ledger.sealed',
  attributes: [
    { key: 'seal', value: toHex(id), index: true },
    { key: 'sender', value: addressText(sender), index: true },
    { key: 'outcome', value: outcome, index: true },
    { key: 'place', value: String(place), index: false },
    { key: 'deposit', value: deposit.toString(), index: false },
    ...transfers.flatMap(({ to, amount }) => [
      { key: 'recipient', value: addressText(to), index: true },
      { key: 'amount', value: amount.toString(), index: false },
    ]),
  ],
});

export const revealEvent = (id: Uint8Array): ApplicationEvent => ({
  type: 'ledger.reveal',
  attributes: [{ key: 'seal', value: toHex(id), index: true }],
});
