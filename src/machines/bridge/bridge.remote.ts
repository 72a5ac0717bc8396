/**
 * Operations between bridges: which validator is handed them, what it may answer, and what another node is told of its own. Pure.
 * Rules BR-1, BR-8, docs/protocol/bridge.md.
 */
import { utf8 } from '../../base/bytes.ts';
import type { Monotonic } from '../../base/units.ts';
import type { DoorRefusal } from '../../protocol/bridge/admission.ts';
import {
  ADMISSION_LOG_BYTES_MAX,
  OPERATIONS_BYTES_MAX,
  OPERATIONS_MAX,
  type OperationAdmission,
  type OperationsAnsweredMessage,
  type SubmitOperationsMessage,
} from '../../protocol/bridge/messages.ts';
import { ANSWER_MS, HANDED_TO_MAX } from '../../protocol/bridge/times.ts';
import type { Address, Digest } from '../../protocol/chain/types.ts';
import type { OperationsAnswered } from '../../protocol/ports/bridge.ts';
import type { Admission } from '../../protocol/ports/mempool.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { BreakerRequest } from './breaker.setup.ts';
import { type Asker, type BridgeContext, type Submission, toPeer } from './bridge.live.ts';

/** What operations take in a message between bridges. */
export interface Load {
  readonly operations: number;
  readonly bytes: number;
}

export const loadOf = (transactions: readonly Uint8Array[]): Load => ({
  operations: transactions.length,
  bytes: transactions.reduce((sum, { byteLength }) => sum + byteLength, 0),
});

/** More than one message between bridges can carry. */
export const isTooMuch = ({ operations, bytes }: Load): boolean =>
  operations > OPERATIONS_MAX || bytes > OPERATIONS_BYTES_MAX;

/** One alone never fits; several do in smaller submissions. */
export const tooMuch = (transactions: readonly Uint8Array[]): DoorRefusal => ({
  code: transactions.length === 1 ? 'TOO_LARGE' : 'TOO_MANY_TOGETHER',
  log: `this node hands operations to a validator: at most ${OPERATIONS_MAX}, of ${OPERATIONS_BYTES_MAX} bytes together`,
});

/** What was handed over may be taken all the same: then the chain says what became of it. */
export function nobody({ handedTo, heldBack }: Submission): DoorRefusal {
  const sentTo = handedTo.filter((peer) => !heldBack.includes(peer));
  if (sentTo.length === 0) {
    return {
      code: 'NOT_A_VALIDATOR',
      log: 'this node is no validator, and none can be reached: try again later',
    };
  }
  return { code: 'NOT_ANSWERED', log: `no answer of the validators ${sentTo.join(', ')}: ${MAY_BE_TAKEN}` };
}

export const MAY_BE_TAKEN = 'it may have been taken';

/** By the breaker of that validator. */
export function callTo(peer: Address, { asked }: Submission, tag: number, bridge: CellAddress): Effect {
  const operations = asked.map(({ transaction }) => transaction);
  const message: SubmitOperationsMessage = { kind: 'SubmitOperations', tag, operations };
  const call: BreakerRequest = { type: 'call.requested', message };
  return telling(`${bridge}/${peer}`, call);
}

/** Those that are connected, and whose breaker is not open. */
export const ableValidators = ({ connected, breakers }: BridgeContext): readonly Address[] =>
  [...connected].filter((peer) => breakers.get(peer) !== 'open').sort();

/** In turn, beginning anywhere, among those that can be handed anything; while one can still answer in time. */
export function nextValidator(
  context: BridgeContext,
  { handedTo, heldBack, since }: Submission,
  now: Monotonic,
): Address | undefined {
  if (handedTo.length - heldBack.length >= HANDED_TO_MAX) return undefined;
  if (now + context.config.forwardTimeout > since + ANSWER_MS) return undefined;
  const able = ableValidators(context).filter((peer) => !handedTo.includes(peer));
  return able[context.nextTag % Math.max(1, able.length)];
}

export const UNJUDGED: DoorRefusal = { code: 'NOT_ANSWERED', log: 'no admission came for this operation' };

/**
 * A validator's refusal is its word alone: it has the bytes, and so may others that were asked before. So it is never the end of an
 * operation: only the chain says what became of it.
 */
export function admissionOf(hash: Digest, remote: OperationAdmission | undefined): Admission {
  if (remote === undefined) return { status: 'refused', hash, ...UNJUDGED };
  if (remote.accepted) return { status: 'admitted', hash };
  const { code, log } = remote;
  if (code === KNOWN) return { status: 'refused', hash, code: KNOWN, log };
  return { status: 'refused', hash, code: 'NOT_ANSWERED', log: `a validator refused it, ${code}: ${log}` };
}

/** A refusal at the end stands for all that follow: those were not looked at. */
export function admissionAt(
  admissions: readonly OperationAdmission[],
  index: number,
): OperationAdmission | undefined {
  const last = admissions.at(-1);
  return admissions[index] ?? (last?.accepted === false ? last : undefined);
}

/** What the client waits for the end of all the same; and a validator that says so has it. */
export const KNOWN = 'ALREADY_KNOWN';

/** To each who asked, of its own operations. */
export function answer(
  context: BridgeContext,
  { asker, ids, refused, unread }: Pick<Submission, 'asker' | 'ids' | 'refused' | 'unread'>,
): readonly Effect[] {
  const admissions = ids.map(
    (hash, position): Admission => refused.get(position) ?? { status: 'admitted', hash },
  );
  return answersTo(context, asker, admissions, unread);
}

function answersTo(
  context: BridgeContext,
  asker: Asker,
  admissions: readonly Admission[],
  unread: DoorRefusal | undefined,
): readonly Effect[] {
  switch (asker.kind) {
    case 'again':
      return [];
    case 'several': {
      let from = 0;
      return asker.parts.flatMap((part) => {
        const own = admissions.slice(from, from + part.operations);
        from += part.operations;
        return answersTo(context, part.asker, own, undefined);
      });
    }
    case 'rest': {
      const left = admissions.values();
      const all = asker.ids.flatMap((_, position) => asker.refused.get(position) ?? left.next().value ?? []);
      return answersTo(context, asker.asker, all, asker.unread);
    }
    case 'cell': {
      const message: OperationsAnswered = { type: 'operations.answered', tag: asker.tag, admissions };
      return [telling(asker.address, message)];
    }
    case 'peer': {
      const remote: OperationsAnsweredMessage = {
        kind: 'OperationsAnswered',
        tag: asker.tag,
        admissions: [...admissions.map(remoteOf), ...(unread === undefined ? [] : [remoteOf(unread)])],
      };
      return [toPeer(context, [asker.peer], remote)];
    }
  }
}

function remoteOf(admission: Admission | DoorRefusal): OperationAdmission {
  if ('status' in admission && admission.status === 'admitted') return { accepted: true };
  const { code } = admission;
  const log = cut(admission.log);
  const known = 'applicationCode' in admission ? { applicationCode: admission.applicationCode } : {};
  return { accepted: false, code, log, ...known };
}

/** As the wire takes it: whole characters. */
function cut(log: string): string {
  const bytes = utf8(log);
  if (bytes.byteLength <= ADMISSION_LOG_BYTES_MAX) return log;
  let end = ADMISSION_LOG_BYTES_MAX;
  while (isContinuation(bytes[end])) end -= 1;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** Of a character that began before (UTF-8). */
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
