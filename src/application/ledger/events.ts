/** What a transaction that succeeded tells those who search and subscribe. Pure. docs/ledger.md, "Events". */
import { toHex } from '../../base/bytes.ts';
import { commitIdOf } from '../../protocol/ordering/commitment.ts';
import type { Misbehavior } from '../../protocol/ports/application.ts';
import type { ApplicationEvent } from '../../protocol/ports/storage.ts';
import { addressText } from './address.ts';
import type { Fee } from './fees.ts';
import { validatorAddressOf } from './stake.ts';
import type { Transaction } from './transaction.ts';

/** One event, of the type of the transaction's kind; `sender`, and the account or validator concerned, can be searched. */
export function eventsOf(
  transaction: Transaction,
  sender: Uint8Array,
  { base, tip }: Fee,
): readonly ApplicationEvent[] {
  const { payload } = transaction;
  const attributes = [
    indexed('sender', addressText(sender)),
    ...targetOf(transaction, sender),
    ...('amount' in payload ? [shown('amount', payload.amount.toString())] : []),
    shown('fee', (base + tip).toString()),
  ];
  return [{ type: `ledger.${payload.kind}`, attributes }];
}

/** Of a block, not of a transaction: what an offender lost (LG-11). */
export const punishmentEvent = (
  { type, validator: { address } }: Misbehavior,
  burned: bigint,
): ApplicationEvent => ({
  type: 'ledger.punishment',
  attributes: [indexed('validator', address), shown('offence', type), shown('amount', burned.toString())],
});

function targetOf({ payload, nonce }: Transaction, sender: Uint8Array): ApplicationEvent['attributes'] {
  switch (payload.kind) {
    case 'transfer':
      return [indexed('recipient', addressText(payload.to))];
    case 'register':
      return [indexed('validator', toHex(validatorAddressOf(payload.nodeKey)))];
    case 'stake':
    case 'unstake':
    case 'withdraw':
      return [indexed('validator', toHex(payload.validator))];
    case 'seal':
      return [indexed('seal', toHex(commitIdOf({ sender, nonce }, payload.commitment)))];
  }
}

const indexed = (key: string, value: string) => ({ key, value, index: true });
const shown = (key: string, value: string) => ({ key, value, index: false });
