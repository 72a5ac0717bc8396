import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/base/bytes.ts';
import { createNobleEngine } from '../../src/crypto/bls/noble.ts';
import {
  encodePlainKey,
  encodeSealedKey,
  type KeyFile,
  openKey,
  parseKeyFile,
  type Sealing,
  type StoredKey,
} from '../../src/crypto/key-file.ts';

const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array();

const PASSPHRASE = '𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑';
const SECRET = '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f';
const PUBLIC_KEY =
  '9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07';
const SALT = 'd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3';
const IV = '264daa3f303d7259501c93d997d84fe6';
const UUID = '1d85ae20-35c5-4611-98e8-aa14a633906f';

/** EIP-2335, test vectors. */
const SCRYPT_VECTOR = {
  crypto: {
    kdf: { function: 'scrypt', params: { dklen: 32, n: 262144, p: 1, r: 8, salt: SALT }, message: '' },
    checksum: {
      function: 'sha256',
      params: {},
      message: 'd2217fe5f3e9a1e34581ef8a78f7c9928e436d36dacc5e846690a5581e8ea484',
    },
    cipher: {
      function: 'aes-128-ctr',
      params: { iv: IV },
      message: '06ae90d55fe0a6e9c5c3bc5b170827b2e5cce3929ed3f116c2811e6366dfe20f',
    },
  },
  description: 'This is a test keystore that uses scrypt to secure the secret.',
  pubkey: PUBLIC_KEY,
  path: 'm/12381/60/3141592653/589793238',
  uuid: UUID,
  version: 4,
};
const PBKDF2_VECTOR = {
  ...SCRYPT_VECTOR,
  crypto: {
    kdf: {
      function: 'pbkdf2',
      params: { dklen: 32, c: 262144, prf: 'hmac-sha256', salt: SALT },
      message: '',
    },
    checksum: {
      function: 'sha256',
      params: {},
      message: '8a9f5d9912ed7e75ea794bc5a89bca5f193721d30868ade6f73043c6ea6febf1',
    },
    cipher: {
      function: 'aes-128-ctr',
      params: { iv: IV },
      message: 'cee03fde2af33149775b7223e7845e4fb2c8ae1792e5f99fe9ecf474cc8c16ad',
    },
  },
};

const BLS_KEY: StoredKey = { kind: 'bls12-381', secret: bytesOf(SECRET), publicKey: bytesOf(PUBLIC_KEY) };
const NODE_KEY: StoredKey = {
  kind: 'ed25519',
  secret: new Uint8Array(32).fill(1),
  publicKey: new Uint8Array(32).fill(2),
};
const CHEAP: Sealing = {
  passphrase: PASSPHRASE,
  salt: bytesOf(SALT),
  iv: bytesOf(IV),
  uuid: UUID,
  cost: { n: 16, r: 8, p: 1 },
};

function sealedFile(text: string): Extract<KeyFile, { status: 'sealed' }> {
  const file = parseKeyFile(text);
  if (file.status !== 'sealed') throw new Error(`expected a sealed file, found ${JSON.stringify(file)}`);
  return file;
}

describe('sealed key files (EIP-2335)', () => {
  it.each([
    ['scrypt', SCRYPT_VECTOR],
    ['pbkdf2', PBKDF2_VECTOR],
  ])('open the vector of the standard that uses %s', (_name, vector) => {
    const key = openKey(sealedFile(JSON.stringify(vector)), PASSPHRASE);
    expect(key).toEqual(BLS_KEY);
    expect(createNobleEngine().publicKeyOf(bytesOf(SECRET))).toEqual(bytesOf(PUBLIC_KEY));
  });

  it('are written as the standard writes them: the scrypt vector, byte for byte', () => {
    const { cost: _cheap, ...sealing } = CHEAP;
    const written: unknown = JSON.parse(encodeSealedKey(BLS_KEY, sealing));
    expect(written).toEqual({ ...SCRYPT_VECTOR, description: 'Althing consensus key', path: '' });
  });

  it.each([BLS_KEY, NODE_KEY])('give back the $kind key', (key) => {
    const file = sealedFile(encodeSealedKey(key, CHEAP));
    expect([file.kind, file.publicKey]).toEqual([key.kind, key.publicKey]);
    expect(openKey(file, PASSPHRASE)).toEqual(key);
  });

  it('never hold the secret', () => {
    expect(encodeSealedKey(BLS_KEY, CHEAP)).not.toContain(SECRET);
  });

  it('answer a wrong passphrase with a value of its own', () => {
    const file = sealedFile(encodeSealedKey(NODE_KEY, CHEAP));
    for (const wrong of ['', 'testpassword', `${PASSPHRASE} `]) {
      expect(openKey(file, wrong)).toBe('wrong-passphrase');
    }
  });

  it('take a passphrase in any Unicode form, without control characters', () => {
    const file = sealedFile(encodeSealedKey(NODE_KEY, CHEAP));
    for (const same of ['testpassword🔑', 'test\u0007pass\u007fword\u0085🔑']) {
      expect(openKey(file, same)).toEqual(NODE_KEY);
    }
  });

  it('are found out when their cipher text was changed', () => {
    const text = encodeSealedKey(NODE_KEY, CHEAP);
    const { cipher } = sealedFile(text).envelope;
    const changed = cipher.message.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    expect(openKey(sealedFile(text.replace(cipher.message, changed)), PASSPHRASE)).toBe('wrong-passphrase');
  });

  it.each([
    ['crypto.kdf.params.n', (vector: typeof SCRYPT_VECTOR) => ({ ...vector.crypto.kdf.params, n: 262145 })],
    ['crypto.kdf.params', (vector: typeof SCRYPT_VECTOR) => ({ ...vector.crypto.kdf.params, r: 64 })],
    ['crypto.kdf.params.n', (vector: typeof SCRYPT_VECTOR) => ({ ...vector.crypto.kdf.params, n: 2 ** 30 })],
    [
      'crypto.kdf.params.salt',
      (vector: typeof SCRYPT_VECTOR) => ({ ...vector.crypto.kdf.params, salt: 'x' }),
    ],
  ])('name the field %s that asks too much or is malformed', (field, paramsOf) => {
    const kdf = { ...SCRYPT_VECTOR.crypto.kdf, params: paramsOf(SCRYPT_VECTOR) };
    const text = JSON.stringify({ ...SCRYPT_VECTOR, crypto: { ...SCRYPT_VECTOR.crypto, kdf } });
    expect(parseKeyFile(text)).toMatchObject({ status: 'malformed', field });
  });
});

describe('plain key files', () => {
  it.each([BLS_KEY, NODE_KEY])('give back the $kind key', (key) => {
    expect(parseKeyFile(encodePlainKey(key))).toEqual({ status: 'plain', key });
  });

  it.each([
    ['', 'not JSON', '{'],
    ['', 'expected a JSON object', '7'],
    ['', 'expected a JSON object', 'null'],
  ])('are refused as a whole (field "%s": %s)', (field, problem, text) => {
    expect(parseKeyFile(text)).toEqual({ status: 'malformed', field, problem });
  });

  it.each([
    ['version', { version: 2 }],
    ['type', { type: 'althing/rsa' }],
    ['secret', { secret: SECRET.slice(2) }],
    ['secret', { secret: 7 }],
    ['public', { public: 'zz' }],
    ['public', { public: toHex(NODE_KEY.publicKey) }],
    ['', { secrets: 'a misspelled member' }],
  ])('name the malformed field "%s" and never its value', (field, change) => {
    const plain: object = JSON.parse(encodePlainKey(BLS_KEY));
    const parsed = parseKeyFile(JSON.stringify({ ...plain, ...change }));
    expect(parsed).toMatchObject({ status: 'malformed', field });
    expect(JSON.stringify(parsed)).not.toContain(SECRET.slice(2));
  });

  it('never make the parser throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(parseKeyFile(text).status).toBe('malformed');
      }),
    );
  });
});
