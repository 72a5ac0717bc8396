/** What a user of the client gives and gets. Types and errors only. docs/client.md. */

export interface ClientOptions {
  /** URLs of the RPC of nodes, `http://127.0.0.1:26657`. Each is trusted: docs/client.md, "What is believed". */
  readonly endpoints: readonly string[];
  /** Operations that have not ended, at once. @unit operations @source BR-2; 10,000 by default */
  readonly pendingMax?: number;
  /** Beyond `pendingMax`: `submit` waits (the default), or rejects with `PendingFull`. */
  readonly whenFull?: 'wait' | 'reject';
  /** A node that could take an operation later refuses it, and none can hold it: it goes to another one (the default), or is rejected. */
  readonly whenRefused?: WhenRefused;
  /** From the newest height to an operation's expiry, within the genesis's batch_ttl_heights. @unit heights @source 500 by default */
  readonly expiryHeights?: number;
  /** A call without an answer for so long is given up. @unit ms @source 10,000 by default, two of the mempool's check timeouts */
  readonly callTimeoutMs?: number;
  /** Held by a node for so long without an end, an operation is given to one node more; then twice as long. @unit ms @source 5,000 by default */
  readonly resubmitAfterMs?: number;
  /** Body of one call; at most the nodes' rpc.body_bytes_max. @unit bytes @source 786,432 by default, three quarters of the nodes' default */
  readonly bodyBytesMax?: number;
  /** An answer that is longer is not read to its end. @unit bytes @source 33,554,432 by default */
  readonly answerBytesMax?: number;
}

export type WhenRefused = 'retry' | 'reject';

export interface SubmitOptions {
  /** Instead of `expiryHeights` from now: above it the operation can commit nowhere. */
  readonly expiresAtHeight?: number;
  /**
   * Tells operations with the same payload and expiry apart: 0 to 2^64 - 1. Random without it. The same one makes the same
   * operation: one that is given may have been submitted before, so that it ends committed or expired, never rejected.
   */
  readonly nonce?: bigint;
}

export interface OperationEvent {
  readonly type: string;
  readonly attributes: readonly { readonly key: string; readonly value: string }[];
}

export interface OperationResult {
  /** 0 where the application says yes. */
  readonly code: number;
  readonly log: string;
  readonly data: Uint8Array;
  readonly events: readonly OperationEvent[];
}

/** The one end of an operation. */
export type Outcome =
  | {
      readonly status: 'committed';
      readonly height: number;
      /** Place in its block. */
      readonly index: number;
      readonly result: OperationResult;
    }
  /** A node has executed `height`, which is above the expiry, without it: no node ever executes it (EX-7). */
  | { readonly status: 'expired'; readonly height: number }
  /** No node holds it, or ever did: the only ones that got it said no before they kept anything of it. */
  | { readonly status: 'rejected'; readonly code: string; readonly reason: string };

export interface Operation {
  /** SHA-256 of its bytes (EX-7), in upper-case hexadecimal: `hash` of the RPC. */
  readonly id: string;
  readonly expiresAtHeight: number;
  /** Rejects with `ClientClosed` or `HistoryNotHeld`, and with nothing else. */
  readonly outcome: Promise<Outcome>;
}

export interface QueryAnswer {
  readonly code: number;
  readonly log: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly height: number;
}

export interface NetworkStatus {
  readonly chainId: string;
  /** Of the node that answered. */
  readonly height: number;
  readonly catchingUp: boolean;
}

export interface EndpointHealth {
  readonly url: string;
  readonly status: 'usable' | 'resting';
  /** In a row. */
  readonly failures: number;
  /** Until it is tried again. @unit ms */
  readonly restsForMs: number;
  /** The newest failure; '' where there was none, or it is over. */
  readonly problem: string;
  /** Why it refused for now what it was given last, as `CODE: words`; '' where it took that. */
  readonly refusal: string;
  /** The newest that it told. */
  readonly height: number | undefined;
}

export class ClientClosed extends Error {
  override readonly name: string = 'ClientClosed';
}

export class PendingFull extends Error {
  override readonly name: string = 'PendingFull';
}

/** Every endpoint began after the blocks that could hold the operation: ask a node with the whole chain. */
export class HistoryNotHeld extends Error {
  override readonly name: string = 'HistoryNotHeld';
}

/** No endpoint has answered a question. */
export class NotAnswered extends Error {
  override readonly name: string = 'NotAnswered';
}
