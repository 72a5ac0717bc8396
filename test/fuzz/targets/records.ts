/**
 * Rows of the store and the record kept beside it, with checksums that are true: what a wrong program or a liar with the
 * disk left. They read, or are named damage (ST-6), and what reads is written again the same.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, DamagedData } from '../../../src/storage/checksum.ts';
import {
  decodeBlock,
  decodeCommitted,
  decodeQc,
  decodeRecord,
  encodeBlock,
  encodeCommitted,
  encodeQc,
  encodeRecord,
} from '../../../src/storage/codec.ts';
import { readKeptRecord } from '../../../src/storage/kept-record.ts';
import { pack } from '../../../src/storage/packed.ts';
import { decodeResults, encodeResults, readEntries, tableBytes } from '../../../src/storage/results.ts';
import { readWitness, WITNESS_FILE, Witness } from '../../../src/storage/witness.ts';
import {
  chain,
  committed,
  digest,
  GENESIS_QC,
  IDENTITY,
  timeout,
  timeoutCertificate,
  transaction,
  votedFor,
} from '../../storage/fixtures.ts';
import { MSGPACK, packedInteger } from '../forms/msgpack.ts';
import type { Mutation } from '../mutate.ts';
import { claim, type Target } from '../target.ts';

const WHAT = 'row';
/** Bytes or text of a form: the input's first byte chooses it. */
const READERS: readonly ((body: Uint8Array) => string)[] = [
  (body) => again('record', decodeRecord, encodeRecord, body),
  (body) => again('block', decodeBlock, encodeBlock, body),
  (body) => again('committed', decodeCommitted, encodeCommitted, body),
  (body) => again('qc', decodeQc, encodeQc, body),
  (body) => results(sealed(body)),
  (body) => {
    readEntries(body);
    return 'entries';
  },
];
const KEPT = READERS.length;
const WITNESS = KEPT + 1;

function again<Value>(
  name: string,
  decode: (bytes: Uint8Array, what: string) => Value,
  encode: (value: Value) => Uint8Array,
  body: Uint8Array,
): string {
  const value = decode(body, WHAT);
  const written = encode(value);
  claim(
    Buffer.compare(encode(decode(written, WHAT)), written) === 0,
    `a ${name} that was read is written and read again the same`,
  );
  return name;
}

function results(body: Uint8Array): string {
  const { transactions, events } = decodeResults(body, WHAT);
  const written = encodeResults(transactions, events);
  const back = decodeResults(written, WHAT);
  claim(
    Buffer.compare(encodeResults(back.transactions, back.events), written) === 0,
    'results that were read are written and read again the same',
  );
  return 'results';
}

/** The results with each part's checksum made true, as far as the table leads to parts. */
function sealed(body: Uint8Array): Uint8Array {
  const bytes = Buffer.from(body);
  if (bytes.byteLength < 4) return bytes;
  const count = bytes.readUInt32BE(0);
  if (count > 1_000 || tableBytes(count) > bytes.byteLength) return bytes;
  for (let entry = 0; entry <= count; entry += 1) {
    const start = bytes.readUInt32BE(4 + 12 * entry);
    const end = entry === count ? bytes.byteLength : bytes.readUInt32BE(4 + 12 * (entry + 1));
    if (start > end - 4 || end > bytes.byteLength) continue;
    bytes.writeUInt32BE(crc32(bytes.subarray(start, end - 4)), end - 4);
  }
  return new Uint8Array(bytes);
}

const tagged = (form: number, body: Uint8Array): Uint8Array =>
  new Uint8Array(Buffer.concat([Uint8Array.of(form), body]));

/** The mutations of msgpack behind the byte that chooses the form. */
const behindTag = MSGPACK.map(
  (mutation): Mutation =>
    (input, draws, from) =>
      tagged(input[0] ?? 0, mutation(input.subarray(1), draws, { ...from, donor: from.donor.subarray(1) })),
);

function witnessOf(version: number): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), 'althing-fuzz-'));
  const witness = new Witness(dir, IDENTITY.genesisHash);
  witness.write(version);
  witness.close();
  const bytes = readFileSync(join(dir, WITNESS_FILE));
  rmSync(dir, { recursive: true });
  return new Uint8Array(bytes);
}

function seeds(): readonly Uint8Array[] {
  const blocks = chain(3);
  return blocks.flatMap((made, index) => {
    const record = {
      ...votedFor(made),
      lastTimeout: {
        ...timeout(made.block.header.round, made.block.qc),
        lastTC: timeoutCertificate(4, made.qc),
      },
      lastTC: timeoutCertificate(3, made.qc),
    };
    const executed = Array.from({ length: index }, (_, at) => transaction(`t${at}`, at, at === 1 ? 30 : 0));
    return [
      tagged(0, encodeRecord(index === 0 ? votedFor(made) : record)),
      tagged(1, encodeBlock(made.block)),
      tagged(2, encodeCommitted(committed(made))),
      tagged(3, encodeQc(index === 0 ? GENESIS_QC : made.qc)),
      tagged(4, encodeResults(executed, [{ type: 'block', attributes: [] }])),
      tagged(5, encodeResults(executed, [])),
      tagged(KEPT, pack([digest('genesis'), IDENTITY.chainId, 3, encodeRecord(record), 'ab'.repeat(20)])),
      tagged(WITNESS, witnessOf(index + 1)),
    ];
  });
}

export const records: Target = {
  name: 'records',
  what: 'rows of blocks, certificates, safety records and results, the kept record and the witness, checksums made true',
  covers: ['/src/storage/', '/node_modules/msgpackr/'],
  mutations: behindTag,
  dictionary: [
    ...[0, 1, 31, 32, 20, 96, 2 ** 32, 2 ** 53 - 1, -1].map(packedInteger),
    ...[
      'c0',
      'c420',
      'c414',
      'c460',
      '90',
      'd5727f7f',
      'd40001',
      'c7ff',
      'd6ff00000000',
      'cb7ff8000000000000',
      'cf7fffffffffffffff',
    ].map((text) => new Uint8Array(Buffer.from(text, 'hex'))),
    ...['LeaderTimeout', 'ExplicitRequest', 'malformed'].map((text) => pack(text)),
  ],
  bytesMax: 64 * 1024,
  window: 4_000,
  seeds,
  open: async () => {
    const dir = mkdtempSync(join(tmpdir(), 'althing-fuzz-'));
    const fromDisk = (form: number, body: Uint8Array): string => {
      if (form === WITNESS) {
        writeFileSync(join(dir, 'record.witness'), body);
        const witnessed = readWitness({ dir, former: dir }, IDENTITY.genesisHash);
        return `witness ${witnessed === 'torn' ? witnessed : 'read'}`;
      }
      const head = Buffer.alloc(4);
      head.writeUInt32BE(crc32(body));
      writeFileSync(join(dir, 'safety-record.kept'), Buffer.concat([head, body]));
      claim(readKeptRecord(dir) !== undefined, 'a kept record is found');
      return 'kept';
    };
    const run = (input: Uint8Array): string => {
      const form = (input[0] ?? 0) % (WITNESS + 1);
      const body = input.slice(1);
      try {
        return READERS[form]?.(body) ?? fromDisk(form, body);
      } catch (error) {
        if (!(error instanceof DamagedData)) throw error;
        return `damaged ${form} ${error.message
          .replaceAll(dir, '')
          .replaceAll(/[^a-z ]/g, '')
          .slice(0, 20)}`;
      }
    };
    return { run, close: async () => rmSync(dir, { recursive: true }) };
  },
};
