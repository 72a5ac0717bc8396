/** What a transaction that succeeded tells those who search and subscribe. Pure. docs/ledger.md, "Events". */
import { toHex } from '../../base/bytes.ts';
import { accusedOf } from '../../protocol/consensus/evidence.ts';
import type { ApplicationEvent } from '../../protocol/ports/storage.ts';
import { addressText } from './address.ts';
import { parseEvidence } from './evidence.ts';
import type { Fee } from './fees.ts';
import { validatorAddressOf } from './stake.ts';
import type { Payload, Transaction } from './transaction.ts';

/** One event, of the type of the transaction's kind; `sender`, and the account or validator concerned, can be searched. */
export function eventsOf(
  { payload }: Transaction,
  sender: Uint8Array,
  { base, tip }: Fee,
): readonly ApplicationEvent[] {
  const attributes = [
    indexed('sender', addressText(sender)),
    ...targetOf(payload),
    ...('amount' in payload ? [shown('amount', payload.amount.toString())] : []),
    shown('fee', (base + tip).toString()),
  ];
  return [{ type: `ledger.${payload.kind}`, attributes }];
}

/** Of a report, which nobody sends (LG-16). */
export const reportEvents = (evidence: Uint8Array): readonly ApplicationEvent[] => [
  { type: 'ledger.report', attributes: accusedIn(evidence) },
];

function targetOf(payload: Payload): ApplicationEvent['attributes'] {
  switch (payload.kind) {
    case 'transfer':
      return [indexed('recipient', addressText(payload.to))];
    case 'register':
      return [indexed('validator', toHex(validatorAddressOf(payload.nodeKey)))];
    case 'stake':
    case 'unstake':
    case 'withdraw':
      return [indexed('validator', toHex(payload.validator))];
    case 'evidence':
      return accusedIn(payload.evidence);
  }
}

function accusedIn(bytes: Uint8Array): ApplicationEvent['attributes'] {
  const evidence = parseEvidence(bytes);
  return 'problem' in evidence ? [] : [indexed('validator', accusedOf(evidence))];
}

const indexed = (key: string, value: string) => ({ key, value, index: true });
const shown = (key: string, value: string) => ({ key, value, index: false });
