/**
 * The codec in microseconds a message, and TLS links on loopback. Run: node bench/transport.bench.ts
 * Links carry less than a peer's burst (TP-5), so that no quota is measured. Set-up is outside the loops; each codec line is the median of 5 runs, each link line one run of fixed size.
 */
import { realClock } from '../src/actors/runtime/index.ts';
import { wallTime } from '../src/base/units.ts';
import { sha256Hex } from '../src/crypto/hash.ts';
import type {
  Address,
  BatchDigest,
  Block,
  BlockId,
  Digest,
  Epoch,
  Height,
  QuorumCertificate,
  Round,
  Vote,
} from '../src/protocol/chain/types.ts';
import type { PeerMessage } from '../src/protocol/consensus/types.ts';
import { KINDS } from '../src/protocol/transport/kinds.ts';
import { decode, encode } from '../src/transport/codec/codec.ts';
import { StructureScanner } from '../src/transport/codec/prescan.ts';
import { Connection } from '../src/transport/connection.ts';
import { dial } from '../src/transport/dial.ts';
import type { SelfDescription } from '../src/transport/handshake.ts';
import { nodeIdentity } from '../src/transport/identity.ts';
import { Listener } from '../src/transport/listener.ts';
import type { ProvenSocket } from '../src/transport/websocket.ts';
import { chainOf } from '../test/transport/support/blocks.ts';

const RUNS = 5;
const digest = 'ab'.repeat(32) as Digest;
const address = 'cd'.repeat(20) as Address;
const statement = {
  epoch: 1 as Epoch,
  round: 70_000 as Round,
  height: 70_000 as Height,
  blockId: digest as BlockId,
  parentId: digest as BlockId,
  parentRound: 69_999 as Round,
};
const vote: Vote = { ...statement, validator: address, signature: new Uint8Array(96) };
const qc: QuorumCertificate = { ...statement, signers: new Uint8Array(1), signature: new Uint8Array(96) };
const block = (references: number): Block => ({
  header: {
    epoch: statement.epoch,
    round: statement.round,
    height: statement.height,
    parentId: statement.parentId,
    time: wallTime(1_800_000_000_000),
    proposer: address,
    batches: Array.from({ length: references }, () => ({
      digest: digest as BatchDigest,
      count: 2_000,
      bytes: 512_000,
    })),
    batchesRoot: digest,
    executed: { height: statement.height, appHash: digest },
    validatorsHash: digest,
    nextValidatorsHash: digest,
    evidenceHash: digest,
    vrfProof: new Uint8Array(80),
  },
  qc,
});
const MESSAGES: readonly (readonly [string, PeerMessage, number])[] = [
  ['Vote', { kind: 'Vote', vote }, 10_000],
  ['Proposal of 10 batches', { kind: 'Proposal', block: block(10), vote }, 2_000],
  [
    'StateSync of 256 states',
    {
      kind: 'StateSync',
      stateHash: digest,
      sequenceNumber: statement.height,
      partialState: Array.from({ length: 256 }, (_, index) => ({
        height: (69_999 - index) as Height,
        appHash: sha256Hex(Uint8Array.of(index)) as Digest,
      })),
    },
    200,
  ],
  [
    'SubmitOperations, 1,000 of 250 bytes',
    {
      kind: 'SubmitOperations',
      tag: 1,
      operations: Array.from({ length: 1_000 }, () => new Uint8Array(250)),
    },
    100,
  ],
  [
    'OperationsAnswered, 1,000 refused at length',
    {
      kind: 'OperationsAnswered',
      tag: 1,
      admissions: Array.from({ length: 1_000 }, () => ({
        accepted: false,
        code: 'x'.repeat(64),
        log: 'ð'.repeat(128),
        applicationCode: 70_000,
      })),
    },
    50,
  ],
  ['Batch of 512 KiB', { kind: 'Batch', bytes: new Uint8Array(512 * 1024) }, 500],
];

/** `parts`: of one call, whose share is told. */
function measure(name: string, repeats: number, call: () => unknown, parts = 1): void {
  for (let count = 0; count < repeats; count += 1) call();
  const micros = Array.from({ length: RUNS }, () => {
    const start = process.hrtime.bigint();
    for (let count = 0; count < repeats; count += 1) call();
    return Number(process.hrtime.bigint() - start) / 1_000 / repeats / parts;
  });
  const median = micros.sort((left, right) => left - right)[RUNS >> 1] ?? Number.NaN;
  console.log(`${name.padEnd(46)} ${median.toFixed(2).padStart(10)} µs`);
}

function measureCodec(): void {
  const scanner = new StructureScanner();
  for (const [name, message, repeats] of MESSAGES) {
    const encoding = encode(message);
    if (encoding.outcome === 'refused') throw new Error(`${name}: ${encoding.refusal.code}`);
    const { bytes } = encoding.frame;
    console.log(`${name}: ${bytes.byteLength} bytes`);
    measure('  encode', repeats, () => encode(message));
    measure('  pre-scan', repeats, () => scanner.scan(bytes, 3, KINDS[message.kind]));
    measure('  decode', repeats, () => decode(bytes));
  }
}

/** The hot path of catching up: 128 blocks of one batch of 2 KB, at both ends, a block. @source the target of sync: 5,000 blocks/s, 200 µs each with everything */
function measureBlocks(validators: number): void {
  const { blocks, batches } = chainOf({
    blocks: 128,
    validators,
    batches: 1,
    batchBytes: 2_048,
    from: 70_000,
  });
  const message: PeerMessage = {
    kind: 'Blocks',
    requestId: 1,
    blocks,
    batches: batches.map(({ bytes }) => bytes),
    height: statement.height,
  };
  const encoding = encode(message);
  if (encoding.outcome === 'refused') throw new Error(encoding.refusal.code);
  const { bytes } = encoding.frame;
  console.log(`128 blocks of 2 KB, ${validators} validators: ${bytes.byteLength} bytes`);
  measure('  encode, a block', 100, () => encode(message), blocks.length);
  measure('  decode, a block', 100, () => decode(bytes), blocks.length);
}

const clock = realClock();
const describeSelf = (mark: number): SelfDescription => ({
  identity: nodeIdentity(new Uint8Array(32).fill(mark)),
  chain: { chainId: 'bench', genesisHash: digest },
  role: () => 'validator',
  moniker: 'bench',
  instance: new Uint8Array(8),
  epoch: () => 0 as Epoch,
});

async function openPair(
  insecure: boolean,
): Promise<{ readonly near: ProvenSocket; readonly far: ProvenSocket }> {
  let far: ProvenSocket | undefined;
  const listener = await Listener.open({
    self: describeSelf(1),
    host: '127.0.0.1',
    port: 0,
    clock,
    insecure,
    onOffer: (offer) => {
      far = offer.accept();
    },
  });
  const outcome = await dial({
    self: describeSelf(2),
    endpoint: { host: '127.0.0.1', port: listener.port },
    expectedPeer: describeSelf(1).identity.id,
    clock,
    signal: new AbortController().signal,
    insecure,
    onUpgrading: () => undefined,
  });
  listener.close();
  if (outcome.outcome === 'failed' || far === undefined) throw new Error('no connection');
  return { near: outcome.proven, far };
}

/** Sends `count` of a message as fast as the outbox takes them; both ends share this thread. */
async function measureLink(
  name: string,
  message: PeerMessage,
  count: number,
  insecure: boolean,
): Promise<void> {
  const { near, far } = await openPair(insecure);
  const encoding = encode(message);
  if (encoding.outcome === 'refused') throw new Error(encoding.refusal.code);
  let arrived = 0;
  const events = { refuse: () => undefined, ended: () => undefined };
  const sender = new Connection(near, clock, { ...events, deliver: () => undefined });
  const receiver = new Connection(far, clock, {
    ...events,
    deliver: () => {
      arrived += 1;
      return undefined;
    },
  });
  sender.open();
  receiver.open();
  const start = performance.now();
  let sent = 0;
  while (arrived < count) {
    while (sent < count && sender.status.waiting < 16) {
      sender.send(encoding.frame);
      sent += 1;
      if (sent % 16 === 0) await Promise.resolve();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const seconds = (performance.now() - start) / 1_000;
  const mebibytes = (count * encoding.frame.bytes.byteLength) / 2 ** 20;
  console.log(
    `${name.padEnd(46)} ${Math.round(count / seconds)
      .toString()
      .padStart(10)} /s ${(mebibytes / seconds).toFixed(0).padStart(8)} MiB/s`,
  );
  sender.close('SHUTTING_DOWN');
  receiver.close('SHUTTING_DOWN');
}

async function measureHandshakes(count: number): Promise<void> {
  const start = performance.now();
  for (let index = 0; index < count; index += 1) {
    const { near, far } = await openPair(false);
    near.ws.terminate();
    far.ws.terminate();
  }
  const each = (performance.now() - start) / count;
  console.log(`${'TLS, upgrade and both Hellos'.padEnd(46)} ${each.toFixed(2).padStart(10)} ms`);
}

measureCodec();
for (const validators of [4, 100]) measureBlocks(validators);
await measureHandshakes(20);
for (const insecure of [false, true]) {
  const carrier = insecure ? 'ws ' : 'wss';
  await measureLink(
    `${carrier}: batches of 64 KiB`,
    { kind: 'Batch', bytes: new Uint8Array(64 * 1024) },
    900,
    insecure,
  );
  await measureLink(
    `${carrier}: batches of 512 KiB`,
    { kind: 'Batch', bytes: new Uint8Array(512 * 1024) },
    120,
    insecure,
  );
  await measureLink(
    `${carrier}: batches of 256 bytes`,
    { kind: 'Batch', bytes: new Uint8Array(256) },
    7_500,
    insecure,
  );
}
process.exit(0);
