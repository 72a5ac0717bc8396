/**
 * A copy of a run that may be shown to others: what users sent and applications answered stands in it by length and hash alone. It tells who
 * said what to whom and when, and cannot be replayed: cells would decide about other bytes. Boundary: disk. Rule RP-8, docs/journal.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { JournalEntry } from '../actors/runtime/index.ts';
import { toHex } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { type BlockKind, headOf, MAGIC } from './blocks.ts';
import { packEntries, unpackEntries } from './entries.ts';
import { OpenFiles } from './open-files.ts';
import { packOpening, unpackOpening } from './opening.ts';
import { segmentPath } from './run-folder.ts';
import { contentOf, flawAtEnd, headAt, isFlaw, type JournalFlaw, segmentReaders } from './run-reader.ts';
import type { SegmentReader } from './segment-reader.ts';
import { ValuePacker } from './values.ts';

/** Byte strings that are public by their nature: what proves, and what it is proven by. All others are redacted. */
const PUBLIC_BYTES: ReadonlySet<string> = new Set([
  ...['signature', 'signers', 'consensusKey', 'nodeKey', 'publicKey', 'vrfProof', 'possession'],
  ...['sign', 'prove', 'aggregateSignatures'],
]);

/** Words of the application about a transaction. */
const TOLD_BY_APPLICATION: ReadonlySet<string> = new Set(['log', 'info', 'events', 'data']);

export interface Redaction {
  readonly run: string;
  readonly segments: number;
  readonly entries: number;
  /** Where the copy ends, if not at the end. */
  readonly flaw: JournalFlaw | undefined;
}

/** @param output a folder of runs; the copy has the name of the run @throws Error of the system, where the copy is there already too */
export function redactRun(dir: string, output: string): Redaction {
  const files = new OpenFiles();
  const run = basename(dir);
  let [segments, entries] = [0, 0];
  let flaw: JournalFlaw | undefined;
  mkdirSync(join(output, run), { recursive: true, mode: 0o700 });
  try {
    for (const { segment, number, next } of segmentReaders(dir, files)) {
      const copy = redactSegment(segment, next === undefined);
      writeFileSync(segmentPath(output, run, number), copy.bytes, { flag: 'wx', mode: 0o600 });
      segments += 1;
      entries += copy.entries;
      flaw = copy.flaw;
      if (flaw !== undefined) break;
    }
  } finally {
    files.close();
  }
  return { run, segments, entries, flaw };
}

function redactSegment(segment: SegmentReader, isLast: boolean) {
  const packer = new ValuePacker(() => undefined);
  const parts: Uint8Array[] = [MAGIC];
  let entries = 0;
  let next = headAt(segment, 0);
  for (; 'end' in next; next = headAt(segment, next.end)) {
    const head = next;
    const put = (kind: BlockKind, body: Uint8Array): void => void parts.push(headOf(kind, body, head), body);
    const read = contentOf({ head, segment }, (body): void => {
      if (head.kind === 'opening')
        put('opening', packOpening(packer, { ...unpackOpening(body), redacted: true }));
      else if (head.kind === 'closing') put('closing', body);
      else if (head.kind === 'entries') {
        const redacted = unpackEntries(body).map(redactEntry);
        entries += redacted.length;
        put('entries', packEntries(packer, redacted));
      }
      // A keyframe is for replays alone.
    });
    if (read !== undefined && isFlaw(read)) return { bytes: Buffer.concat(parts), entries, flaw: read };
  }
  const ended = 'status' in next && next.status === 'ended';
  const flaw = ended ? undefined : flawAtEnd(segment, next, undefined, isLast);
  return { bytes: Buffer.concat(parts), entries, flaw };
}

/** One entry as the copy has it. */
export function redactEntry(entry: JournalEntry): JournalEntry {
  if (entry.kind === 'message' || entry.kind === 'stale') {
    const { type } = entry.message;
    const redacted = redact(entry.message, '');
    return { ...entry, message: { ...(redacted as object), type } };
  }
  if (entry.kind !== 'result') return entry;
  return { ...entry, value: redact(entry.value, entry.name.split(/[#.]/).at(-1) ?? '') };
}

function redact(value: unknown, field: string): unknown {
  if (value instanceof Uint8Array) {
    return PUBLIC_BYTES.has(field)
      ? value
      : { redacted: 'bytes', length: value.byteLength, sha256: toHex(sha256(value)) };
  }
  if (typeof value === 'string')
    return TOLD_BY_APPLICATION.has(field) && value !== ''
      ? { redacted: 'text', length: value.length }
      : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    if (TOLD_BY_APPLICATION.has(field)) return { redacted: 'list', length: value.length };
    return value.map((one) => redact(one, field));
  }
  if (value instanceof Map)
    return new Map([...value].map(([key, one]) => [redact(key, field), redact(one, field)]));
  if (value instanceof Set) return new Set([...value].map((one) => redact(one, field)));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, redact(one, name)]));
}
