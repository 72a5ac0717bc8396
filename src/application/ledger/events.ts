/** What a transaction that succeeded tells those who search and subscribe. Pure. docs/ledger.md, "Events". */
import { toHex } from '../../base/bytes.ts';
import { commitIdOf } from '../../protocol/ordering/commitment.ts';
import type { Misbehavior } from '../../protocol/ports/application.ts';
import type { ApplicationEvent } from '../../protocol/ports/storage.ts';
import type { StateReader } from '../state/rules.ts';
import { addressText } from './address.ts';
import { chainAt, slotOf } from './chains.ts';
import type { Fee } from './fees.ts';
import { parseReceiveProof } from './proofs-between-chains.ts';
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

/** What is told besides of coins between chains: the place of a transfer that left, and each one that came (LG-30, LG-33). */
export function crossingEvents({ payload }: Transaction, state: StateReader): readonly ApplicationEvent[] {
  if (payload.kind === 'send') {
    const slot = slotOf(state, payload.chain);
    const next = slot === undefined ? undefined : chainAt(state, slot)?.nextSequence;
    return next === undefined ? [] : [outboxEvent(payload.chain, next - 1n)];
  }
  const proof = payload.kind === 'receive' ? parseReceiveProof(payload.proof) : 'malformed';
  if (payload.kind !== 'receive' || proof === 'malformed') return [];
  return proof.transfers.map(({ from, to, amount }, index) =>
    crossing('ledger.credit', payload.chain, proof.firstSequence + BigInt(index), [
      indexed('recipient', addressText(to)),
      shown('from', addressText(from)),
      shown('amount', amount.toString()),
    ]),
  );
}

/** The place of a transfer that left, in the open or sealed. */
export const outboxEvent = (chain: Uint8Array, sequence: bigint): ApplicationEvent =>
  crossing('ledger.outbox', chain, sequence, []);

const crossing = (
  type: string,
  chain: Uint8Array,
  sequence: bigint,
  rest: ApplicationEvent['attributes'],
): ApplicationEvent => ({
  type,
  attributes: [indexed('chain', toHex(chain)), shown('sequence', sequence.toString()), ...rest],
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
    case 'rotate':
      return [indexed('validator', toHex(payload.validator))];
    case 'seal':
      return [indexed('seal', toHex(commitIdOf({ sender, nonce }, payload.commitment)))];
    case 'send':
      return [indexed('recipient', addressText(payload.to)), indexed('chain', toHex(payload.chain))];
    case 'open':
    case 'follow':
    case 'receive':
    case 'acknowledge':
    case 'contradict':
      return [indexed('chain', toHex(payload.chain))];
  }
}

const indexed = (key: string, value: string) => ({ key, value, index: true });
const shown = (key: string, value: string) => ({ key, value, index: false });
