/** Answers of an application with everything filled in that it does not care for. Pure. docs/applications.md. */
import { concatBytes, utf8 } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { u64 } from '../protocol/chain/canonical.ts';
import { digestFromBytes } from '../protocol/chain/parse.ts';
import type { Digest } from '../protocol/chain/types.ts';
import type { CheckResult } from '../protocol/ports/application.ts';
import type { TransactionResult } from '../protocol/ports/storage.ts';

const NOTHING = new Uint8Array(0);

/** A result of code 0 unless another is given. */
export const transactionResult = (fields: Partial<TransactionResult> = {}): TransactionResult => ({
  code: 0,
  data: NOTHING,
  log: '',
  codespace: '',
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
  ...fields,
});

/** Admits unless another code is given. */
export const checkResult = (fields: Partial<CheckResult> = {}): CheckResult => ({
  code: 0,
  log: '',
  codespace: '',
  priority: 0n,
  ...fields,
});

/** SHA-256 over the parts, each behind its length: what an application may give as its hash. */
export function appHashOf(...parts: readonly (Uint8Array | string)[]): Digest {
  const bytes = parts.map((part) => (typeof part === 'string' ? utf8(part) : part));
  const digest = digestFromBytes(
    sha256(concatBytes(...bytes.flatMap((part) => [u64(part.byteLength), part]))),
  );
  if (digest === 'malformed') throw new Error('SHA-256 has 32 bytes');
  return digest;
}
