/**
 * Coins between chains: sent here into an outbox, credited there by proof, each transfer once, and forgotten here when the other
 * chain proves that it has it. The ledger is a light client of every chain that its genesis names. Deterministic; the one thing kept
 * beside the state is a bounded memory of epochs that were read. LG-30 to LG-37, docs/ledger.md; BR-12, docs/sharding.md.
 */
import { equalBytes } from '../../base/bytes.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { createRecentCache } from '../../crypto/recent-cache.ts';
import { digestBytes } from '../../protocol/chain/parse.ts';
import type { ChainDomain, EpochDescriptor, ProvenHeader } from '../../protocol/chain/types.ts';
import { parseEpochProof } from '../../protocol/light/encoding.ts';
import { verifyEpochProof } from '../../protocol/light/epochs.ts';
import { verifyProvenHeader } from '../../protocol/light/headers.ts';
import { verifyStateProof } from '../../protocol/light/state.ts';
import type { StateProof, TrustedEpoch } from '../../protocol/light/types.ts';
import type { StateReader, StateWriter } from '../state/rules.ts';
import { credit } from './accounts.ts';
import {
  type Chain,
  chainAt,
  chainCountOf,
  digestAfter,
  FIRST_SEQUENCE,
  INBOX_BYTES,
  inboxKey,
  inboxOf,
  inboxPair,
  outboxEntryOf,
  outboxKey,
  outboxValue,
  setChain,
  slotOf,
  slotPair,
  trustBeforePair,
  trustOf,
  trustPair,
  ZEROS,
} from './chains.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import { prepareContradict } from './contradiction.ts';
import { FieldWriter } from './fields.ts';
import {
  digestOfBytes,
  domainOf,
  type Lights,
  type OpenChain,
  openChain,
  type Prepare,
  type Prepared,
  type ProofPayload,
  trustedOf,
  unproven,
  unreadable,
} from './open-chain.ts';
import { bytesOf } from './pairs.ts';
import {
  type AcknowledgeProof,
  type OpenProof,
  parseAcknowledgeProof,
  parseOpenProof,
  parseReceiveProof,
  type ReceiveProof,
} from './proofs-between-chains.ts';
import { refusalOfSending, sendAll } from './sending.ts';
import type { Payload, ProofKind } from './transaction.ts';
import { encodeTrustedEpoch, readTrustedEpoch } from './trusted-epoch.ts';
import { DIGEST_BYTES } from './widths.ts';

/** Forgotten by one acknowledgement. @unit transfers @source chosen: some 3 ms, as much as its pairings */
export const FORGOTTEN_MAX = 256n;
/** Of epochs in memory, two for each chain. @unit epochs */
const EPOCHS_CACHED_MAX = 128;

type Crossing = Extract<Payload, { readonly chain: Uint8Array }>;
interface Place {
  readonly state: StateWriter;
  readonly sender: Uint8Array;
}

export interface Crossings {
  /** What the state alone refuses, before any pairing: nobody pays for it in the mempool's check. */
  readonly refusalOf: (payload: Crossing, state: StateReader) => Refusal | undefined;
  readonly act: (place: Place, payload: Crossing) => Refusal | undefined;
}

/** @param stateName domain of a ledger's state, which the proofs of all must have */
export function createCrossings(domain: ChainDomain, bls: BlsEngine, stateName: string): Crossings {
  const epochs = createRecentCache<EpochDescriptor>(EPOCHS_CACHED_MAX);
  const lights: Lights = {
    own: digestBytes(domain.genesisHash),
    bls,
    stateName,
    readEpoch: (bytes) => epochs.of(bytes, readTrustedEpoch),
  };
  return {
    refusalOf(payload, state) {
      if (payload.kind === 'send') return refusalOfSending(state, payload.chain, [payload]);
      const prepared = PREPARE[payload.kind](payload, state, lights);
      return 'code' in prepared ? prepared : undefined;
    },
    act(place, payload) {
      if (payload.kind === 'send') return sent(place, payload);
      const prepared = PREPARE[payload.kind](payload, place.state, lights);
      return 'code' in prepared ? prepared : prepared.finish(place.state);
    },
  };
}

function sent({ state, sender }: Place, payload: Extract<Payload, { kind: 'send' }>): Refusal | undefined {
  const done = sendAll(state, sender, payload.chain, [payload]);
  return 'code' in done ? done : undefined;
}

/** LG-31: the first proof of a chain tells its genesis hash, which no genesis that is named by it could. */
function prepareOpen(payload: ProofPayload, state: StateReader, lights: Lights): Prepared | Refusal {
  const proof = parseOpenProof(payload.proof);
  if (proof === 'malformed') return unreadable(payload.kind);
  const { slot } = proof;
  const chain = slot < chainCountOf(state) ? chainAt(state, slot) : undefined;
  if (chain === undefined)
    return refused(CODES.unknownChain, `the genesis names no chain ${slot}: see the query /chains`);
  if (chain.genesisHash !== undefined)
    return refused(CODES.chainOpen, `${chain.chainId} is open already: nothing is left to prove`);
  if (slotOf(state, payload.chain) !== undefined || equalBytes(payload.chain, lights.own))
    return refused(CODES.unknownChain, 'this genesis hash is that of another chain of this ledger');
  return { finish: (writer) => open(writer, lights, payload, proof, chain) };
}

function open(
  state: StateWriter,
  lights: Lights,
  { chain: genesisHash }: ProofPayload,
  { slot, header }: OpenProof,
  chain: Chain,
): Refusal | undefined {
  const seed = digestOfBytes(genesisHash);
  // LG-31: the seed of a first epoch is the genesis hash, which is learned here.
  const descriptor = { ...lights.readEpoch(trustOf(state, slot)), seed };
  const trusted = { domain: domainOf(chain, genesisHash), descriptor };
  const verdict = verifyProvenHeader(trusted, lights.bls, header);
  if (verdict.status === 'refused') return unproven(verdict.refusal);
  setChain(state, slot, { ...chain, genesisHash });
  for (const pair of openPairs(genesisHash, slot)) state.set(...pair);
  state.set(...trustPair(slot, encodeTrustedEpoch(descriptor)));
  return undefined;
}

/** What a chain has from when it is open. */
export const openPairs = (genesisHash: Uint8Array, slot: number): readonly (readonly [string, string])[] => [
  slotPair(genesisHash, slot),
  inboxPair(genesisHash, { nextSequence: FIRST_SEQUENCE, digest: ZEROS }),
];

/** LG-32: from the trusted epoch of the other chain to its next one. */
function prepareFollow(payload: ProofPayload, state: StateReader, lights: Lights): Prepared | Refusal {
  const found = openChain(state, payload.chain);
  if ('code' in found) return found;
  const { slot, chain } = found;
  const proof = parseEpochProof(payload.proof);
  if (proof === 'malformed') return unreadable(payload.kind);
  const trusted = trustedOf(state, found, lights);
  const { epoch } = trusted.descriptor;
  if (proof.next.epoch !== epoch + 1) {
    return refused(
      CODES.sequenceWrong,
      `epoch ${proof.next.epoch} of ${chain.chainId}, and epoch ${epoch} is trusted: the next is ${epoch + 1}`,
    );
  }
  return {
    finish(writer) {
      const verdict = verifyEpochProof(trusted, lights.bls, proof);
      if (verdict.status === 'refused') return unproven(verdict.refusal);
      // LG-37: what the validators of the epoch before have signed can still be held against the chain.
      writer.set(...trustBeforePair(slot, trustOf(writer, slot)));
      writer.set(...trustPair(slot, encodeTrustedEpoch(verdict.trusted.descriptor)));
      return undefined;
    },
  };
}

/** LG-33: transfers from the other chain, from the next one on, each once. */
function prepareReceive(payload: ProofPayload, state: StateReader, lights: Lights): Prepared | Refusal {
  const found = openChain(state, payload.chain);
  if ('code' in found) return found;
  const { chain } = found;
  const proof = parseReceiveProof(payload.proof);
  if (proof === 'malformed') return unreadable(payload.kind);
  const { nextSequence } = inboxOf(state, payload.chain);
  if (proof.firstSequence !== nextSequence) {
    return refused(
      CODES.sequenceWrong,
      `transfer ${proof.firstSequence} of ${chain.chainId}, and ${nextSequence} is the next: those before it were credited`,
    );
  }
  const amount = proof.transfers.reduce((sum, transfer) => sum + transfer.amount, 0n);
  if (chain.received + amount - chain.sent > chain.creditMax) {
    return refused(
      CODES.creditExceeded,
      `${chain.chainId} may have given ${chain.creditMax} units more than it got, the genesis says; with these ${amount} it would be ${chain.received + amount - chain.sent}: they stay in its outbox`,
    );
  }
  return { finish: (writer) => receive(writer, lights, found, proof, amount) };
}

function receive(
  state: StateWriter,
  lights: Lights,
  found: OpenChain,
  { firstSequence, transfers, header, state: shown }: ReceiveProof,
  amount: bigint,
): Refusal | undefined {
  const { slot, chain, genesisHash } = found;
  let { digest } = inboxOf(state, genesisHash);
  for (const transfer of transfers) digest = digestAfter(digest, transfer);
  const [last] = transfers.slice(-1);
  if (last === undefined) return unreadable('receive');
  const lastSequence = firstSequence + BigInt(transfers.length) - 1n;
  // The key names this chain: a transfer to another one, also of our chain id, is in another place.
  const key = bytesOf(outboxKey(lights.own, lastSequence));
  const refusal = refusalOfShown(trustedOf(state, found, lights), lights, header, {
    ...{ key, proof: shown },
    value: bytesOf(outboxValue({ ...last, digest })),
  });
  if (refusal !== undefined) return refusal;
  // LG-35: no sum can overflow, since the genesis bounds what may come in all.
  for (const transfer of transfers) credit(state, transfer.to, transfer.amount);
  setChain(state, slot, { ...chain, received: chain.received + amount });
  state.set(...inboxPair(genesisHash, { nextSequence: lastSequence + 1n, digest }));
  return undefined;
}

/** LG-34: what the other chain has credited is no longer needed here. */
function prepareAcknowledge(payload: ProofPayload, state: StateReader, lights: Lights): Prepared | Refusal {
  const found = openChain(state, payload.chain);
  if ('code' in found) return found;
  const { chain } = found;
  const proof = parseAcknowledgeProof(payload.proof);
  if (proof === 'malformed') return unreadable(payload.kind);
  if (proof.nextSequence > chain.firstSequence && proof.nextSequence <= chain.nextSequence)
    return { finish: (writer) => acknowledge(writer, lights, found, proof) };
  return refused(
    CODES.sequenceWrong,
    `transfers below ${proof.nextSequence} of those to ${chain.chainId}: ${chain.firstSequence} to ${chain.nextSequence - 1n} are not acknowledged`,
  );
}

function acknowledge(
  state: StateWriter,
  lights: Lights,
  found: OpenChain,
  { nextSequence, header, state: shown }: AcknowledgeProof,
): Refusal | undefined {
  const { slot, chain, genesisHash } = found;
  const last = outboxEntryOf(state, genesisHash, nextSequence - 1n);
  if (last === undefined) return unreadable('acknowledge');
  const refusal = refusalOfShown(trustedOf(state, found, lights), lights, header, {
    ...{ key: bytesOf(inboxKey(lights.own)), proof: shown },
    value: new FieldWriter(INBOX_BYTES).u64(nextSequence).fixed(last.digest, DIGEST_BYTES).finish(),
  });
  if (refusal !== undefined) return refusal;
  const most = chain.firstSequence + FORGOTTEN_MAX;
  const firstSequence = nextSequence < most ? nextSequence : most;
  for (let sequence = chain.firstSequence; sequence < firstSequence; sequence += 1n) {
    state.delete(outboxKey(genesisHash, sequence));
  }
  setChain(state, slot, { ...chain, firstSequence });
  return undefined;
}

const PREPARE: Readonly<Record<ProofKind, Prepare>> = {
  open: prepareOpen,
  follow: prepareFollow,
  receive: prepareReceive,
  acknowledge: prepareAcknowledge,
  contradict: prepareContradict,
};

interface ShownPair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly proof: StateProof;
}

/** Whether a ledger's state, which a committed header of the other chain states, has this pair. Hashes before pairings. */
function refusalOfShown(
  trusted: TrustedEpoch,
  { bls, stateName }: Lights,
  header: ProvenHeader,
  { key, value, proof }: ShownPair,
): Refusal | undefined {
  // An application of another kind could be made to hold any pair.
  if (proof.state !== stateName)
    return refused(
      CODES.proofWrong,
      `the proof is of a state ${JSON.stringify(proof.state)}, expected ${stateName}`,
    );
  const { appHash } = header.path[0].header.executed;
  const shown = verifyStateProof(appHash, key, value, proof);
  if (shown !== 'valid') return unproven(shown);
  const verdict = verifyProvenHeader(trusted, bls, header);
  return verdict.status === 'refused' ? unproven(verdict.refusal) : undefined;
}

/** Domain of the state of rules (state.ts). */
export const stateNameOf = (name: string, version: string): string => `althing/${name}/v${version}`;
