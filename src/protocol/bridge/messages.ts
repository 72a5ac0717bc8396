/**
 * What nodes tell each other from bridge to bridge: the state that a height left behind, and operations on their way to a
 * validator. Types and bounds only. Rules BR-4, BR-6, TP-9, docs/protocol/transport.md.
 */
import type { Digest, ExecutedState, Height } from '../chain/types.ts';

/** "After executing height `sequenceNumber` my state hash is `stateHash`." */
export interface StateSyncMessage {
  readonly kind: 'StateSync';
  readonly stateHash: Digest;
  readonly sequenceNumber: Height;
  /** What was executed before, newest first: heights fall strictly, all below `sequenceNumber`. At most STATES_MAX. */
  readonly partialState: readonly ExecutedState[];
}

/** Operations that a validator is asked to take, by a node that is none. At most OPERATIONS_MAX, and one frame. */
export interface SubmitOperationsMessage {
  readonly kind: 'SubmitOperations';
  /** Chosen by the sender; the answer repeats it. */
  readonly tag: number;
  readonly operations: readonly Uint8Array[];
}

/** What became of one operation at the validator's door. */
export type OperationAdmission =
  | { readonly accepted: true }
  | {
      readonly accepted: false;
      /** Why, for programs. ASCII, 1 to ADMISSION_CODE_BYTES_MAX. */
      readonly code: string;
      /** Why, for people. UTF-8, at most ADMISSION_LOG_BYTES_MAX. */
      readonly log: string;
      /** Where the application refused it: its own code. 0 to 2^32 - 1 */
      readonly applicationCode?: number;
    };

/**
 * One admission for each operation of the message with this tag, in their order. There may be fewer: then the last is a refusal,
 * and stands for all operations that follow; they were not looked at.
 */
export interface OperationsAnsweredMessage {
  readonly kind: 'OperationsAnswered';
  readonly tag: number;
  readonly admissions: readonly OperationAdmission[];
}

export type BridgeMessage = StateSyncMessage | SubmitOperationsMessage | OperationsAnsweredMessage;

/** All of them. */
export const BRIDGE_KINDS = [
  'StateSync',
  'SubmitOperations',
  'OperationsAnswered',
] as const satisfies readonly BridgeMessage['kind'][];

/** Entries of one partial state. @unit states @source 256 × 91 bytes fit a small frame */
export const STATES_MAX = 256;
/** In one message, either way. @unit operations */
export const OPERATIONS_MAX = 1_000;
/** Of all operations of one message. @unit bytes @source the frame's 256 KiB, less what encodes them */
export const OPERATIONS_BYTES_MAX = 253_952;
/** @unit bytes @source the longest refusal's code has 24 */
export const ADMISSION_CODE_BYTES_MAX = 64;
/** Whoever answers cuts a longer one. @unit bytes @source the structure scan's longest text */
export const ADMISSION_LOG_BYTES_MAX = 256;
