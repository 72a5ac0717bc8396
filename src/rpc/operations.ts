/**
 * Operations with a definite end: `althing_submit` gives transactions an expiry height, `althing_outcomes` tells of each that
 * it is committed or expired. What `althing/client` speaks (docs/client.md). Rules BR-1, BR-2.
 */
import { millis } from '../base/units.ts';
import { parseOperation } from '../protocol/chain/operation.ts';
import type { Admission } from '../protocol/ports/mempool.ts';
import { type Answer, invalidParams, type ReadRequest, type RpcRequest, succeed } from './json-rpc.ts';
import type { CallContext } from './method.ts';
import type { FollowedOperation, NodePort, OperationStanding } from './node-port.ts';
import { REFUSALS } from './refusals.ts';
import { transactionResultJson, upperHex } from './shapes.ts';

/** Share of the time that is left to a call, which it may wait: so its answer is never late. */
const WAIT_SHARE = 0.9;
/** Results in one answer, after which further ones wait for the next call. @unit letters @source chosen: two of the body's default bound */
const RESULTS_MAX = 2 * 1024 * 1024;

/** Hands each operation to the bridge of this node. */
export async function submit(
  { operations }: { readonly operations: readonly Uint8Array[] | undefined },
  { port, client }: CallContext,
): Promise<Answer> {
  const { height } = port.executed();
  if (operations === undefined)
    return { error: invalidParams('operations are missing: give a list of base64 texts') };
  const admissions = operations.length === 0 ? [] : await port.submit(operations, client);
  return succeed({
    ...heightsOf(port, height),
    operations: admissions.map((admission, index) => ({
      ...admissionJson(admission),
      expires_at_height: expiryOf(operations[index]),
    })),
  });
}

/** Null: no operation by EX-7, so that nothing bounds when its bytes may execute. */
function expiryOf(operation: Uint8Array | undefined): string | null {
  const expiry = operation === undefined ? undefined : parseOperation(operation)?.expiresAtHeight;
  return expiry === undefined ? null : String(expiry);
}

/** Operations that cost as much as one call. @unit operations @source measured: 1,000 that are looked up take 30 to 44 ms, 125 small calls 25 */
const OPERATIONS_PER_CALL = 8;

/** What a body costs of its client's rate beside its first call: each entry is a call, and more where it looks up much; for that a burst always pays. @unit calls */
export function costBesideFirst(entries: readonly ReadRequest[], requestsBurst: number): number {
  const calls = entries.length - 1;
  const costs = entries.map((entry) => (entry.kind === 'request' ? costBeside(entry.request) : 0));
  const all = costs.reduce((sum, cost) => sum + cost, calls);
  return Math.max(calls, Math.min(all, requestsBurst - 1));
}

/** `althing_outcomes` looks up each operation. @unit calls */
function costBeside({ method, params }: RpcRequest): number {
  if (method !== 'althing_outcomes') return 0;
  const given: unknown = 'operations' in params ? params['operations'] : Object.values(params)[0];
  return Array.isArray(given) ? Math.floor(given.length / OPERATIONS_PER_CALL) : 0;
}

/** Tells how operations stand, as soon as one of them has ended. */
export async function outcomes(
  {
    operations = [],
    wait_ms: wait = 0,
  }: {
    readonly operations: readonly FollowedOperation[] | undefined;
    readonly wait_ms: number | undefined;
  },
  { port, client, timeLeft, signal }: CallContext,
): Promise<Answer> {
  if (wait < 0) return { error: invalidParams(`wait_ms must not be negative, but got ${wait}`) };
  const waitMax = millis(Math.min(wait, WAIT_SHARE * timeLeft));
  const { height, standings, isCrowded } = await port.follow(operations, client, waitMax, signal);
  let letters = 0;
  const told = operations.flatMap(({ id }, index) => {
    const standing = standings[index];
    if (standing === undefined || letters > RESULTS_MAX) return [];
    const outcome = outcomeJson(upperHex(id), standing, height);
    if (standing.status === 'committed') letters += JSON.stringify(outcome).length;
    return [outcome];
  });
  return succeed({ ...heightsOf(port, height), crowded: isCrowded, outcomes: told });
}

/** The executed height, and the highest expiry that a batch made at it can have. */
const heightsOf = (port: NodePort, height: number): object => ({
  height: String(height),
  expires_at_height_max: String(height + lifeOf(port)),
});

const lifeOf = (port: NodePort): number => port.genesis().parameters.batchTtlHeights;

function admissionJson(admission: Admission): object {
  const id = upperHex(admission.hash);
  if (admission.status === 'admitted') return { id, status: 'accepted', known: false };
  // It is here already, pending or executed: what becomes of it is what the client asks for.
  if (admission.code === 'ALREADY_KNOWN') return { id, status: 'accepted', known: true };
  const { code, log } = admission;
  const { isFinal, mayBeHeld } = REFUSALS[code];
  return { id, status: 'refused', code, log, retryable: !isFinal, may_be_held: mayBeHeld };
}

function outcomeJson(id: string, standing: OperationStanding, height: number): object {
  switch (standing.status) {
    case 'committed': {
      const { status, index, result } = standing;
      return { id, status, height: String(standing.height), index, result: transactionResultJson(result) };
    }
    case 'expired':
      return { id, status: 'expired', height: String(height) };
    case 'unknown':
    case 'pending':
      return { id, status: standing.status };
  }
}
