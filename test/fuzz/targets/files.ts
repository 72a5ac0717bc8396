/**
 * Files that an operator brings: genesis and keys, read from disk as the node reads them. They load, or are refused with
 * words; what loads is written so that it loads again the same. docs/operator-guide.md.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wallTime } from '../../../src/base/units.ts';
import {
  encodePlainKey,
  encodeSealedKey,
  openKey,
  parseKeyFile,
  type StoredKey,
} from '../../../src/crypto/key-file.ts';
import { genesisText, loadGenesis } from '../../../src/node/config/genesis-file.ts';
import { DEFAULT_CHAIN_PARAMETERS } from '../../../src/protocol/chain/genesis.ts';
import { addressOf } from '../../../src/protocol/chain/validator-set.ts';
import { describeKeyProblem } from '../../../src/storage/key-problems.ts';
import { KEY_FILES, loadIdentity } from '../../../src/storage/key-store.ts';
import { JSON_FORM } from '../forms/json.ts';
import { claim, type Target } from '../target.ts';

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const hex = (fill: number, length: number): string => Buffer.alloc(length, fill).toString('hex');
const FAST_FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const folder = (): string => mkdtempSync(join(FAST_FOLDER, 'althing-fuzz-'));

/** A proof proves when its first byte is the key's: the document is under test, not the pairing. */
const bls = { verifyPossession: (key: Uint8Array, proof: Uint8Array) => key[0] === proof[0] };

const genesisOf = (validators: number): string =>
  genesisText({
    chainId: 'fuzz-chain',
    genesisTime: wallTime(1_700_000_000_250),
    validators: Array.from({ length: validators }, (_, index) => {
      const nodeKey = new Uint8Array(32).fill(index + 1);
      return {
        address: addressOf(nodeKey),
        nodeKey,
        consensusKey: new Uint8Array(48).fill(index + 1),
        possessionProof: new Uint8Array(96).fill(index + 1),
        power: BigInt(index + 1),
        name: `validator ${index}`,
      };
    }),
    parameters: DEFAULT_CHAIN_PARAMETERS,
    application: { name: 'kv', state: { balances: { ada: 1, bob: [2, 3] } } },
  });

const words = [
  ...[
    'chain_id',
    'genesis_time',
    'validators',
    'params',
    'app',
    'state',
    'power',
    'address',
    'name',
    'node_key',
  ],
  ...[
    'consensus_key',
    'possession_proof',
    'leader_schedule',
    'round_robin',
    'block_bytes_max',
    '__proto__',
    '\ufeff',
  ],
  ...['2026-01-31T12:00:00Z', '9'.repeat(19), hex(1, 32), hex(1, 48), hex(1, 96), hex(255, 20)],
];

export const genesis: Target = {
  name: 'genesis',
  what: 'genesis files from disk, and what loads written and loaded again',
  covers: ['/src/protocol/chain/genesis', '/src/protocol/chain/canonical', '/src/node/config/genesis-file'],
  mutations: JSON_FORM,
  dictionary: words.map(bytesOf),
  bytesMax: 32 * 1024,
  window: 500,
  seeds: () => [1, 2, 4].map((count) => bytesOf(genesisOf(count))),
  open: async () => {
    const dir = folder();
    const path = join(dir, 'genesis.json');
    const load = (bytes: Uint8Array | string) => {
      writeFileSync(path, bytes);
      return loadGenesis(path, bls);
    };
    const run = (input: Uint8Array): string => {
      const result = load(input);
      if (result.status === 'refused') {
        claim(result.problems.length > 0 && result.problems.length <= 20, 'a refusal names 1 to 20 problems');
        return `refused ${result.problems[0]?.message.replaceAll(/[^a-z ]/g, '').slice(0, 32)}`;
      }
      const again = load(genesisText(result.genesis));
      claim(again.status === 'loaded', 'a genesis that was written loads');
      claim(again.hash === result.hash, 'a genesis that was written has the same hash');
      return 'loaded';
    };
    return { run, close: async () => rmSync(dir, { recursive: true }) };
  },
};

const KEYS: readonly StoredKey[] = [
  { kind: 'ed25519', secret: new Uint8Array(32).fill(1), publicKey: new Uint8Array(32).fill(2) },
  { kind: 'bls12-381', secret: new Uint8Array(32).fill(1), publicKey: new Uint8Array(48).fill(2) },
];
const CHEAP = { n: 16, r: 1, p: 1 };
const sealing = { passphrase: 'p', salt: new Uint8Array(32), iv: new Uint8Array(16), uuid: 'u', cost: CHEAP };
/** Work that a run may ask of scrypt or PBKDF2: what an operator's file asks for is paid by the operator. */
const WORK_MAX = 4_096;

export const keys: Target = {
  name: 'keys',
  what: 'key files of both formats, sealed ones opened where that is cheap, and identity files from disk',
  covers: ['/src/crypto/key-file', '/src/storage/key-', '/src/storage/secret-file'],
  mutations: JSON_FORM,
  dictionary: [
    ...[
      'version',
      'type',
      'public',
      'secret',
      'crypto',
      'pubkey',
      'kdf',
      'checksum',
      'cipher',
      'params',
      'message',
    ],
    ...[
      'althing/ed25519',
      'althing/bls12-381',
      'scrypt',
      'pbkdf2',
      'hmac-sha256',
      'sha256',
      'aes-128-ctr',
      'salt',
      'iv',
    ],
    ...[hex(2, 32), hex(2, 48), hex(2, 20), 'nodeKey', 'consensusKey', 'possession', '__proto__'],
  ].map(bytesOf),
  bytesMax: 16 * 1024,
  window: 1_000,
  seeds: () =>
    [
      ...KEYS.map(encodePlainKey),
      ...KEYS.map((key) => encodeSealedKey(key, sealing)),
      encodeSealedKey({ ...(KEYS[1] ?? neverKey()) }, sealing)
        .replace('"scrypt"', '"pbkdf2"')
        .replace(/"n": 16,\s*"r": 1,\s*"p": 1/, '"c": 2, "prf": "hmac-sha256"'),
      JSON.stringify({
        nodeId: hex(1, 20),
        nodeKey: hex(1, 32),
        consensusKey: hex(2, 48),
        possession: hex(3, 96),
      }),
    ].map(bytesOf),
  open: async () => {
    const dir = folder();
    const run = (input: Uint8Array): string => {
      writeFileSync(join(dir, KEY_FILES.identity), input);
      const identity = loadIdentity(dir);
      if (identity.status === 'refused')
        claim(describeKeyProblem(identity.problem).includes(dir), 'a problem names its file');
      return `${keyEnding(Buffer.from(input).toString('utf8'))}, identity ${identity.status}`;
    };
    return { run, close: async () => rmSync(dir, { recursive: true }) };
  },
};

function neverKey(): never {
  throw new Error('there are two keys');
}

function keyEnding(text: string): string {
  const file = parseKeyFile(text);
  if (file.status === 'malformed') {
    claim(file.problem !== '', 'a problem has words');
    return `malformed ${file.field}`;
  }
  if (file.status === 'plain') {
    const again = parseKeyFile(encodePlainKey(file.key));
    claim(
      again.status === 'plain' && Buffer.compare(again.key.secret, file.key.secret) === 0,
      'a key is read as it was written',
    );
    return `plain ${file.key.kind}`;
  }
  const { kdf } = file.envelope;
  const work = kdf.function === 'scrypt' ? kdf.params.n * kdf.params.r * kdf.params.p : kdf.params.c;
  if (work > WORK_MAX) return `sealed ${file.kind}, dear`;
  const key = openKey(file, 'p');
  claim(key === 'wrong-passphrase' || key.secret.byteLength === 32, 'an opened secret has 32 bytes');
  return `sealed ${file.kind} ${key === 'wrong-passphrase' ? key : 'opened'}`;
}
