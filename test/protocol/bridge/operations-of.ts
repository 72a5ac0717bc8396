/** Operations, transactions that are none, and what blocks make of them; for tests of the bridge. */
import { utf8 } from '../../../src/base/bytes.ts';
import { monotonic, wallTime } from '../../../src/base/units.ts';
import { transactionHashOf } from '../../../src/protocol/chain/batch.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { encodeOperation } from '../../../src/protocol/chain/operation.ts';
import type { Digest, ExecutedState } from '../../../src/protocol/chain/types.ts';
import {
  type BlockExecuted,
  DUPLICATE_CODE,
  EXPIRED_CODE,
  EXPIRES_TOO_LATE_CODE,
  NODE_CODESPACE,
  type TransactionOutcome,
} from '../../../src/protocol/ports/execution.ts';
import type { CommittedBlock } from '../../../src/protocol/ports/storage.ts';
import { blockOn, height, idOf, qcOf, round, type World, world } from '../consensus/fixture.ts';

export const T0 = monotonic(0);

/** A transaction that names the height at which it expires. */
export const operation = (name: string, expiresAt: number): Uint8Array =>
  encodeOperation({ expiresAtHeight: height(expiresAt), nonce: 0n, payload: utf8(name) });

/** A transaction that names none. */
export const plain = (name: string): Uint8Array => utf8(name);

export const admitted = (transaction: Uint8Array) => ({ id: transactionHashOf(transaction), transaction });

export const stateAfter = (at: number, name = 'as all'): ExecutedState => ({
  height: height(at),
  appHash: digestOf(utf8(`${name} after ${at}`)),
});

const CODES = {
  fine: ['app', 0],
  failed: ['app', 7],
  duplicate: [NODE_CODESPACE, DUPLICATE_CODE],
  expired: [NODE_CODESPACE, EXPIRED_CODE],
  tooLate: [NODE_CODESPACE, EXPIRES_TOO_LATE_CODE],
} as const;

/** How a block ended it. */
export function ended(bytes: Uint8Array, how: keyof typeof CODES = 'fine'): TransactionOutcome {
  const [codespace, code] = CODES[how];
  return { hash: transactionHashOf(bytes), byteLength: bytes.byteLength, code, codespace };
}

const PLACE = world();
const BLOCK = blockOn(PLACE, PLACE.epoch.rootQC, 1);

/** What the executor tells of a block. */
export const blockExecuted = (
  executed: ExecutedState,
  ...transactions: readonly TransactionOutcome[]
): BlockExecuted => ({
  type: 'block.executed',
  blockId: idOf(PLACE, BLOCK),
  round: round(1),
  proposer: PLACE.addressAt(0),
  time: wallTime(1),
  executed,
  transactions,
  validatorUpdates: [],
});

/** A block of `at`, as committed; its header states what was executed `below`. */
export function committedAt(at: number, executed?: ExecutedState, place: World = PLACE): CommittedBlock {
  const block = blockOn(place, place.epoch.rootQC, 1);
  const qc = qcOf(place, block);
  const header = {
    ...block.header,
    height: height(at),
    ...(executed === undefined ? {} : { executed }),
  };
  return { id: idOf(place, block), block: { ...block, header }, qc, commitProof: qc };
}

export const idOfOperation = (transaction: Uint8Array): Digest => transactionHashOf(transaction);
