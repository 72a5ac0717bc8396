/** What the ledger answers about other chains: JSON, amounts as texts of units. Pure. LG-36, docs/ledger.md. */
import { fromHex, toHex } from '../../base/bytes.ts';
import type { StateReader } from '../state/rules.ts';
import { addressText } from './address.ts';
import {
  chainAt,
  chainCountOf,
  haltedAt,
  inboxKey,
  inboxOf,
  outboxEntryOf,
  outboxKey,
  slotOf,
  trustOf,
} from './chains.ts';
import { bytesOf } from './pairs.ts';
import { TRANSFERS_MAX } from './proofs-between-chains.ts';
import { readTrustedEpoch } from './trusted-epoch.ts';

/** All that the genesis names, in its order; sequences begin at 1. */
export function chainsJson(state: StateReader): object {
  return Array.from({ length: chainCountOf(state) }, (_, slot) => {
    const chain = chainAt(state, slot);
    if (chain === undefined) return {};
    const { genesisHash } = chain;
    const { epoch } = readTrustedEpoch(trustOf(state, slot));
    return {
      slot,
      chain_id: chain.chainId,
      genesis_hash: genesisHash === undefined ? null : toHex(genesisHash),
      trusted_epoch: String(epoch),
      // LG-37: the height of which it has shown two blocks.
      halted_at: haltedAt(state, slot)?.toString() ?? null,
      credit_max: chain.creditMax.toString(),
      send_max: chain.sendMax.toString(),
      sent: chain.sent.toString(),
      received: chain.received.toString(),
      next_to_send: chain.nextSequence.toString(),
      first_unacknowledged: chain.firstSequence.toString(),
      next_to_receive: genesisHash === undefined ? '1' : inboxOf(state, genesisHash).nextSequence.toString(),
      // For proofs of what this chain has credited: LG-34.
      inbox_key: genesisHash === undefined ? null : toHex(bytesOf(inboxKey(genesisHash))),
    };
  });
}

/** The data is the genesis hash of the chain that they go to, a slash, and the first sequence; some from there on. */
export function outboxJson(text: string, state: StateReader): object | { readonly problem: string } {
  const parts = /^([0-9a-f]{64})\/([1-9][0-9]{0,18})$/.exec(text);
  const genesisHash = fromHex(parts?.[1] ?? '');
  if (parts === null || genesisHash === undefined)
    return {
      problem: 'give the 64 letters of the genesis hash, a slash, and the first sequence, as in 0a…ff/1',
    };
  const slot = slotOf(state, genesisHash);
  if (slot === undefined) return { problem: 'no open chain has this genesis hash: see /chains' };
  const next = chainAt(state, slot)?.nextSequence ?? 0n;
  const transfers: object[] = [];
  for (let at = BigInt(parts[2] ?? ''); at < next && transfers.length < TRANSFERS_MAX; at += 1n) {
    const entry = outboxEntryOf(state, genesisHash, at);
    if (entry === undefined) return { problem: `transfer ${at} was acknowledged: the outbox has it no more` };
    const [from, to] = [addressText(entry.from), addressText(entry.to)];
    const key = toHex(bytesOf(outboxKey(genesisHash, at)));
    transfers.push({ sequence: at.toString(), from, to, amount: entry.amount.toString(), key });
  }
  return transfers;
}
