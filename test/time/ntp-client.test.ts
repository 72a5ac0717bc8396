import { isIPv4 } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { NtpReply } from '../../src/protocol/ports/time.ts';
import type { NtpAnswer, NtpRefusal } from '../../src/protocol/time/ntp-packet.ts';
import type { Lookup } from '../../src/time/name-cache.ts';
import { QUESTIONS_MAX } from '../../src/time/ntp-client.ts';
import {
  type AnswerFields,
  answerTo,
  type LoopbackServer,
  loopbackServer,
  pause,
  type Script,
  startClient,
  type TestClient,
} from './support/ntp-client.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

async function client(options: { readonly lookup?: Lookup } = {}): Promise<TestClient> {
  const started = await startClient(options);
  cleanups.push(() => started.stop());
  return started;
}

async function serving(script: Script, host?: string): Promise<LoopbackServer> {
  const server = await loopbackServer(script, host);
  cleanups.push(() => server.stop());
  return server;
}

const right: Script = (question, send) => send(answerTo(question));
const answering =
  (changed: Partial<AnswerFields>): Script =>
  (question, send) =>
    send(answerTo(question, changed));

function answered(reply: NtpReply): Extract<NtpReply, { type: 'ntp.answered' }> {
  if (reply.type !== 'ntp.answered') throw new Error(JSON.stringify(reply));
  return reply;
}

function refusal(reply: NtpReply): NtpRefusal {
  const { answer } = answered(reply);
  if (!('code' in answer)) throw new Error(`not refused: ${JSON.stringify(answer)}`);
  return answer;
}

function time(reply: NtpReply): NtpAnswer {
  const { answer } = answered(reply);
  if ('code' in answer) throw new Error(JSON.stringify(answer));
  return answer;
}

const wallNow = (): number => performance.timeOrigin + performance.now();

describe('a question to an NTP server (TM-3)', () => {
  it('brings the four timestamps home: two of the server, two of the monotonic clock around them (TM-1)', async () => {
    const { server } = await serving(answering({ received: 1_800_000_000_123, replied: 1_800_000_000_125 }));
    const asking = await client();
    const before = performance.now();
    const reply = await asking.ask(server);
    const after = performance.now();
    const { sentAt, arrivedAt } = answered(reply);
    expect([before, sentAt, arrivedAt, after]).toEqual(
      [before, sentAt, arrivedAt, after].sort((left, right) => left - right),
    );
    const { receivedAt, repliedAt, stratum } = time(reply);
    expect(receivedAt).toBeCloseTo(1_800_000_000_123, 2);
    expect(repliedAt).toBeCloseTo(1_800_000_000_125, 2);
    expect(stratum).toBe(1);
    expect(reply).toMatchObject({ server, requestId: 1 });
  });

  it('notes when the answer came, not when the question was due: a slow server is no far one', async () => {
    const { server } = await serving((question, send) => {
      setTimeout(() => send(answerTo(question)), 120);
    });
    const { sentAt, arrivedAt } = answered(await (await client()).ask(server));
    expect(arrivedAt - sentAt).toBeGreaterThanOrEqual(115);
    expect(arrivedAt - sentAt).toBeLessThan(2_000);
  });

  it('tells nothing but a fresh secret, from a fresh port each time (RFC 9109)', async () => {
    const server = await serving(right);
    const asking = await client();
    for (let index = 0; index < 12; index += 1) time(await asking.ask(server.server));
    expect(server.questions.map((question) => question.byteLength)).toEqual(Array(12).fill(48));
    expect(new Set(server.questions.map((question) => question.toString('hex', 0, 40)))).toEqual(
      new Set([`23${'0'.repeat(78)}`]),
    );
    expect(new Set(server.questions.map((question) => question.toString('hex', 40)))).toHaveLength(12);
    // Of 28,000 ports: two alike by chance are possible, one in a row is not.
    expect(new Set(server.ports).size).toBeGreaterThanOrEqual(10);
  });

  it('asks over IPv6 as well', async () => {
    const { server } = await serving(right, '::1');
    expect(Math.abs(time(await (await client()).ask(server)).repliedAt - wallNow())).toBeLessThan(2_000);
  });

  it('sends exactly one reply, although the server answers three times', async () => {
    const { server } = await serving((question, send) => {
      for (let copy = 0; copy < 3; copy += 1) send(answerTo(question));
    });
    const asking = await client();
    time(await asking.ask(server));
    await pause(50);
    expect(asking.replies).toHaveLength(1);
  });

  it('keeps questions of the same id apart, and one server from another', async () => {
    const [early, late] = await Promise.all([
      serving(answering({ reference: 'EARL' })),
      serving((question, send) => {
        setTimeout(() => send(answerTo(question, { reference: 'LATE' })), 60);
      }),
    ]);
    const asking = await client();
    const ids = [late.server, early.server, late.server].map((server) => asking.tell(server));
    const replies = await Promise.all(ids.map((id) => asking.replyTo(id)));
    expect(replies.map((reply) => [reply.server, time(reply).reference])).toEqual([
      [late.server, 'LATE'],
      [early.server, 'EARL'],
      [late.server, 'LATE'],
    ]);
  });
});

describe('what is no answer does not end the question (TM-3)', () => {
  const forged: Readonly<Record<string, (question: Buffer) => Uint8Array>> = {
    'a spoofed answer with another secret': (question) =>
      answerTo(question, { originate: Buffer.alloc(8, 7), received: 0, replied: 0 }),
    'a spoofed kiss with another secret': (question) =>
      answerTo(question, { originate: Buffer.alloc(8), stratum: 0, reference: 'DENY' }),
    'a short packet with the right secret': (question) => answerTo(question).subarray(0, 47),
    'an empty datagram': () => new Uint8Array(0),
    'our own question, reflected': (question) => question,
    'a packet of another mode': (question) => answerTo(question, { mode: 5 }),
    'a datagram of 65,507 bytes': () => new Uint8Array(65_507).fill(0xa5),
  };

  it.each(Object.entries(forged))('%s: the right answer after it still counts', async (_name, forge) => {
    const { server } = await serving((question, send) => {
      send(forge(question));
      setTimeout(() => send(answerTo(question, { reference: 'REAL' })), 20);
    });
    const asking = await client();
    expect(time(await asking.ask(server)).reference).toBe('REAL');
    expect(asking.replies).toHaveLength(1);
  });

  it('says after a timeout what came instead', async () => {
    const { server } = await serving((question, send) => {
      send(question.subarray(0, 10));
      setTimeout(() => send(answerTo(question, { originate: Buffer.alloc(8) })), 10);
    });
    expect(await (await client()).ask(server, 150)).toEqual({
      type: 'ntp.failed',
      server,
      requestId: 1,
      code: 'TIMEOUT',
      detail: 'no answer in 150 ms; 2 datagrams ignored, the last: ORIGIN_MISMATCH',
    });
  });

  it('does not take the answer to an earlier question', async () => {
    let earlier: Buffer | undefined;
    const { server } = await serving((question, send) => {
      send(earlier ?? answerTo(question));
      earlier = answerTo(question);
    });
    const asking = await client();
    time(await asking.ask(server));
    expect(await asking.ask(server, 150)).toMatchObject({ type: 'ntp.failed', code: 'TIMEOUT' });
  });

  it('bears 1,000 datagrams of garbage, and finds the answer among them', async () => {
    const { server } = await serving((question, send) => {
      const flood = (left: number): void => {
        for (let index = 0; index < 50; index += 1) send(garbage(left + index));
        if (left > 50) setTimeout(flood, 2, left - 50);
        else setTimeout(() => send(answerTo(question, { reference: 'REAL' })), 30);
      };
      flood(1_000);
    });
    const asking = await client();
    expect(time(await asking.ask(server)).reference).toBe('REAL');
    expect(asking.replies).toHaveLength(1);
  });

  it('hears nobody but the server: right bytes from another address do not arrive', async () => {
    const stranger = await serving(() => undefined);
    const silent = await loopbackServer((question) => {
      const from = silent.ports.at(-1) ?? 0;
      stranger.socket.send(answerTo(question), from, '127.0.0.1');
    });
    cleanups.push(() => silent.stop());
    expect(stranger.port).not.toBe(silent.port);
    expect(await (await client()).ask(silent.server, 200)).toMatchObject({
      code: 'TIMEOUT',
      detail: 'no answer in 200 ms',
    });
  });
});

/** Any length from 0 to 299, any bytes, the same each time. */
function garbage(seed: number): Uint8Array {
  return Uint8Array.from({ length: (seed * 7) % 300 }, (_, index) => (seed * 31 + index * 17) & 0xff);
}

describe('answers that give no time are handed on as they are (TM-3)', () => {
  it.each(['DENY', 'RSTR', 'RATE'])('the kiss %s with our secret', async (kiss) => {
    const { server } = await serving(answering({ leap: 3, stratum: 0, reference: kiss }));
    expect(refusal(await (await client()).ask(server))).toEqual({ code: 'KISS', kiss });
  });

  it.each([
    ['a server that is not synchronised', { leap: 3, stratum: 2 }, 'UNSYNCHRONISED'],
    ['a stratum of 16', { stratum: 16 }, 'UNSYNCHRONISED'],
    ['an answer sent an hour before it was asked', { replied: 1_700_000_000_000 }, 'ABSURD'],
  ])('%s', async (_name, changed, code) => {
    const { server } = await serving(answering(changed));
    const asking = await client();
    expect(refusal(await asking.ask(server)).code).toBe(code);
    expect(asking.replies).toHaveLength(1);
  });

  it('times of another year are no business of the client: selection judges them', async () => {
    const year2090 = 3_786_912_000_000;
    const { server } = await serving(answering({ received: year2090, replied: year2090 }));
    expect(time(await (await client()).ask(server)).repliedAt).toBeCloseTo(year2090, 2);
  });
});

describe('questions that fail (TM-3)', () => {
  it('a server that is silent: TIMEOUT, when the time is up and not before', async () => {
    const { server } = await serving(() => undefined);
    const asking = await client();
    const before = performance.now();
    expect(await asking.ask(server, 200)).toMatchObject({ code: 'TIMEOUT', detail: 'no answer in 200 ms' });
    expect(performance.now() - before).toBeGreaterThanOrEqual(199);
  });

  it('an answer after the timeout changes nothing', async () => {
    const { server } = await serving((question, send) => {
      setTimeout(() => send(answerTo(question)), 120);
    });
    const asking = await client();
    expect(await asking.ask(server, 50)).toMatchObject({ code: 'TIMEOUT' });
    await pause(150);
    expect(asking.replies).toHaveLength(1);
  });

  it('a port that nobody listens on: UNREACHABLE at once, by the word of its machine', async () => {
    const { server, stop } = await loopbackServer(() => undefined);
    await stop();
    const asking = await client();
    const reply = await asking.ask(server, 60_000);
    expect(reply).toMatchObject({ type: 'ntp.failed', server, code: 'UNREACHABLE' });
    expect(reply).toHaveProperty('detail', expect.stringContaining('ECONNREFUSED'));
  });

  it('a name that does not exist: UNRESOLVED, with the code of the resolver', async () => {
    const reply = await (await client()).ask('time.invalid', 60_000);
    expect(reply).toMatchObject({ type: 'ntp.failed', server: 'time.invalid', code: 'UNRESOLVED' });
    expect(reply).toHaveProperty('detail', expect.stringMatching(/ENOTFOUND|EAI_AGAIN/));
  });

  it('a resolver that does not answer: UNRESOLVED when the time is up, and its answer comes too late', async () => {
    const server = await serving(right);
    const found: ((address: { address: string; family: number }) => void)[] = [];
    const asking = await client({ lookup: () => new Promise((resolve) => found.push(resolve)) });
    const reply = await asking.ask(`slow.example:${server.port}`, 100);
    expect(reply).toMatchObject({ code: 'UNRESOLVED', detail: 'the resolver did not answer in 100 ms' });
    for (const resolve of found) resolve({ address: '127.0.0.1', family: 4 });
    await pause(50);
    expect(server.questions).toEqual([]);
    expect(asking.replies).toHaveLength(1);
  });

  it('a text that names no server: UNRESOLVED, and nobody is asked', async () => {
    const lookups: string[] = [];
    const asking = await client({
      lookup(host) {
        lookups.push(host);
        return Promise.reject(new Error('no'));
      },
    });
    expect(await asking.ask('host:port')).toMatchObject({ code: 'UNRESOLVED', server: 'host:port' });
    expect(lookups).toEqual([]);
  });

  it('the 17th question at once: UNREACHABLE, and there is room again when one has ended', async () => {
    const { server } = await serving(() => undefined);
    const good = await serving(right);
    const asking = await client();
    for (let index = 0; index < QUESTIONS_MAX; index += 1) asking.tell(server, 200);
    expect(await asking.ask(good.server)).toMatchObject({
      code: 'UNREACHABLE',
      detail: 'too many questions: 16 are open already',
    });
    expect(asking.replies).toHaveLength(1);
    await asking.replyTo(QUESTIONS_MAX);
    time(await asking.ask(good.server));
    expect(
      asking.replies.filter((reply) => reply.type === 'ntp.failed' && reply.code === 'TIMEOUT'),
    ).toHaveLength(QUESTIONS_MAX);
  });
});

describe('names are looked up anew when their address fails, else once an hour (TM-3)', () => {
  /** Counts lookups; every name is this machine. */
  function counting(address = '127.0.0.1') {
    const lookups: string[] = [];
    const lookup: Lookup = async (host) => {
      lookups.push(host);
      return { address, family: isIPv4(address) ? 4 : 6 };
    };
    return { lookups, lookup };
  }

  it('one lookup for questions that are answered', async () => {
    const { port } = await serving(right);
    const { lookups, lookup } = counting();
    const asking = await client({ lookup });
    for (let index = 0; index < 3; index += 1) time(await asking.ask(`time.example:${port}`));
    expect(lookups).toEqual(['time.example']);
  });

  it('another lookup after a timeout', async () => {
    const { port } = await serving(() => undefined);
    const { lookups, lookup } = counting();
    const asking = await client({ lookup });
    for (let index = 0; index < 3; index += 1) await asking.ask(`time.example:${port}`, 30);
    expect(lookups).toHaveLength(3);
  });

  it('another lookup after a refusal by the network', async () => {
    const { port, stop } = await loopbackServer(() => undefined);
    await stop();
    const { lookups, lookup } = counting();
    const asking = await client({ lookup });
    for (let index = 0; index < 2; index += 1) await asking.ask(`time.example:${port}`);
    expect(lookups).toHaveLength(2);
  });
});

describe('the end of the client', () => {
  const sockets = (): number =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'UDPWrap').length;

  it('leaves no socket, no timer and no reply behind when it is stopped in the middle', async () => {
    const silent = await serving((question, send) => {
      setTimeout(() => send(answerTo(question)), 500);
    });
    const asking = await startClient();
    await pause(20);
    const before = sockets();
    for (let index = 0; index < 8; index += 1) asking.tell(silent.server, 60_000);
    while (silent.questions.length < 8) await pause(2);
    expect([sockets(), asking.timers()]).toEqual([before + 8, 8]);
    await asking.stop();
    await pause(20);
    expect([sockets(), asking.timers()]).toEqual([before, 0]);
    await pause(550);
    expect(asking.replies).toEqual([]);
  });

  it('opens no socket for a name that is found after the stop', async () => {
    const { port, questions } = await serving(right);
    const found: ((address: { address: string; family: number }) => void)[] = [];
    const asking = await startClient({ lookup: () => new Promise((resolve) => found.push(resolve)) });
    asking.tell(`slow.example:${port}`);
    while (found.length === 0) await pause(2);
    await asking.stop();
    for (const resolve of found) resolve({ address: '127.0.0.1', family: 4 });
    await pause(50);
    expect(questions).toEqual([]);
  });

  it('keeps no socket and no timer after each kind of end', async () => {
    const [good, silent] = await Promise.all([serving(right), serving(() => undefined)]);
    const asking = await client();
    await pause(20);
    const before = sockets();
    time(await asking.ask(good.server));
    await asking.ask(silent.server, 30);
    await asking.ask('127.0.0.1:1', 60_000);
    await asking.ask('time.invalid', 60_000);
    await pause(20);
    expect([sockets(), asking.timers()]).toEqual([before, 0]);
  });
});
