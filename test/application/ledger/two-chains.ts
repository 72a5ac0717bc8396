/** Two ledgers that know each other by their genesis, and the proofs that a relayer would carry between them. For tests. */
import {
  chainAt,
  inboxKey,
  outboxEntryOf,
  outboxKey,
  slotOf,
  type Transfer,
} from '../../../src/application/ledger/chains.ts';
import {
  encodeAcknowledgeProof,
  encodeContradictProof,
  encodeOpenProof,
  encodeReceiveProof,
} from '../../../src/application/ledger/proofs-between-chains.ts';
import type { Payload } from '../../../src/application/ledger/transaction.ts';
import { PairState } from '../../../src/application/state/state.ts';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { createKeyedHashEngine } from '../../../src/crypto/bls/keyed-hash.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import type { ExecutedState, ProvenHeader } from '../../../src/protocol/chain/types.ts';
import type { StateProof } from '../../../src/protocol/light/types.ts';
import type { TransactionResult } from '../../../src/protocol/ports/storage.ts';
import { chainOf, height, present, type World, world } from '../../protocol/consensus/fixture.ts';
import { proofOf } from '../../protocol/light/fixture.ts';
import { type ChainOptions, type Key, keyOf, LedgerChain } from './chain-of-ledger.ts';

/** What a header of this chain shows of its state as it is now. */
export interface Shown {
  readonly header: ProvenHeader;
  readonly prove: (key: string) => StateProof;
}

export const RELAYER = keyOf('relayer');
/** @unit units */
export const CREDIT = 10_000_000n;
export const POWERS = [5n, 5n, 5n, 5n];
/** One for all: an engine of keyed hashes verifies what it has signed itself. */
const ENGINE = createKeyedHashEngine();
/** Its validators are known to every chain of these tests. */
export const worldOf = (
  name: string,
  powers: readonly bigint[] = POWERS,
  engine: BlsEngine = ENGINE,
): World => world(powers, name, engine);

/** The secrets of `world` are these. */
function possessions(place: World, chainId: string): ReadonlyMap<string, Uint8Array> {
  return new Map(
    place.validators.map((_, index) => {
      const secret = present(place.bls.generateSecret(sha256(utf8(`${chainId} bls ${index}`))), 'secret');
      const key = present(place.bls.publicKeyOf(secret), 'public key');
      return [toHex(key), present(place.bls.provePossession(secret), 'possession')] as const;
    }),
  );
}

/** As the genesis of another chain names it. */
export function namedChain(place: World, given: Readonly<Record<string, unknown>> = {}): object {
  const { chainId } = place.epoch.domain;
  const proofs = possessions(place, chainId);
  return {
    chain_id: chainId,
    credit_max: CREDIT.toString(),
    validators: place.validators.map(({ nodeKey, consensusKey, power }) => ({
      node_key: toHex(nodeKey),
      consensus_key: toHex(consensusKey),
      possession_proof: toHex(present(proofs.get(toHex(consensusKey)), 'possession')),
      power: power.toString(),
    })),
    ...given,
  };
}

export const hashOf = ({ place }: LedgerChain): Uint8Array =>
  Buffer.from(place.epoch.domain.genesisHash, 'hex');

/** The state as it is now, under a header of this world. */
export function shownBy(chain: LedgerChain, place: World = chain.place): Shown {
  const state = new PairState({ name: 'ledger', version: chain.rules.version }, chain.state.pairs);
  const executed: ExecutedState = { height: height(chain.height), appHash: state.appHash([]) };
  return {
    header: proofOf(
      chainOf(place, [1, 2], () => ({ executed })),
      0,
      1,
    ),
    prove: (key) => state.prove(key, []),
  };
}

export class TwoChains {
  readonly one: LedgerChain;
  readonly two: LedgerChain;

  constructor(
    options: ChainOptions = {},
    named: Readonly<Record<string, unknown>> = {},
    engine: BlsEngine = ENGINE,
  ) {
    const [left, right] = [worldOf('one', POWERS, engine), worldOf('two', POWERS, engine)];
    const balances = { ada: 1_000_000n, relayer: 10_000_000n };
    const parameters = { block_work_target: 1_000 };
    const common = { balances, parameters, ...options };
    this.one = new LedgerChain({ ...common, place: left, chains: [namedChain(right, named)] });
    this.two = new LedgerChain({ ...common, place: right, chains: [namedChain(left, named)] });
  }

  /** Both know each other's genesis hash. */
  open(): this {
    for (const [here, there] of [
      [this.one, this.two],
      [this.two, this.one],
    ] as const) {
      const result = relay(here, openPayload(there));
      if (result.code !== 0) throw new Error(result.log);
    }
    return this;
  }

  /** All coins: on both chains, and on their way (LG-6). */
  total(): bigint {
    const [one, two] = [this.one, this.two].map(circulating);
    return (
      present(one, 'one') + present(two, 'two') + inFlight(this.one, this.two) + inFlight(this.two, this.one)
    );
  }
}

const circulating = (chain: LedgerChain): bigint => {
  const { circulating: free, staked, unbonding, burned } = chain.ask('/supply');
  return [free, staked, unbonding, burned].reduce<bigint>((sum, part) => sum + BigInt(String(part)), 0n);
};

/** What was sent and has not come. */
export const inFlight = (from: LedgerChain, to: LedgerChain): bigint =>
  chainOn(from, to).sent - chainOn(to, from).received;

export const chainOn = (here: LedgerChain, there: LedgerChain) =>
  present(chainAt(here.state, slotOf(here.state, hashOf(there)) ?? 0), 'the chain');

/** A transaction of the relayer's, in a block of its own. */
export const relay = (chain: LedgerChain, payload: Payload, key: Key = RELAYER): TransactionResult =>
  chain.run(key, payload, { feeMax: 2_000_000n });

export const sendPayload = (to: LedgerChain, recipient: Key, amount: bigint): Payload => ({
  ...{ kind: 'send', chain: hashOf(to), to: recipient.address, amount },
});

export const openPayload = (there: LedgerChain, { header } = shownBy(there), slot = 0): Payload => ({
  ...{ kind: 'open', chain: hashOf(there), proof: encodeOpenProof({ slot, header }) },
});

/** Two headers of one chain, whatever they are. */
export const contradictPayload = (there: LedgerChain, left: ProvenHeader, right: ProvenHeader): Payload => ({
  ...{ kind: 'contradict', chain: hashOf(there), proof: encodeContradictProof({ left, right }) },
});

export interface Carried {
  readonly first: bigint;
  readonly transfers: readonly Transfer[];
}

/** What lies in the outbox of `from` for `to`, from where `to` is on. */
export function outboxFor(from: LedgerChain, to: LedgerChain, first = nextOf(to, from), most = 128): Carried {
  const transfers: Transfer[] = [];
  for (let at = first; transfers.length < most; at += 1n) {
    const entry = outboxEntryOf(from.state, hashOf(to), at);
    if (entry === undefined) break;
    transfers.push({ from: entry.from, to: entry.to, amount: entry.amount });
  }
  return { first, transfers };
}

export const nextOf = (here: LedgerChain, there: LedgerChain): bigint =>
  BigInt(
    String(
      (here.ask('/chains') as unknown as { next_to_receive: string }[])[0]?.next_to_receive ?? there.height,
    ),
  );

export function receivePayload(
  from: LedgerChain,
  to: LedgerChain,
  { first, transfers }: Carried = outboxFor(from, to),
  shown = shownBy(from),
): Payload {
  const last = first + BigInt(transfers.length) - 1n;
  const proof = encodeReceiveProof({
    ...{ firstSequence: first, transfers, header: shown.header },
    state: shown.prove(outboxKey(hashOf(to), last)),
  });
  return { kind: 'receive', chain: hashOf(from), proof };
}

/** That `there` has credited what `here` sent, up to where it is. */
export function acknowledgePayload(here: LedgerChain, there: LedgerChain, shown = shownBy(there)): Payload {
  const nextSequence = nextOf(there, here);
  const state = shown.prove(inboxKey(hashOf(here)));
  const proof = encodeAcknowledgeProof({ nextSequence, header: shown.header, state });
  return { kind: 'acknowledge', chain: hashOf(there), proof };
}
