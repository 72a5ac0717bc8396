/**
 * Another chain as a transaction about it finds it: open, not halted, its trusted epoch read; and how a proof is refused. Pure.
 * LG-30 to LG-37, docs/ledger.md.
 */
import { toHex } from '../../base/bytes.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { digestFromBytes } from '../../protocol/chain/parse.ts';
import type { ChainDomain, Digest, EpochDescriptor } from '../../protocol/chain/types.ts';
import type { LightRefusal, TrustedEpoch } from '../../protocol/light/types.ts';
import type { StateReader, StateWriter } from '../state/rules.ts';
import { type Chain, chainAt, haltedAt, slotOf, trustOf } from './chains.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import type { Payload, ProofKind } from './transaction.ts';

/** What proofs are judged by, besides the state. */
export interface Lights {
  readonly own: Uint8Array;
  readonly bls: BlsEngine;
  readonly stateName: string;
  readonly readEpoch: (trust: Uint8Array) => EpochDescriptor;
}

export type ProofPayload = Extract<Payload, { readonly kind: ProofKind }>;

/** What is left to do, pairings first. */
export interface Prepared {
  readonly finish: (state: StateWriter) => Refusal | undefined;
}

/** What the state alone refuses, or what is left to do. */
export type Prepare = (payload: ProofPayload, state: StateReader, lights: Lights) => Prepared | Refusal;

export interface OpenChain {
  readonly slot: number;
  readonly chain: Chain;
  readonly genesisHash: Uint8Array;
}

/** LG-37: a chain that has contradicted itself gives and gets nothing more, whatever is proven. */
export function openChain(state: StateReader, genesisHash: Uint8Array): OpenChain | Refusal {
  const slot = slotOf(state, genesisHash);
  const chain = slot === undefined ? undefined : chainAt(state, slot);
  if (slot === undefined || chain === undefined)
    return refused(
      CODES.unknownChain,
      `no open chain of this ledger has the genesis hash ${toHex(genesisHash)}: see the query /chains`,
    );
  const halted = haltedAt(state, slot);
  if (halted === undefined) return { slot, chain, genesisHash };
  return refused(
    CODES.chainHalted,
    `nothing goes to ${chain.chainId} or comes from it any more: its validators have committed two blocks of height ${halted}, so that none of its proofs can be believed`,
  );
}

export function trustedOf(
  state: StateReader,
  { slot, chain, genesisHash }: OpenChain,
  lights: Lights,
): TrustedEpoch {
  return { domain: domainOf(chain, genesisHash), descriptor: lights.readEpoch(trustOf(state, slot)) };
}

export const domainOf = ({ chainId }: Chain, genesisHash: Uint8Array): ChainDomain => ({
  ...{ genesisHash: digestOfBytes(genesisHash), chainId },
});

export function digestOfBytes(bytes: Uint8Array): Digest {
  const digest = digestFromBytes(bytes);
  if (digest === 'malformed') throw new Error(`a genesis hash has 32 bytes, not ${bytes.byteLength}`);
  return digest;
}

export const unreadable = (kind: ProofKind): Refusal =>
  refused(CODES.proofWrong, `the proof of this ${kind} cannot be read: it was cut, or is of another version`);

export function unproven(refusal: LightRefusal): Refusal {
  const words = JSON.stringify(refusal, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  return refused(CODES.proofWrong, `the proof does not hold: ${words}`);
}
