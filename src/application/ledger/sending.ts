/**
 * Coins that leave for another chain: out of the account, into the outbox, where they lie until that chain proves that it has them.
 * In the open or sealed, one or several, all or none. Pure. LG-30, LG-35, docs/ledger.md.
 */
import type { StateReader, StateWriter } from '../state/rules.ts';
import { debit } from './accounts.ts';
import { digestAfter, outboxKey, outboxValue, setChain, type Transfer } from './chains.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import { openChain } from './open-chain.ts';

/** Transfers to one chain that it has not acknowledged. @unit transfers @source chosen: about 2 MB of state a chain */
export const OUTBOX_MAX = 16_384n;

/** What leaves, and for whom. */
export type Leaving = Omit<Transfer, 'from'>;

/** What the state refuses, whoever sends. @param genesisHash of the other chain */
export function refusalOfSending(
  state: StateReader,
  genesisHash: Uint8Array,
  leaving: readonly Leaving[],
): Refusal | undefined {
  const found = openChain(state, genesisHash);
  if ('code' in found) return found;
  const { chainId, nextSequence, firstSequence, sent, received, sendMax } = found.chain;
  const amount = sumOf(leaving);
  // LG-35: what the other chain has got by its own count is no more than what was sent, and what it sent no less than what came.
  if (sent + amount - received > sendMax)
    return refused(
      CODES.creditExceeded,
      `${chainId} may have got ${sendMax} units more than it gave, the genesis says; with these ${amount} it would be ${sent + amount - received}: send less, or when some have come back`,
    );
  if (nextSequence + BigInt(leaving.length) - firstSequence <= OUTBOX_MAX) return undefined;
  return refused(
    CODES.outboxFull,
    `${nextSequence - firstSequence} transfers to ${chainId} are not acknowledged, of ${OUTBOX_MAX} at the most: wait until relayers have carried them`,
  );
}

/** The sequence of the first, or why none leaves: then nothing was written. */
export function sendAll(
  state: StateWriter,
  sender: Uint8Array,
  genesisHash: Uint8Array,
  leaving: readonly Leaving[],
): { readonly first: bigint } | Refusal {
  const found = openChain(state, genesisHash);
  if ('code' in found) return found;
  const { slot, chain } = found;
  const amount = sumOf(leaving);
  const refusal = refusalOfSending(state, genesisHash, leaving) ?? debit(state, sender, amount);
  if (refusal !== undefined) return refusal;
  let { digest, nextSequence } = chain;
  for (const { to, amount: units } of leaving) {
    const transfer = { from: sender, to, amount: units };
    digest = digestAfter(digest, transfer);
    state.set(outboxKey(genesisHash, nextSequence), outboxValue({ ...transfer, digest }));
    nextSequence += 1n;
  }
  setChain(state, slot, { ...chain, digest, nextSequence, sent: chain.sent + amount });
  return { first: chain.nextSequence };
}

const sumOf = (leaving: readonly Leaving[]): bigint => leaving.reduce((sum, { amount }) => sum + amount, 0n);
