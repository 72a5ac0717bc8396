/** What a user of the light client gives and gets. Types and errors only. docs/client.md, "The light client". */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import type { Header } from '../../protocol/chain/types.ts';
import type { LightRefusal } from '../../protocol/light/types.ts';

export interface LightClientOptions {
  /** URLs of the RPC of nodes. None is trusted: what each answers is verified. */
  readonly endpoints: readonly string[];
  readonly trusted: TrustedGenesis | TrustedPoint;
  /**
   * Trust is over when nothing newer was verified for so long: validators of then may have taken their stake back, and what
   * they sign costs them nothing. Less than the time in which stake is held back. Left out: trust is never over. @unit ms
   */
  readonly trustingPeriodMs?: number;
  /** Milliseconds since 1970; the machine's clock by default. */
  readonly now?: () => number;
  /** Verifies BLS signatures; @noble/curves by default, which is there in every browser. */
  readonly bls?: BlsEngine;
  /** For a header that states the state of an answer. @unit ms @source 30,000 by default, several empty blocks */
  readonly waitMs?: number;
  /** A call without an answer for so long is given up. @unit ms @source 10,000 by default */
  readonly callTimeoutMs?: number;
  /** An answer that is longer is not read to its end. @unit bytes @source 33,554,432 by default */
  readonly answerBytesMax?: number;
}

/** The first epoch, by the genesis document. */
export interface TrustedGenesis {
  /** The document, parsed as JSON. */
  readonly genesis: unknown;
  /** Its hash, where it comes from elsewhere than the document: 64 hexadecimal letters. */
  readonly hash?: string;
}

/** Any later epoch, by its hash: what `LightClient.trusted` said, or somebody who is believed. */
export interface TrustedPoint {
  readonly chainId: string;
  readonly genesisHash: string;
  /** Of the epoch, from 1 on: the first is in the genesis. */
  readonly epoch: number;
  readonly epochHash: string;
  /** When the epoch was known to go on. @unit ms since 1970 */
  readonly time: number;
}

/** A header that a quorum of its epoch committed. */
export interface VerifiedHeader {
  readonly height: number;
  /** Of the block, 64 lower-case hexadecimal letters. */
  readonly id: string;
  readonly epoch: number;
  /** @unit ms since 1970 */
  readonly time: number;
  /** The application's state after `height`, which the header states. */
  readonly executed: { readonly height: number; readonly appHash: string };
  readonly header: Header;
}

export interface VerifiedPair {
  /** Undefined: the key is not there. */
  readonly value: Uint8Array | undefined;
  /** The state is that after this height. */
  readonly height: number;
  /** States it. */
  readonly header: VerifiedHeader;
}

export interface VerifiedTransaction {
  /** As it is in the block; of an operation of `althing/client` the payload is within. */
  readonly bytes: Uint8Array;
  readonly header: VerifiedHeader;
}

export interface LightEndpoint {
  readonly url: string;
  /** The newest proof of it that proves nothing; '' where there was none. */
  readonly lie: string;
  /** Why its newest answer is missing; '' where it has answered. What it was asked for was not compared with what others prove. */
  readonly silence: string;
}

/** What one endpoint had instead of a proof. */
export interface EndpointProblem {
  readonly url: string;
  readonly words: string;
  /** It answered, and its proof is none. */
  readonly refusal?: LightRefusal | 'malformed';
}

/** No endpoint has proven it. */
export class NotProven extends Error {
  override readonly name: string = 'NotProven';
  readonly problems: readonly EndpointProblem[];

  constructor(what: string, problems: readonly EndpointProblem[]) {
    super(`${what}: ${problems.map(({ url, words }) => `${url} ${words}`).join('; ')}`);
    this.problems = problems;
  }
}

/** Nothing was verified within the trusting period: learn of a newer epoch from somebody who is believed. */
export class TrustExpired extends Error {
  override readonly name: string = 'TrustExpired';
}

/** The chain has two committed blocks at one height: more than a third of a set has signed both. */
export class ForkFound extends Error {
  override readonly name: string = 'ForkFound';
  /** Both proofs, encoded; each verifies under the same trusted epoch. */
  readonly proofs: readonly [Uint8Array, Uint8Array];

  constructor(what: string, proofs: readonly [Uint8Array, Uint8Array]) {
    super(`${what}: two proofs contradict each other, and both verify`);
    this.proofs = proofs;
  }
}

export class LightClientClosed extends Error {
  override readonly name: string = 'LightClientClosed';
}
