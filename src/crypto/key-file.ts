/**
 * Text of a key file and back: plain for development, or sealed with a passphrase as EIP-2335 does for BLS keys
 * (an Ed25519 key has the same envelope and `"type": "althing/ed25519"`). Pure: salt, iv and uuid are arguments.
 * Reading and writing the files: src/storage/secret-file.ts.
 */
import { createCipheriv, pbkdf2Sync, scryptSync } from 'node:crypto';
import { z } from 'zod';
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from '../base/bytes.ts';
import { BLS_PUBLIC_KEY_BYTES } from './bls/engine.ts';
import { ED25519_PUBLIC_KEY_BYTES } from './ed25519.ts';
import { sha256 } from './hash.ts';

export type KeyKind = 'bls12-381' | 'ed25519';

/** A secret with what it is and its public key. That both belong together is checked by whoever loads it. */
export interface StoredKey {
  readonly kind: KeyKind;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** 48 bytes for bls12-381, 32 for ed25519. */
  readonly publicKey: Uint8Array;
}

/** A parsed file: the key itself, or what a passphrase opens with `openKey`. */
export type KeyFile =
  | { readonly status: 'plain'; readonly key: StoredKey }
  | {
      readonly status: 'sealed';
      readonly kind: KeyKind;
      readonly publicKey: Uint8Array;
      readonly envelope: Envelope;
    };

/** `field` is the path of the wrong member, as in `crypto.kdf.params.n`; empty for the document as a whole. */
export interface KeyFileProblem {
  readonly status: 'malformed';
  readonly field: string;
  readonly problem: string;
}

/** Work of scrypt: memory is 128·n·r bytes. */
export interface ScryptCost {
  /** A power of two. */
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

/** @source EIP-2335, test vectors: 256 MiB and about a second */
const KEY_FILE_SCRYPT_COST: ScryptCost = { n: 262_144, r: 8, p: 1 };
/** What a file may ask of scrypt. @unit bytes @source twice EIP-2335's */
const SCRYPT_MEMORY_BYTES_MAX = 512 * 1024 * 1024;
/** @unit rounds @source 38 times EIP-2335's vector */
const PBKDF2_ROUNDS_MAX = 10_000_000;
const SECRET_BYTES = 32;
const DERIVED_KEY_BYTES = 32;
/** @unit bytes @source EIP-2335, test vectors */
export const KEY_FILE_SALT_BYTES = 32;
/** @unit bytes @source AES block */
export const KEY_FILE_IV_BYTES = 16;

const PUBLIC_KEY_BYTES: Readonly<Record<KeyKind, number>> = {
  'bls12-381': BLS_PUBLIC_KEY_BYTES,
  ed25519: ED25519_PUBLIC_KEY_BYTES,
};

const hex = z.string().regex(/^(?:[0-9a-fA-F]{2})*$/, 'expected hexadecimal digits, two a byte');
const hexOf = (bytes: number) => hex.length(2 * bytes, `expected ${2 * bytes} hexadecimal digits`);
const whole = (min: number, max: number) => z.int().min(min).max(max);
const keyType = z.enum(['althing/bls12-381', 'althing/ed25519']);

const plainSchema = z.strictObject({
  version: z.literal(1),
  type: keyType,
  public: hex,
  secret: hexOf(SECRET_BYTES),
});

const kdfSchema = z.discriminatedUnion('function', [
  z.object({
    function: z.literal('scrypt'),
    params: z
      .object({
        dklen: z.literal(DERIVED_KEY_BYTES),
        n: whole(2, 2 ** 24).refine((n) => (n & (n - 1)) === 0, 'expected a power of two'),
        r: whole(1, 64),
        p: whole(1, 16),
        salt: hex,
      })
      .refine(({ n, r }) => 128 * n * r <= SCRYPT_MEMORY_BYTES_MAX, 'asks for more than 512 MiB of memory'),
    message: z.literal(''),
  }),
  z.object({
    function: z.literal('pbkdf2'),
    params: z.object({
      dklen: z.literal(DERIVED_KEY_BYTES),
      c: whole(1, PBKDF2_ROUNDS_MAX),
      prf: z.literal('hmac-sha256'),
      salt: hex,
    }),
    message: z.literal(''),
  }),
]);

const envelopeSchema = z.object({
  kdf: kdfSchema,
  checksum: z.object({ function: z.literal('sha256'), params: z.object({}), message: hexOf(32) }),
  cipher: z.object({
    function: z.literal('aes-128-ctr'),
    params: z.object({ iv: hexOf(KEY_FILE_IV_BYTES) }),
    message: hexOf(SECRET_BYTES),
  }),
});
/** The `crypto` member of EIP-2335. */
type Envelope = z.infer<typeof envelopeSchema>;

const sealedSchema = z.object({
  version: z.literal(4),
  type: z.literal('althing/ed25519').optional(),
  pubkey: hex,
  crypto: envelopeSchema,
});

/** JSON of a key without protection. For development only: whoever reads the file has the key. */
export function encodePlainKey(key: StoredKey): string {
  return jsonText({
    version: 1,
    type: `althing/${key.kind}`,
    public: toHex(key.publicKey),
    secret: toHex(key.secret),
  });
}

/** What sealing needs from outside: fresh random `salt` and `iv` for each file, and a random `uuid`. */
export interface Sealing {
  readonly passphrase: string;
  /** For readers of the file; what kind of key it is by default. */
  readonly description?: string;
  /** `KEY_FILE_SALT_BYTES` long. */
  readonly salt: Uint8Array;
  /** `KEY_FILE_IV_BYTES` long. */
  readonly iv: Uint8Array;
  readonly uuid: string;
  readonly cost?: ScryptCost;
}

/** JSON of a key that only the passphrase opens: an EIP-2335 keystore, version 4. Takes about a second. */
export function encodeSealedKey(key: StoredKey, sealing: Sealing): string {
  const { n, r, p } = sealing.cost ?? KEY_FILE_SCRYPT_COST;
  const kdf: Envelope['kdf'] = {
    function: 'scrypt',
    params: { dklen: DERIVED_KEY_BYTES, n, r, p, salt: toHex(sealing.salt) },
    message: '',
  };
  const derived = derivedKey(kdf, sealing.passphrase);
  const message = aes128Ctr(derived, sealing.iv, key.secret);
  const envelope: Envelope = {
    kdf,
    checksum: { function: 'sha256', params: {}, message: toHex(checksumOf(derived, message)) },
    cipher: { function: 'aes-128-ctr', params: { iv: toHex(sealing.iv) }, message: toHex(message) },
  };
  return jsonText({
    crypto: envelope,
    description:
      sealing.description ?? (key.kind === 'ed25519' ? 'Althing node key' : 'Althing consensus key'),
    ...(key.kind === 'ed25519' ? { type: 'althing/ed25519' } : {}),
    pubkey: toHex(key.publicKey),
    path: '',
    uuid: sealing.uuid,
    version: 4,
  });
}

/** Reads either format. */
export function parseKeyFile(text: string): KeyFile | KeyFileProblem {
  const document = parseJson(text);
  if (document === undefined) return malformed('', 'not JSON');
  if (typeof document !== 'object' || document === null) return malformed('', 'expected a JSON object');
  if ('crypto' in document) {
    const sealed = sealedSchema.safeParse(document);
    if (!sealed.success) return firstProblem(sealed.error);
    const kind = sealed.data.type === undefined ? 'bls12-381' : 'ed25519';
    const publicKey = publicKeyOf(kind, 'pubkey', sealed.data.pubkey);
    if ('status' in publicKey) return publicKey;
    return { status: 'sealed', kind, publicKey: publicKey.bytes, envelope: sealed.data.crypto };
  }
  const plain = plainSchema.safeParse(document);
  if (!plain.success) return firstProblem(plain.error);
  const kind = plain.data.type === 'althing/ed25519' ? 'ed25519' : 'bls12-381';
  const publicKey = publicKeyOf(kind, 'public', plain.data.public);
  if ('status' in publicKey) return publicKey;
  return {
    status: 'plain',
    key: { kind, secret: bytesOf(plain.data.secret), publicKey: publicKey.bytes },
  };
}

/** The key inside a sealed file, or 'wrong-passphrase'. Takes as long as the file's cost asks, about a second. */
export function openKey(
  file: Extract<KeyFile, { status: 'sealed' }>,
  passphrase: string,
): StoredKey | 'wrong-passphrase' {
  const { kdf, checksum, cipher } = file.envelope;
  const message = bytesOf(cipher.message);
  const derived = derivedKey(kdf, passphrase);
  if (!equalBytes(checksumOf(derived, message), bytesOf(checksum.message))) return 'wrong-passphrase';
  const secret = aes128Ctr(derived, bytesOf(cipher.params.iv), message);
  return { kind: file.kind, secret, publicKey: file.publicKey };
}

function derivedKey(kdf: Envelope['kdf'], passphrase: string): Uint8Array {
  const password = utf8(normalized(passphrase));
  const salt = bytesOf(kdf.params.salt);
  if (kdf.function === 'pbkdf2') {
    return pbkdf2Sync(password, salt, kdf.params.c, DERIVED_KEY_BYTES, 'sha256');
  }
  const { n, r, p } = kdf.params;
  // OpenSSL counts 128·r·(n + p + 2) bytes.
  return scryptSync(password, salt, DERIVED_KEY_BYTES, { N: n, r, p, maxmem: 128 * r * (n + p + 2) });
}

/** NFKD without control characters. @source EIP-2335, "Password requirements" */
function normalized(passphrase: string): string {
  return passphrase.normalize('NFKD').replace(/\p{Cc}/gu, '');
}

/** AES-128 in counter mode under the first half of the derived key: encrypts and decrypts alike. */
function aes128Ctr(derived: Uint8Array, iv: Uint8Array, message: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-128-ctr', derived.subarray(0, 16), iv);
  return new Uint8Array(Buffer.concat([cipher.update(message), cipher.final()]));
}

/** @source EIP-2335, "Password verification" */
const checksumOf = (derived: Uint8Array, message: Uint8Array): Uint8Array =>
  sha256(concatBytes(derived.subarray(16, 32), message));

function publicKeyOf(kind: KeyKind, field: string, text: string): { bytes: Uint8Array } | KeyFileProblem {
  const bytes = bytesOf(text);
  const expected = PUBLIC_KEY_BYTES[kind];
  return bytes.byteLength === expected
    ? { bytes }
    : malformed(field, `expected ${expected} bytes for ${kind}, found ${bytes.byteLength}`);
}

/** Bytes of a text that the schema has found to be hexadecimal. */
const bytesOf = (text: string): Uint8Array => fromHex(text) ?? new Uint8Array();

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const malformed = (field: string, problem: string): KeyFileProblem => ({
  status: 'malformed',
  field,
  problem,
});

/** Never shows the value: it may be the secret. */
function firstProblem(error: z.ZodError): KeyFileProblem {
  const [issue] = error.issues;
  return malformed(issue?.path.join('.') ?? '', issue?.message ?? 'not a key file');
}

const jsonText = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;
