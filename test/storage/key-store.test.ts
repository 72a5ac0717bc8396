import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as blst from '@chainsafe/blst';
import { afterAll, describe, expect, it } from 'vitest';
import { createBlstEngine } from '../../src/crypto/bls/blst.ts';
import { createKeyedHashEngine } from '../../src/crypto/bls/keyed-hash.ts';
import { ed25519Sign, ed25519Verify } from '../../src/crypto/ed25519.ts';
import { createAccountKey, loadAccountKey } from '../../src/storage/account-key.ts';
import { describeKeyProblem } from '../../src/storage/key-problems.ts';
import {
  addConsensusKey,
  type CreatedKeysResult,
  consensusSecretOf,
  createKeys,
  KEY_FILES,
  type KeysResult,
  loadIdentity,
  loadKeys,
  type NodeKeys,
} from '../../src/storage/key-store.ts';

const engine = createBlstEngine(blst);
const cheap = { engine, scryptCost: { n: 16, r: 8, p: 1 } };
const root = mkdtempSync(join(tmpdir(), 'althing-keys-'));
afterAll(() => rmSync(root, { recursive: true }));
const runsAsRoot = process.getuid?.() === 0;

let made = 0;
function freshDirectory(): string {
  made += 1;
  return join(root, `home-${made}`, 'keys');
}

function ready(result: KeysResult | CreatedKeysResult): NodeKeys {
  if (result.status !== 'ready') throw new Error(describeKeyProblem(result.problem));
  return result.keys;
}

/** The refusal's code and path, after a check that its sentence names the path. */
function refusalOf(result: ReturnType<typeof loadKeys> | ReturnType<typeof loadIdentity>) {
  if (result.status !== 'refused') throw new Error('expected a refusal');
  expect(describeKeyProblem(result.problem)).toContain(result.problem.path);
  return result.problem;
}

/** The members of a plain key file are texts, but for its version. */
const documentAt = (path: string): Record<string, string> => JSON.parse(readFileSync(path, 'utf8'));

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe("an account's key", () => {
  it('is a file of its own, and never written over', () => {
    const path = join(root, 'account.json');
    const made = createAccountKey(path, undefined);
    expect([made.status, modeOf(path), loadAccountKey(path, undefined)]).toEqual(['ready', '600', made]);
    expect(createAccountKey(path, undefined)).toMatchObject({ problem: { code: 'KEY_FILE_EXISTS', path } });
  });

  it('that is not there is nothing that `althing init` makes: the words say what does', () => {
    const path = join(root, 'nobody.json');
    const folder = join(root, 'nowhere');
    const inNone = join(folder, 'account.json');
    const wordsOf = (result: ReturnType<typeof loadAccountKey>) =>
      result.status === 'refused' ? describeKeyProblem(result.problem) : '';
    expect(wordsOf(loadAccountKey(path, undefined))).toBe(
      `${path}: there is no such key file; make one with 'althing ledger keys new ${path}', or name another`,
    );
    expect(wordsOf(createAccountKey(inNone, undefined))).toBe(
      `${inNone}: there is no directory ${folder}: make it, or name another file`,
    );
  });
});

describe('a new key directory', () => {
  it('holds two keys that work, the proof of possession and the identity', () => {
    const directory = freshDirectory();
    const result = createKeys(directory, { engine });
    if (result.status === 'refused') throw new Error(describeKeyProblem(result.problem));
    const { nodeSecret, consensusSecret } = result.keys;
    const { identity } = result;
    expect(engine.publicKeyOf(consensusSecret)).toEqual(identity.consensusKey);
    expect(engine.verifyPossession(identity.consensusKey, identity.possession)).toBe(true);
    const message = Uint8Array.of(1, 2, 3);
    const signature = ed25519Sign(nodeSecret, message) ?? new Uint8Array();
    expect(ed25519Verify(identity.nodeKey, message, signature)).toBe(true);
    expect(identity.nodeId).toMatch(/^[0-9a-f]{40}$/);
  });

  it('is loaded as it was made, plain or sealed', () => {
    for (const passphrase of [undefined, 'correct horse']) {
      const directory = freshDirectory();
      const options = { ...cheap, ...(passphrase === undefined ? {} : { passphrase }) };
      const made = createKeys(directory, options);
      expect(ready(loadKeys(directory, options))).toEqual(ready(made));
      expect(loadIdentity(directory)).toEqual({
        status: 'ready',
        identity: 'identity' in made && made.identity,
      });
    }
  });

  it('has mode 0700 and secrets of mode 0600, also where it was there with a wider one', () => {
    const directory = freshDirectory();
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o775);
    ready(createKeys(directory, cheap));
    expect(modeOf(directory)).toBe('700');
    expect([KEY_FILES.consensus, KEY_FILES.node].map((name) => modeOf(join(directory, name)))).toEqual([
      '600',
      '600',
    ]);
  });

  it('leaves nothing but its three files', () => {
    const directory = freshDirectory();
    ready(createKeys(directory, cheap));
    expect(readdirSync(directory).sort()).toEqual(['consensus.json', 'identity.json', 'node.json']);
  });

  it('takes further consensus keys beside the first, and shows the newest (CS-16)', () => {
    const directory = freshDirectory();
    const first = ready(createKeys(directory, cheap));
    const added = [1, 2].map(() => addConsensusKey(directory, cheap));
    const shown = added.map((result) => {
      if (result.status === 'refused') throw new Error(result.problem.code);
      return result.identity;
    });
    const keys = ready(loadKeys(directory, cheap));
    expect(keys.identity).toEqual(first.identity);
    expect(keys.consensusSecret).toEqual(first.consensusSecret);
    expect(loadIdentity(directory)).toEqual({ status: 'ready', identity: shown[1] });
    for (const { nodeId, consensusKey, possession } of shown) {
      expect(nodeId).toBe(first.identity.nodeId);
      expect(engine.verifyPossession(consensusKey, possession)).toBe(true);
      const secret = consensusSecretOf(keys, consensusKey);
      expect(secret === undefined ? undefined : engine.publicKeyOf(secret)).toEqual(consensusKey);
    }
    expect(consensusSecretOf(keys, first.identity.consensusKey)).toEqual(first.consensusSecret);
    expect(consensusSecretOf(keys, new Uint8Array(48))).toBeUndefined();
    const further = readdirSync(directory).filter((name) => name.startsWith('consensus-'));
    expect(further.map((name) => modeOf(join(directory, name)))).toEqual(['600', '600']);
  });

  it('refuses a ninth further key, and says what to do', () => {
    const directory = freshDirectory();
    ready(createKeys(directory, cheap));
    for (let count = 0; count < 8; count += 1) expect(addConsensusKey(directory, cheap).status).toBe('ready');
    const refused = addConsensusKey(directory, cheap);
    expect(refusalOf(refused)).toMatchObject({ code: 'KEYS_TOO_MANY', count: 8 });
  });

  it('differs from every other one', () => {
    const [first, second] = [0, 1].map(() => ready(createKeys(freshDirectory(), cheap)));
    expect(first?.nodeSecret).not.toEqual(second?.nodeSecret);
    expect(first?.consensusSecret).not.toEqual(second?.consensusSecret);
  });

  it('is the same for the same source of secrets, as a fixed testnet needs', () => {
    const random = (bytes: number) => new Uint8Array(bytes).fill(9);
    const [first, second] = [0, 1].map(() => ready(createKeys(freshDirectory(), { ...cheap, random })));
    expect(second).toEqual(first);
  });

  it('never holds a sealed secret in the clear', () => {
    const directory = freshDirectory();
    const keys = ready(createKeys(directory, { ...cheap, passphrase: 'correct horse' }));
    const texts = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
    for (const secret of [keys.nodeSecret, keys.consensusSecret]) {
      expect(texts.join('')).not.toContain(Buffer.from(secret).toString('hex'));
    }
  });

  it.each(Object.values(KEY_FILES))('is refused where %s exists, and nothing is changed', (name) => {
    const directory = freshDirectory();
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, name), 'precious');
    expect(refusalOf(createKeys(directory, cheap))).toEqual({
      code: 'KEY_FILE_EXISTS',
      path: join(directory, name),
    });
    expect(readFileSync(join(directory, name), 'utf8')).toBe('precious');
    expect(readdirSync(directory)).toEqual([name]);
  });

  it('tells why it cannot be made', () => {
    const file = join(root, 'a-file');
    writeFileSync(file, '');
    expect(refusalOf(createKeys(join(file, 'keys'), cheap))).toMatchObject({ code: 'KEY_STORE_FAILED' });
  });
});

describe('loading keys refuses', () => {
  function madeDirectory(passphrase?: string): string {
    const directory = freshDirectory();
    ready(createKeys(directory, { ...cheap, ...(passphrase === undefined ? {} : { passphrase }) }));
    return directory;
  }

  it('a directory or a file that is missing, by its path', () => {
    const missing = freshDirectory();
    expect(refusalOf(loadKeys(missing, cheap))).toEqual({ code: 'KEY_FILE_MISSING', path: missing });
    const directory = madeDirectory();
    const path = join(directory, KEY_FILES.node);
    unlinkSync(path);
    expect(refusalOf(loadKeys(directory, cheap))).toEqual({ code: 'KEY_FILE_MISSING', path });
  });

  it.each([0o640, 0o604, 0o620, 0o660, 0o644])('a secret of mode %o', (mode) => {
    const directory = madeDirectory();
    const path = join(directory, KEY_FILES.consensus);
    chmodSync(path, mode);
    const problem = refusalOf(loadKeys(directory, cheap));
    expect(problem).toMatchObject({ code: 'KEY_FILE_EXPOSED', path });
    expect(describeKeyProblem(problem)).toContain(`chmod 0600 '${path}'`);
  });

  it('a directory that others may write to', () => {
    const directory = madeDirectory();
    chmodSync(directory, 0o770);
    expect(refusalOf(loadKeys(directory, cheap))).toMatchObject({
      code: 'KEY_FILE_EXPOSED',
      path: directory,
    });
    chmodSync(directory, 0o755);
    expect(loadKeys(directory, cheap).status).toBe('ready');
  });

  it('a sealed key without a passphrase, and with a wrong one, as two things', () => {
    const directory = madeDirectory('correct horse');
    const path = join(directory, KEY_FILES.consensus);
    expect(refusalOf(loadKeys(directory, cheap))).toEqual({ code: 'KEY_PASSPHRASE_REQUIRED', path });
    expect(refusalOf(loadKeys(directory, { ...cheap, passphrase: 'battery staple' }))).toEqual({
      code: 'KEY_PASSPHRASE_WRONG',
      path,
    });
  });

  it('a file whose public key is not its secret’s', () => {
    const [directory, other] = [madeDirectory(), madeDirectory()];
    const path = join(directory, KEY_FILES.node);
    const document = documentAt(path);
    const { public: foreign } = documentAt(join(other, KEY_FILES.node));
    writeFileSync(path, JSON.stringify({ ...document, public: foreign }));
    expect(refusalOf(loadKeys(directory, cheap))).toMatchObject({
      code: 'KEY_FILE_MISMATCH',
      path,
      claimed: foreign,
    });
  });

  it('a key in the other key’s place', () => {
    const directory = madeDirectory();
    copyFileSync(join(directory, KEY_FILES.node), join(directory, KEY_FILES.consensus));
    expect(refusalOf(loadKeys(directory, cheap))).toMatchObject({
      code: 'KEY_FILE_MALFORMED',
      field: 'type',
    });
  });

  it('a malformed file by the field, never showing the secret', () => {
    const directory = madeDirectory();
    const path = join(directory, KEY_FILES.consensus);
    const document = documentAt(path);
    writeFileSync(path, JSON.stringify({ ...document, secret: `${document['secret']}00` }));
    const problem = refusalOf(loadKeys(directory, cheap));
    expect(problem).toMatchObject({ code: 'KEY_FILE_MALFORMED', path, field: 'secret' });
    expect(describeKeyProblem(problem)).not.toContain(document['secret']);
  });

  it('a BLS secret outside [1, r), and a file too large to be a key', () => {
    const directory = madeDirectory();
    const path = join(directory, KEY_FILES.consensus);
    const document = documentAt(path);
    writeFileSync(path, JSON.stringify({ ...document, secret: 'ff'.repeat(32) }));
    expect(refusalOf(loadKeys(directory, cheap))).toMatchObject({
      code: 'KEY_FILE_MALFORMED',
      field: 'secret',
    });
    writeFileSync(path, ' '.repeat(70_000));
    expect(describeKeyProblem(refusalOf(loadKeys(directory, cheap)))).toContain('70000 bytes');
  });

  it('an identity that is missing or malformed', () => {
    const directory = madeDirectory();
    const path = join(directory, KEY_FILES.identity);
    writeFileSync(path, '{"nodeKey":"00"}');
    expect(refusalOf(loadIdentity(directory))).toMatchObject({
      code: 'KEY_FILE_MALFORMED',
      field: 'nodeKey',
    });
    writeFileSync(path, 'x');
    expect(refusalOf(loadIdentity(directory))).toMatchObject({ code: 'KEY_FILE_MALFORMED', field: '' });
    unlinkSync(path);
    expect(refusalOf(loadIdentity(directory))).toEqual({ code: 'KEY_FILE_MISSING', path });
  });

  it('a file that the system does not let it read, with the system’s reason', () => {
    const directory = madeDirectory();
    const path = join(directory, KEY_FILES.consensus);
    if (runsAsRoot) {
      unlinkSync(path);
      mkdirSync(path, { mode: 0o700 });
    } else {
      chmodSync(path, 0o000);
    }
    expect(refusalOf(loadKeys(directory, cheap))).toMatchObject({ code: 'KEY_STORE_FAILED' });
  });
});

describe('keys of a simulated engine', () => {
  it('are stored and loaded alike: the secret serves any engine', () => {
    const simulated = { engine: createKeyedHashEngine() };
    const directory = freshDirectory();
    const keys = ready(createKeys(directory, simulated));
    expect(ready(loadKeys(directory, simulated))).toEqual(keys);
    expect(engine.publicKeyOf(keys.consensusSecret)).toBeDefined();
  });
});
