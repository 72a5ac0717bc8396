/**
 * Proof that safety was broken, kept where neither a reset nor a swap of the chain reaches it: in the home, else beside the
 * keys. While it is there the node signs nothing. The first proof counts; where no disk takes it, an empty file does, which
 * takes no room. Boundary: disk. Rule SY-5, docs/protocol/sync.md.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex, toHex } from '../base/bytes.ts';
import { type WallTime, wallTime } from '../base/units.ts';
import { parseBlockId, parseEpoch, parseHeight, parseRound } from '../protocol/chain/parse.ts';
import type { QuorumCertificate } from '../protocol/chain/types.ts';
import type { ForkEvidence } from '../protocol/sync/types.ts';
import { errnoOf } from './device-errors.ts';
import { syncDirectory } from './segments.ts';

export const EVIDENCE_FILE = 'fork-evidence.json';
const FORMAT = 1;

/** In the order in which they are tried; `HomePaths` is one. */
export interface EvidencePlaces {
  readonly home: string;
  readonly keys: string;
}

export interface KeptEvidence {
  /** In words. */
  readonly detail: string;
  readonly at: WallTime;
  /** Absent where only words are known. */
  readonly evidence?: ForkEvidence;
}

export type EvidenceFound =
  | ({ readonly status: 'kept'; readonly path: string } & KeptEvidence)
  /** Something is there: it halts signing all the same. */
  | { readonly status: 'unreadable'; readonly path: string; readonly detail: string };

/** `mark`: an empty file, in place of a proof for which there was no room. `before`: something was there already. */
export type EvidenceKeeping = 'proof' | 'mark' | 'before';

/** Durable when this returns. Throws what the first device says where none takes even a mark. */
export function keepForkEvidence(places: EvidencePlaces, kept: KeptEvidence): EvidenceKeeping {
  const dirs = dirsOf(places);
  if (dirs.some((dir) => existsSync(join(dir, EVIDENCE_FILE)))) return 'before';
  const proof = `${JSON.stringify(plainKept(kept), null, 2)}\n`;
  let failure: unknown;
  for (const keeping of ['proof', 'mark'] as const) {
    for (const dir of dirs) {
      try {
        write(dir, keeping === 'proof' ? proof : '');
        return keeping;
      } catch (error) {
        failure ??= error;
      }
    }
  }
  throw failure;
}

function write(dir: string, text: string): void {
  const path = join(dir, EVIDENCE_FILE);
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  syncDirectory(dir);
}

/** Undefined where none is kept; a proof before what cannot be read. */
export function readForkEvidence(places: EvidencePlaces): EvidenceFound | undefined {
  const found = dirsOf(places).flatMap((dir) => readIn(dir) ?? []);
  return found.find(({ status }) => status === 'kept') ?? found[0];
}

function readIn(dir: string): EvidenceFound | undefined {
  const path = join(dir, EVIDENCE_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    const detail = error instanceof Error ? error.message : String(error);
    return { status: 'unreadable', path, detail };
  }
  if (text === '') return { status: 'unreadable', path, detail: MARK_DETAIL };
  const kept = keptOf(text);
  return kept === 'malformed'
    ? { status: 'unreadable', path, detail: 'it is not what this program wrote' }
    : { status: 'kept', path, ...kept };
}

const MARK_DETAIL = 'a fork was proved, and no disk had room for the proof: it is in the log of that time';

/** The operator has seen it: it is put aside under the time, and the next start may sign. @returns where it is now */
export function settleForkEvidence(places: EvidencePlaces, now: WallTime): readonly string[] {
  const name = `fork-evidence-${new Date(now).toISOString().replaceAll(':', '-')}.json`;
  return dirsOf(places).flatMap((dir) => {
    const path = join(dir, EVIDENCE_FILE);
    if (!existsSync(path)) return [];
    renameSync(path, join(dir, name));
    syncDirectory(dir);
    return [join(dir, name)];
  });
}

const dirsOf = ({ home, keys }: EvidencePlaces): readonly string[] => [home, keys];

type Plain = Readonly<Record<string, unknown>>;

const plainKept = ({ detail, at, evidence }: KeptEvidence): Plain => ({
  format: FORMAT,
  detail,
  at,
  evidence: evidence === undefined ? null : plainEvidence(evidence),
});

/** As JSON can carry it. */
export const plainEvidence = (evidence: ForkEvidence): Plain =>
  evidence.kind === 'RoundCertificates'
    ? { kind: evidence.kind, first: plainQc(evidence.first), second: plainQc(evidence.second) }
    : {
        kind: evidence.kind,
        height: evidence.height,
        first: { id: evidence.first.id, proof: plainQc(evidence.first.proof) },
        second: { id: evidence.second.id, proof: plainQc(evidence.second.proof) },
      };

const plainQc = (qc: QuorumCertificate): Plain => ({
  ...qc,
  signers: toHex(qc.signers),
  signature: toHex(qc.signature),
});

function keptOf(text: string): KeptEvidence | 'malformed' {
  const { format, detail, at, evidence } = fieldsOf(parsedJson(text));
  if (format !== FORMAT || typeof detail !== 'string' || typeof at !== 'number') return 'malformed';
  if (evidence === null) return { detail, at: wallTime(at) };
  const read = evidenceOf(fieldsOf(evidence));
  return read === undefined ? 'malformed' : { detail, at: wallTime(at), evidence: read };
}

function evidenceOf({ kind, height: rawHeight, first, second }: Plain): ForkEvidence | undefined {
  if (kind === 'RoundCertificates') {
    const [one, two] = [first, second].map(qcOf);
    return one === undefined || two === undefined ? undefined : { kind, first: one, second: two };
  }
  const height = parseHeight(rawHeight);
  const [one, two] = [first, second].map(provedOf);
  if (kind !== 'CommitProofs' || height === 'malformed' || one === undefined || two === undefined) {
    return undefined;
  }
  return { kind, height, first: one, second: two };
}

function provedOf(raw: unknown) {
  const fields = fieldsOf(raw);
  const id = parseBlockId(fields['id']);
  const proof = qcOf(fields['proof']);
  return id === 'malformed' || proof === undefined ? undefined : { id, proof };
}

function qcOf(raw: unknown): QuorumCertificate | undefined {
  const fields = fieldsOf(raw);
  const epoch = parseEpoch(fields['epoch']);
  const round = parseRound(fields['round']);
  const height = parseHeight(fields['height']);
  const blockId = parseBlockId(fields['blockId']);
  const parentId = parseBlockId(fields['parentId']);
  const parentRound = parseRound(fields['parentRound']);
  const [signers, signature] = [fields['signers'], fields['signature']].map((hex) =>
    typeof hex === 'string' ? fromHex(hex) : undefined,
  );
  if (epoch === 'malformed' || round === 'malformed' || height === 'malformed') return undefined;
  if (blockId === 'malformed' || parentId === 'malformed' || parentRound === 'malformed') return undefined;
  if (signers === undefined || signature === undefined) return undefined;
  return { epoch, round, height, blockId, parentId, parentRound, signers, signature };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const fieldsOf = (raw: unknown): Plain =>
  typeof raw === 'object' && raw !== null ? Object.fromEntries(Object.entries(raw)) : {};
