/**
 * The own application's word on operations that a node without a vote would hand over: what it refuses costs no validator a check, and its sender hears why
 * at once. It is asked while its state is about that of the validators, and answers in time; else they alone judge. Pure. Rule BR-8, ADR 0010.
 */
import { findOperation } from '../../protocol/bridge/operations.ts';
import { OWN_CHECK_MS } from '../../protocol/bridge/times.ts';
import type { Digest } from '../../protocol/chain/types.ts';
import { refusedByCheck } from '../../protocol/mempool/admission.ts';
import type { CheckResult } from '../../protocol/ports/application.ts';
import { DUPLICATE_CODE, type ExecutionRequest, NODE_CODESPACE } from '../../protocol/ports/execution.ts';
import type { Admission } from '../../protocol/ports/mempool.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { BridgeContext, Submission } from './bridge.live.ts';

export interface CheckOverdue {
  readonly type: 'check.overdue';
  readonly tag: number;
}

/** Committed and not executed yet: with more the state is older than a validator judges by. @unit heights @source chosen: the block under execution, and one told meanwhile */
const UNEXECUTED_MAX = 2;

const timerOf = (tag: number): string => `check-${tag}`;

/** Whether the own application is worth asking now. */
export function mayCheck({ isNearTip, isApplicationLate, recent, committedHeight }: BridgeContext): boolean {
  const [newest] = recent;
  if (!isNearTip || isApplicationLate || newest === undefined) return false;
  return (committedHeight ?? newest.height) - newest.height <= UNEXECUTED_MAX;
}

export function checkEffects(
  { executor }: BridgeContext,
  { asked }: Submission,
  tag: number,
  replyTo: CellAddress,
): readonly Effect[] {
  const request: ExecutionRequest = {
    type: 'check.requested',
    ...{ replyTo, tag },
    transactions: asked.map(({ transaction }) => transaction),
    hashes: asked.map(({ hash }) => hash),
  };
  const message: CheckOverdue = { type: 'check.overdue', tag };
  return [
    telling(executor, request),
    { kind: 'startTimer', key: timerOf(tag), delayMs: OWN_CHECK_MS, message },
  ];
}

export const endCheckTimer = (tag: number): Effect => ({ kind: 'cancelTimer', key: timerOf(tag) });

/** Undefined: it is handed over. Nobody else has what is refused here: it is its end, with the application's code and words. */
export function refusedHere(
  { operations }: BridgeContext,
  hash: Digest,
  result: CheckResult | undefined,
): Admission | undefined {
  if (result === undefined || result.code === 0) return undefined;
  // A check that threw judged nothing: validators may know better.
  if (result.codespace === NODE_CODESPACE && result.code !== DUPLICATE_CODE) return undefined;
  // Sent again while validators have it: what they make of it is no business of a later state.
  return findOperation(operations, hash) === undefined ? refusedByCheck(hash, result) : undefined;
}
