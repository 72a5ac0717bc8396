/**
 * Microseconds a call of the signature engines and the hash, at fixed sizes. Run: node bench/crypto.bench.ts
 * Set-up is outside the loops; each line is the median of 5 runs.
 */

import type { BlsEngine } from '../src/crypto/bls/engine.ts';
import { createKeyedHashEngine } from '../src/crypto/bls/keyed-hash.ts';
import { createNobleEngine } from '../src/crypto/bls/noble.ts';
import { loadBlsEngine } from '../src/crypto/bls/select.ts';
import * as ed25519 from '../src/crypto/ed25519.ts';
import * as nobleEd25519 from '../src/crypto/ed25519-noble.ts';
import * as hash from '../src/crypto/hash.ts';
import * as nobleHash from '../src/crypto/hash-noble.ts';

const RUNS = 5;
/** Members of the set whose certificates are verified: quorum of 100 validators. */
const SIGNERS = 67;
const MESSAGE = new Uint8Array(160).fill(7);
const OTHER_MESSAGE = new Uint8Array(160).fill(8);

function measure(name: string, repeats: number, call: () => unknown): void {
  call();
  const micros = Array.from({ length: RUNS }, () => {
    const start = process.hrtime.bigint();
    for (let count = 0; count < repeats; count += 1) call();
    return Number(process.hrtime.bigint() - start) / 1000 / repeats;
  });
  const median = micros.sort((left, right) => left - right)[RUNS >> 1] ?? Number.NaN;
  console.log(`${name.padEnd(46)} ${median.toFixed(1).padStart(10)} µs`);
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the bench expected a value');
  return value;
}

function measureBls(engine: BlsEngine, repeats: number): void {
  const secrets = Array.from({ length: SIGNERS }, (_, index) =>
    present(engine.generateSecret(new Uint8Array(32).fill(index).fill(engine.name.length, 0, 1))),
  );
  const keys = secrets.map((secret) => present(engine.publicKeyOf(secret)));
  const votes = secrets.map((secret) => present(engine.sign(secret, MESSAGE)));
  const qc = present(engine.aggregateSignatures(votes));
  const timeouts = secrets.map((secret, index) =>
    present(engine.sign(secret, index % 2 === 0 ? MESSAGE : OTHER_MESSAGE)),
  );
  const tc = present(engine.aggregateSignatures(timeouts));
  const groups = [MESSAGE, OTHER_MESSAGE].map((message, parity) => ({
    publicKeys: keys.filter((_, index) => index % 2 === parity),
    message,
  }));
  const [secret, key, vote] = [present(secrets[0]), present(keys[0]), present(votes[0])];
  const proofs = secrets.map((one) => present(engine.provePossession(one)));
  let next = 0;

  const { name } = engine;
  measure(`${name} sign`, repeats, () => engine.sign(secret, MESSAGE));
  measure(`${name} verify`, repeats, () => engine.verify(key, MESSAGE, vote));
  measure(`${name} aggregate ${SIGNERS} signatures`, repeats, () => engine.aggregateSignatures(votes));
  measure(`${name} verify QC of ${SIGNERS}`, repeats, () => engine.fastAggregateVerify(keys, MESSAGE, qc));
  measure(`${name} verify TC of ${SIGNERS}, 2 groups`, repeats, () => engine.aggregateVerify(groups, tc));
  measure(`${name} prove possession`, Math.ceil(repeats / 10), () => engine.provePossession(secret));
  // Another proof each time: answers are cached.
  measure(`${name} verify possession`, Math.ceil(repeats / 10), () => {
    next = (next + 1) % SIGNERS;
    return engine.verifyPossession(present(keys[next]), present(proofs[next]));
  });
}

function measureEd25519(name: string, engine: typeof nobleEd25519 | typeof ed25519, repeats: number): void {
  const secret = new Uint8Array(32).fill(1);
  const key = present(engine.ed25519PublicKeyOf(secret));
  const signature = present(engine.ed25519Sign(secret, MESSAGE));
  measure(`${name} sign`, repeats, () => engine.ed25519Sign(secret, MESSAGE));
  measure(`${name} verify`, repeats, () => engine.ed25519Verify(key, MESSAGE, signature));
}

const { engine, fallbackReason } = await loadBlsEngine();
if (fallbackReason !== undefined) console.error(fallbackReason);
if (engine.name !== 'noble') measureBls(engine, 100);
measureBls(createNobleEngine(), 5);
measureBls(createKeyedHashEngine(), 1000);
measureEd25519('ed25519 node', ed25519, 1000);
measureEd25519('ed25519 noble', nobleEd25519, 20);
for (const bytes of [160, 4096, 1_048_576]) {
  const input = new Uint8Array(bytes).fill(3);
  const repeats = bytes > 100_000 ? 10 : 2000;
  measure(`sha256 node ${bytes} bytes`, repeats, () => hash.sha256(input));
  measure(`sha256 noble ${bytes} bytes`, repeats, () => nobleHash.sha256(input));
}
