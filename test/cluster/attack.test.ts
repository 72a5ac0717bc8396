/**
 * Three validators against a fourth that lies, and against strangers: real processes, TLS WebSockets, keys of a home that
 * no process runs. After each attack the three commit, answer, keep their memory, and have banned the offender.
 * Rules CS-13, TP-1 to TP-11, RT-16, docs/protocol/transport.md.
 */
import { connect as connectPlain, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { encodeBatch } from '../../src/protocol/chain/batch.ts';
import { digestOf, voteStatementBytes } from '../../src/protocol/chain/canonical.ts';
import { parseHeight, parseRound } from '../../src/protocol/chain/parse.ts';
import type {
  BatchDigest,
  BlockId,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Vote,
} from '../../src/protocol/chain/types.ts';
import type { ProposalMessage } from '../../src/protocol/consensus/types.ts';
import { KINDS, type WireKind } from '../../src/protocol/transport/kinds.ts';
import type { WireMessage } from '../../src/protocol/transport/messages.ts';
import { Attacker, bytesOf, type Line } from './support/attacker.ts';
import { eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

const HONEST = [0, 1, 2];
const MALLORY = 3;
/** What all attacks together may cost an honest node. @unit bytes */
const HEAP_GROWTH_MAX = 96 * 1024 * 1024;
const MIB = 1024 * 1024;

let validators: Validators;
let attacker: Attacker;
let heapBefore: readonly number[];
const lines: Line[] = [];
const sockets: Socket[] = [];

async function metric(index: number, name: string): Promise<number> {
  const response = await fetch(`http://${validators.network.rpcOf(index)}/metrics`);
  const text = await response.text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

const heapOf = (index: number): Promise<number> => metric(index, 'nodejs_heap_size_used_bytes');

let transactions = 0;

/** A transaction sent to one of them is committed by all, by the same processes. */
async function expectProgress(): Promise<void> {
  transactions += 1;
  const asked = transactions % HONEST.length;
  const tx = Buffer.from(`key${transactions}=value`).toString('base64');
  const committed = await eventually(`validator ${asked} commits`, 20_000, async () => {
    const answer = await validators.network.call(asked, 'broadcast_tx_commit', { tx });
    return Number(answer?.height) > 0 ? Number(answer?.height) : undefined;
  });
  for (const index of HONEST) {
    await eventually(`validator ${index} is at height ${committed}`, 10_000, async () => {
      const reached = await validators.network.height(index);
      return reached !== undefined && reached >= committed ? true : undefined;
    });
    expect(validators.runs(index)).toBe(true);
  }
}

async function open(victim: number, as: 'validator' | 'stranger' = 'validator'): Promise<Line> {
  const line = await attacker.connect(victim, as);
  lines.push(line);
  return line;
}

const round = (value: number): Round => {
  const parsed = parseRound(value);
  if (parsed === 'malformed') throw new Error(`no round: ${value}`);
  return parsed;
};
const height = (value: number): Height => {
  const parsed = parseHeight(value);
  if (parsed === 'malformed') throw new Error(`no height: ${value}`);
  return parsed;
};
const anId = (seed: number): BlockId => digestOf(utf8(`nothing ${seed}`)) as string as BlockId;

/** Who was elected a moment ago is not known to all as a validator yet. @unit votes @source 100 points, a tenth each */
const VOTES_OF_A_STRANGER_MAX = 1_000;

/** A vote that only its round makes absurd: Mallory's own signature is true. */
function voteIn(inRound: number): Vote {
  const { epoch, signer } = attacker;
  const statement = {
    epoch: epoch.epoch,
    round: round(inRound),
    height: height(1),
    blockId: anId(inRound),
    parentId: anId(0),
    parentRound: round(inRound - 1),
  };
  const signature = signer.sign(voteStatementBytes(epoch.domain, statement));
  return { ...statement, validator: signer.address, signature: signature ?? new Uint8Array(96) };
}

/** Three names under Mallory's one signature. */
function forgedQC(inRound: number): QuorumCertificate {
  const { validator: _, ...statement } = voteIn(inRound);
  return { ...statement, signers: new Uint8Array([0b0111]) };
}

function forgedTC(inRound: number): TimeoutCertificate {
  const { epoch } = attacker;
  const { signature } = voteIn(inRound);
  const groups = [{ highQcRound: epoch.rootQC.round, signers: new Uint8Array([0b0111]) }] as const;
  return { epoch: epoch.epoch, round: round(inRound), highQC: epoch.rootQC, groups, signature };
}

/** How a frame that our encoder would refuse looks: envelope, then any body. */
const frameOf = (kind: WireKind, body: Uint8Array): Uint8Array =>
  Buffer.concat([Uint8Array.of(0x93, 0, KINDS[kind].number), body]);

beforeAll(async () => {
  validators = await Validators.create();
  for (const index of HONEST) validators.start(index);
  await eventually('blocks are committed', 30_000, async () =>
    ((await validators.network.height(0)) ?? 0) > 1 ? true : undefined,
  );
  attacker = await Attacker.create(validators, MALLORY);
  heapBefore = await Promise.all(HONEST.map(heapOf));
});

afterEach(() => {
  for (const line of lines.splice(0)) line.close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

afterAll(() => validators.remove());

describe('a stranger', () => {
  const frames: readonly (readonly [string, () => Uint8Array])[] = [
    ['ten thousand nested arrays', () => frameOf('Blocks', new Uint8Array(10_000).fill(0x91))],
    ['an array of 2^32 - 1 items', () => frameOf('Blocks', Uint8Array.of(0xdd, 255, 255, 255, 255, 1))],
    ['a map of 2^32 - 1 keys', () => frameOf('GetBatch', Uint8Array.of(0xdf, 255, 255, 255, 255, 1))],
    ['a text of 2^32 - 1 bytes', () => frameOf('GetBlock', Uint8Array.of(0xdb, 255, 255, 255, 255, 65))],
    [
      'a million nodes',
      () => frameOf('Blocks', Buffer.concat([Uint8Array.of(0xdd, 0, 15, 66, 64), new Uint8Array(1_000_000)])),
    ],
    ['an extension type', () => frameOf('Ping', Uint8Array.of(0xd4, 0x01, 0x00))],
    ['a frame above the cap of its kind', () => frameOf('GetBlocks', new Uint8Array(1_000))],
    [
      'a message that is named xstate.stop',
      () =>
        frameOf(
          'GetBlocks',
          Buffer.concat([Uint8Array.of(0x81, 0xa4), utf8('type'), Uint8Array.of(0xab), utf8('xstate.stop')]),
        ),
    ],
    ['a kind that does not exist', () => Uint8Array.of(0x93, 0, 99, 0xc0)],
    ['no envelope at all', () => utf8('{"type":"xstate.error.actor.0"}')],
  ];

  it.each(frames)('that sends %s is banned at once (TP-6, TP-8, TP-11)', async (_, frame) => {
    const line = await open(0, 'stranger');
    for (let sent = 0; sent < 6; sent += 1) line.frame(frame());
    expect(await line.ended()).toBe('BANNED');
  });

  it('that sends votes, which only validators may, is not heard, and banned when it goes on (TP-6, CS-16)', async () => {
    const line = await open(0, 'stranger');
    await line.flood(VOTES_OF_A_STRANGER_MAX + 200, () => bytesOf({ kind: 'Vote', vote: voteIn(5) }));
    expect(await line.ended()).toBe('BANNED');
  });

  it('that announces a frame of 100 MB is cut before the bytes come (TP-3)', async () => {
    const line = await open(0, 'stranger');
    const header = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x06, 0x40, 0, 0, 0, 0, 0, 0]);
    line.raw(header);
    expect(await line.ended()).toBe('1009');
  });

  it('that speaks text is banned (TP-8)', async () => {
    const line = await open(0, 'stranger');
    for (const type of ['xstate.stop', 'xstate.error', '*']) line.text(JSON.stringify({ type }));
    expect(await line.ended()).toBe('BANNED');
  });

  it('that pours blocks which nobody asked for is banned (TP-6, TP-11)', async () => {
    const line = await open(0, 'stranger');
    const frame = bytesOf({ kind: 'Blocks', requestId: 1, blocks: [], batches: [], height: height(1) });
    await line.flood(400, () => frame);
    expect(await line.ended()).toBe('BANNED');
  });

  it('leaves the validators committing', expectProgress, 20_000);
});

describe('handshakes that lie', () => {
  it('are refused by name: another chain, another genesis (TP-1)', async () => {
    const { domain } = attacker.epoch;
    const otherChain = { ...domain, chainId: 'xstate.stop' };
    const otherGenesis = { ...domain, genesisHash: digestOf(utf8('another')) };
    const refused = await Promise.all([
      attacker.attempt(0, 'stranger', { chain: otherChain }),
      attacker.attempt(0, 'stranger', { chain: otherGenesis }),
    ]);
    expect(refused.map((outcome) => outcome.outcome === 'failed' && outcome.reason)).toEqual([
      'WRONG_CHAIN',
      'WRONG_GENESIS',
    ]);
  });

  it('end without a certificate, without TLS 1.3, and with headers above 4 KB (TP-1, TP-3)', async () => {
    const port = attacker.peerPort(0);
    const upgrade = `GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n`;
    const answers = await Promise.all([
      answerTo(connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }), `${upgrade}\r\n`),
      answerTo(
        connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' }),
        upgrade,
      ),
      answerTo(
        connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }),
        `${upgrade}x: ${'x'.repeat(8_192)}\r\n\r\n`,
      ),
      answerTo(connectPlain({ host: '127.0.0.1', port }), `${upgrade}\r\n`),
    ]);
    expect(answers[0]).toContain('WRONG_CERTIFICATE');
    expect(answers.slice(1).every((answer) => !answer.includes('101'))).toBe(true);
  });

  it('with a true key claim no more than the key gives: a stranger who calls itself a validator is none (TP-9)', async () => {
    const line = await attacker.connect(1, 'stranger', { role: 'validator', moniker: 'xstate.error' });
    lines.push(line);
    await line.flood(VOTES_OF_A_STRANGER_MAX + 200, () => bytesOf({ kind: 'Vote', vote: voteIn(9) }));
    expect(await line.ended()).toBe('BANNED');
  });
});

describe('a validator that lies', () => {
  it('is banned for 50,000 votes for a round a million ahead, and memory stays flat (CS-13, TP-5, TP-6)', async () => {
    const line = await open(0);
    const present = await metric(0, 'cometbft_consensus_rounds');
    const votes = Array.from({ length: 256 }, (_, index) =>
      bytesOf({ kind: 'Vote', vote: voteIn(present + 1_000_000 + index) }),
    );
    const before = await heapOf(0);
    const sent = await line.flood(50_000, (index) => votes[index % votes.length] ?? new Uint8Array());
    expect(await line.ended()).toBe('BANNED');
    expect(sent).toBeGreaterThan(1_000);
    expect((await heapOf(0)) - before).toBeLessThan(32 * MIB);
    const again = await attacker.attempt(0, 'validator');
    expect(again).toMatchObject({ outcome: 'failed', reason: 'BANNED' });
    await expectProgress();
  }, 60_000);

  it('may replay what it heard, re-send batches and acknowledge the unknown without effect', async () => {
    const line = await open(1);
    const heard = await eventually('some messages were heard', 10_000, () =>
      line.received.length > 6 ? [...line.received] : undefined,
    );
    const replayed = heard.filter(isBlameless);
    expect(replayed.length).toBeGreaterThan(0);
    for (let again = 0; again < 20; again += 1) for (const message of replayed) line.say(message);
    const batch = garbageBatch(4_096);
    for (let again = 0; again < 20; again += 1) line.say({ kind: 'Batch', bytes: batch });
    for (let ack = 0; ack < 200; ack += 1) {
      const digests = Array.from(
        { length: 512 },
        (_, index) => anId(ack * 512 + index) as string as BatchDigest,
      );
      line.say({ kind: 'BatchAck', digests });
      line.say({ kind: 'GetBatch', digests });
    }
    await expectProgress();
    expect(line.isOpen).toBe(true);
  }, 60_000);

  it('is banned for a few forged certificates, in whatever message they stand (CS-13, TP-6)', async () => {
    const line = await open(1);
    const { epoch, signer } = attacker;
    const far = 4_000_003;
    line.say({ kind: 'QC', qc: forgedQC(far) });
    line.say({ kind: 'QC', qc: forgedQC(far + 1) });
    const leader = epoch.set.validators[(far + 2) % 4]?.address ?? signer.address;
    line.say({
      kind: 'NewView',
      epoch: epoch.epoch,
      height: height(1),
      round: round(far + 2),
      leader,
      tc: forgedTC(far + 1),
    });
    expect(await line.ended()).toBe('BANNED');
    await expectProgress();
  }, 30_000);

  it('is banned for malformed batches, and for another validator’s votes (MP-5, TP-6)', async () => {
    const line = await open(2);
    for (let sent = 0; sent < 10; sent += 1)
      line.say({ kind: 'Batch', bytes: new Uint8Array(1_000).fill(sent) });
    line.say({ kind: 'Vote', vote: { ...voteIn(7), validator: attacker.idOf(0) } });
    expect(await line.ended()).toBe('BANNED');
    await expectProgress();
  }, 30_000);
});

describe('floods of connections', () => {
  it('of 150 half-open ones on each port starve nobody: RPC answers, a restarted validator finds its way (TP-2)', async () => {
    const [first = 0] = HONEST;
    const rpcPort = attacker.peerPort(first) + 1;
    for (let index = 0; index < 150; index += 1) {
      const mute = connectPlain({ host: '127.0.0.1', port: attacker.peerPort(first) });
      const slow = connectPlain({ host: '127.0.0.1', port: rpcPort });
      for (const socket of [mute, slow]) socket.on('error', () => undefined);
      slow.write('POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{');
      sockets.push(mute, slow);
    }
    await validators.kill(2);
    validators.start(2);
    await eventually('validator 2 is back', 20_000, async () =>
      (await validators.network.height(2)) !== undefined ? true : undefined,
    );
    await expectProgress();
  }, 60_000);

  it('that come and go 150 times leave no connection behind (TP-2)', async () => {
    const peersBefore = await metric(1, 'cometbft_p2p_peers');
    for (let index = 0; index < 150; index += 10) {
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => attacker.attempt(1, 'stranger')));
      for (const outcome of outcomes) if (outcome.outcome === 'proven') outcome.proven.ws.terminate();
    }
    await eventually('the churn is forgotten', 10_000, async () =>
      (await metric(1, 'cometbft_p2p_peers')) <= peersBefore ? true : undefined,
    );
    await expectProgress();
  }, 60_000);
});

describe('RPC that lies', () => {
  it('gets answers and changes nothing: forged runtime events, nested JSON, bodies above the cap (RT-16)', async () => {
    const url = `http://${validators.network.rpcOf(0)}/`;
    const bodies = [
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'xstate.stop', params: { type: 'xstate.stop' } }),
      JSON.stringify({ jsonrpc: '2.0', id: 'xstate.error', method: 'status', params: { type: 'cell.stop' } }),
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: '__proto__', params: ['*'] }),
      JSON.stringify({ type: 'xstate.stop' }),
      `${'['.repeat(400_000)}${']'.repeat(400_000)}`,
      `{"jsonrpc":"2.0","id":1,"method":"status","params":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
      'x'.repeat(4 * MIB),
    ];
    for (const body of bodies) {
      const answer = await fetch(url, { method: 'POST', body }).then(
        (response) => response.status,
        () => 0,
      );
      expect([0, 200, 204, 400, 413, 429]).toContain(answer);
    }
    await expectProgress();
  }, 30_000);
});

describe('after all attacks', () => {
  it(`no validator crashed, and each heap grew by less than ${HEAP_GROWTH_MAX / MIB} MiB`, async () => {
    const heaps = await Promise.all(HONEST.map(heapOf));
    for (const index of HONEST) {
      expect(validators.runs(index)).toBe(true);
      expect((heaps[index] ?? 0) - (heapBefore[index] ?? 0)).toBeLessThan(HEAP_GROWTH_MAX);
    }
    expect(validators.stderr).not.toMatch(/crash|Unhandled|Error:/);
  });
});

/** What may be repeated by another than its sender without being a lie: votes and timeouts name their sender. */
const isBlameless = (message: WireMessage): message is Exclude<WireMessage, ProposalMessage> =>
  message.kind === 'QC' ||
  message.kind === 'NewView' ||
  message.kind === 'Batch' ||
  message.kind === 'BatchAck';

/** A well-formed batch of Mallory's whose transactions are two bytes of nothing each. */
function garbageBatch(count: number): Uint8Array {
  return encodeBatch({
    author: attacker.signer.address,
    sequence: 1,
    expiresAtHeight: height(500),
    transactions: Array.from({ length: count }, (_, index) => Uint8Array.of(index & 255, index >> 8)),
  });
}

/** What comes back before the other side hangs up. */
function answerTo(socket: Socket, request: string): Promise<string> {
  sockets.push(socket);
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
    socket.on('connect', () => socket.write(request));
    void sleep(8_000).then(() => socket.destroy());
  });
}
