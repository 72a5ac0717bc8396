/** What a node makes of an application that answers nonsense, dies or stands still: a sentence, never a crash. Rules AP-2 to AP-6. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Frame, Packable } from '../../../src/application/socket/frames.ts';
import { remoteApplication } from '../../../src/application/socket/remote.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import type { Application } from '../../../src/protocol/ports/application.ts';
import {
  blockOf,
  CHAIN,
  GREETING,
  Ground,
  greetingFirst,
  HASH,
  type RawPeer,
  rawApplication,
} from './rig.ts';

const ground = new Ground();
afterEach(() => ground.settle());
afterAll(() => ground.remove());

const INFO: Packable = ['odd', '1', 0, HASH, false];

async function facing(onFrame: (frame: Frame, peer: RawPeer) => void): Promise<Application> {
  const address = await rawApplication(ground, greetingFirst(onFrame));
  const application = await remoteApplication({ address, chainId: CHAIN });
  ground.finally(() => application.close?.());
  return application;
}

/** Greets with these bytes, or this body; what the opening says. */
const greetedWith = async (greet: (peer: RawPeer) => void): Promise<unknown> => {
  const address = await rawApplication(ground, (_frame, peer) => greet(peer));
  return remoteApplication({ address, chainId: CHAIN }).catch((error: Error) => error.message);
};

/** The words of a call that fails. */
const failureOf = (answer: unknown): Promise<string> =>
  Promise.resolve(answer).then(
    () => 'it was answered',
    (error: Error) => error.message,
  );

const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

describe('a greeting that is none (AP-5)', () => {
  it.each<[string, Packable, RegExp]>([
    [
      'an older version, whose blocks have fewer fields',
      ['althing-application', 1, []],
      /an application of version 1 greets; this is version 2: run releases that share one/,
    ],
    ['another protocol', ['HTTP', 1, []], /the greeting begins with "HTTP", not "althing-application"/],
    ['too few fields', ['althing-application', 2], /the greeting: 3 values are needed at byte \d+, not 2/],
    ['a number', 7, /the greeting: a list is needed at byte 3, where 0x07 begins something else/],
    [
      'more methods than there are bytes',
      ['althing-application', 2, Array(17).fill('m')],
      /methods: 17 values are announced/,
    ],
  ])('is refused with words: %s', async (_name, body, words) => {
    expect(await greetedWith((peer) => peer.send('greeting', 0, body))).toMatch(words);
  });

  it('is no answer: refused; a refusal is told on; silence and an end too', async () => {
    expect(await greetedWith((peer) => peer.send('answer', 1, INFO))).toMatch(
      /its first frame is of kind answer, not a greeting/,
    );
    expect(await greetedWith((peer) => peer.send('refusal', 0, 'full house'))).toMatch(
      /: it refuses this node: full house$/,
    );
    expect(await greetedWith((peer) => peer.socket.end())).toMatch(
      /: the other side has closed the connection$/,
    );
  });

  it('may not be large: 5,000 bytes before it, 100 MB after it are refused where they are announced (AP-2)', async () => {
    expect(await greetedWith((peer) => peer.write(u32(5_000)))).toMatch(
      /a frame of 5000 bytes is announced; here one has 1 to 4096/,
    );
    const far = await facing((_frame, peer) => peer.write(u32(100_000_000), new Uint8Array(10)));
    await expect(far.info()).rejects.toThrow(
      /a frame of 100000000 bytes is announced; here one has 1 to 67108864/,
    );
  });
});

describe('an answer that is none (AP-3, AP-4)', () => {
  const answering = async (body: Packable): Promise<unknown> => {
    const far = await facing(({ kind, id }, peer) => peer.send('answer', id, kind === 'info' ? body : INFO));
    return failureOf(far.info());
  };

  it.each<[string, Packable, RegExp]>([
    [
      'a hash of 31 bytes',
      ['odd', '1', 0, HASH.subarray(1), false],
      /nonsense for info: appHash: 31 bytes at byte \d+, 32 are needed/,
    ],
    ['a hash in letters', ['odd', '1', 0, 'ab'.repeat(32), false], /appHash: bytes is needed|appHash: bytes/],
    [
      'a height below 0',
      ['odd', '1', -1, HASH, false],
      /height: -1 at byte \d+ is not a whole number from 0/,
    ],
    ['a height beyond all', ['odd', '1', 2n ** 53n, HASH, false], /height: 9007199254740992 at byte/],
    [
      'a height with a fraction',
      ['odd', '1', 1.5, HASH, false],
      /height: a whole number is needed at byte \d+, where 0xcb/,
    ],
    ['a field too many', ['odd', '1', 0, HASH, false, 1], /info: 5 values are needed at byte 3, not 6/],
    ['nil', null, /info: a list is needed/],
    ['lists in lists', nested(1_000), /info: 5 values are needed|name: a text is needed/],
  ])('fails its call alone, with field and place: %s', async (_name, body, words) => {
    expect(await answering(body)).toMatch(words);
  });

  it('leaves the other calls alone', async () => {
    const far = await facing(({ kind, id }, peer) => peer.send('answer', id, kind === 'info' ? INFO : [1]));
    await expect(far.checkTx(utf8('a'))).rejects.toThrow(
      'nonsense for checkTx: checkTx: 5 values are needed at byte 3, not 1',
    );
    expect((await far.info()).name).toBe('odd');
  });

  it('takes no memory for what is only announced: a list of 2^32, lists 100,000 deep', async () => {
    const bomb = (...bytes: readonly number[]) =>
      facing((_frame, peer) => peer.write(u32(3 + bytes.length), Uint8Array.of(0x93, 48, 1, ...bytes)));
    await expect((await bomb(0xdd, 0xff, 0xff, 0xff, 0xff)).info()).rejects.toThrow(
      'info: 4294967295 values are announced at byte 3',
    );
    await expect((await bomb(...Array<number>(100_000).fill(0x91), 0xc0)).info()).rejects.toThrow(
      'info: 5 values are needed at byte 3, not 1',
    );
    await expect((await bomb(0x95, 0xdb, 0x7f, 0xff, 0xff, 0xff)).info()).rejects.toThrow(
      'name: the frame ends within it',
    );
  });

  it.each<[string, (id: number, peer: RawPeer) => void, RegExp]>([
    [
      'an answer to nobody',
      (id, peer) => peer.send('answer', id + 7, INFO),
      /answer of request 8, which is answered already or was never asked/,
    ],
    ['results of no block', (id, peer) => peer.send('results', id, []), /results is no answer to info/],
    [
      'a wish for chunks of no snapshot',
      (id, peer) => peer.send('chunkWanted', id),
      /chunkWanted is no answer to info/,
    ],
    [
      'a kind that there is not',
      (_id, peer) => peer.write(u32(4), Uint8Array.of(0x93, 99, 1, 0xc0)),
      /there is no kind 99 of frames/,
    ],
    [
      'no frame at all',
      (_id, peer) => peer.write(u32(4), Uint8Array.of(0xc1, 1, 2, 3)),
      /the frame: a list is needed at byte 0, where 0xc1/,
    ],
    ['an empty frame', (_id, peer) => peer.write(u32(0)), /a frame of 0 bytes is announced/],
  ])('ends the connection where nobody knows whose it is: %s', async (_name, act, words) => {
    const far = await facing(({ kind, id }, peer) => (kind === 'refusal' ? undefined : act(id, peer)));
    await expect(far.info()).rejects.toThrow(words);
    await expect(far.info()).rejects.toThrow(words);
  });

  it('ends the connection at the second of two answers', async () => {
    const far = await facing(({ kind, id }, peer) => {
      if (kind !== 'info') return;
      peer.send('answer', id, INFO);
      peer.send('answer', id, INFO);
    });
    expect((await far.info()).name).toBe('odd');
    await expect(far.info()).rejects.toThrow('answer of request 1, which is answered already');
  });

  it('counts results against transactions, and says which field of a result is wrong', async () => {
    const result: Packable = [0, new Uint8Array(), '', '', 0, 0, []];
    const giving = (...results: readonly Packable[]) =>
      facing(({ kind, id }, peer) => {
        if (kind === 'transactions') peer.send('results', id, results);
        if (kind === 'transactions') peer.send('answer', id, [[], [], HASH]);
      });
    const block = blockOf(4, [utf8('a')]);
    expect((await (await giving(result)).finalizeBlock(block)).results).toHaveLength(1);
    await expect((await giving(result, result)).finalizeBlock(block)).rejects.toThrow(
      '2 results for 1 transactions',
    );
    await expect((await giving([0, 'text', '', '', 0, 0, []])).finalizeBlock(block)).rejects.toThrow(
      /data: bytes/,
    );
    await expect(
      (await giving([0, new Uint8Array(), '', '', 0, 0, [['type', [['k', 'v']]]]])).finalizeBlock(block),
    ).rejects.toThrow('attribute: 3 values are needed');
  });

  it('is taken for 128 MiB of a block at the most: the connection ends, whatever more comes', async () => {
    const result: Packable = [0, new Uint8Array(50 * 1_048_576), '', '', 0, 0, []];
    const far = await facing(({ kind, id }, peer) => {
      if (kind !== 'transactions') return;
      for (let count = 0; count < 3; count += 1) peer.send('results', id, [result]);
    });
    const block = blockOf(4, ['a', 'b', 'c', 'd'].map(utf8));
    await expect(far.finalizeBlock(block)).rejects.toThrow(
      'results of more than 134217728 bytes for height 4',
    );
  });

  it('takes no memory for a million events of three bytes each', async () => {
    const events: Packable = Array.from({ length: 400_000 }, () => ['', []]);
    const far = await facing(({ kind, id }, peer) => {
      if (kind === 'transactions') peer.send('results', id, [[0, new Uint8Array(), '', '', 0, 0, events]]);
    });
    await expect(far.finalizeBlock(blockOf(4, [utf8('a')]))).rejects.toThrow(
      /at byte \d+ the frame has more than 1048576 values in lists/,
    );
  });

  it('has few words: of a failure or a refusal that is a book the first 4,096 letters are told', async () => {
    const book = 'x'.repeat(5_000_000);
    const failing = await facing(({ kind, id }, peer) =>
      kind === 'info' ? peer.send('failure', id, book) : undefined,
    );
    expect((await failureOf(failing.info())).length).toBe(4_096);
    const refusing = await facing(({ kind }, peer) =>
      kind === 'info' ? peer.send('refusal', 0, book) : undefined,
    );
    expect((await failureOf(refusing.info())).length).toBeLessThan(5_000);
  });

  it('waits for half a frame, of a block too, only as long as the connection lasts', async () => {
    const far = await facing(({ kind, id }, peer) => {
      if (kind !== 'transactions') return;
      peer.write(u32(1_000), Uint8Array.of(0x93, 50, id, 0x91));
      setImmediate(() => peer.socket.end());
    });
    await expect(far.finalizeBlock(blockOf(4, [utf8('a')]))).rejects.toThrow(
      /: the other side has closed the connection$/,
    );
  });

  it('never crashes and never hangs, whatever bytes come (seeded)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, isFramed) => {
        const far = await facing(({ kind }, peer) => {
          if (kind !== 'info') return;
          if (isFramed) peer.write(u32(bytes.length + 3), Uint8Array.of(0x93, 48, 1), bytes);
          else peer.write(bytes);
          peer.socket.end();
        });
        await expect(far.info()).rejects.toThrow(/^unix:/);
        await far.close?.();
        await ground.settle();
      }),
      { numRuns: 150 },
    );
  });
});

describe('an application that dies or stands still', () => {
  it('rejects all in flight when it dies within a block, and whatever comes then', async () => {
    const far = await facing(({ kind }, peer) =>
      kind === 'transactions' ? peer.socket.destroy() : undefined,
    );
    const [check, block] = [far.checkTx(utf8('a')), far.finalizeBlock(blockOf(1, [utf8('b')]))];
    await expect(check).rejects.toThrow(
      /^unix:.*: the (other side has closed the connection|connection is lost)/,
    );
    await expect(block).rejects.toThrow(/^unix:/);
    await expect(far.query('', utf8('a'))).rejects.toThrow(/^unix:/);
  });

  it('reads a frame that comes byte by byte', async () => {
    const far = await facing(({ id }, peer) => {
      const frame = Uint8Array.of(0x93, 49, id, 0xa4, ...utf8('slow'));
      const bytes = [...u32(frame.length), ...frame];
      const next = () => {
        const byte = bytes.shift();
        if (byte === undefined) return;
        peer.write(Uint8Array.of(byte));
        setImmediate(next);
      };
      next();
    });
    await expect(far.info()).rejects.toThrow(/^slow$/);
  });

  it('rejects checks when it reads nothing, before their bytes pile up (AP-6)', async () => {
    const far = await facing((_frame, peer) => peer.socket.pause());
    const info = failureOf(far.info());
    const large = new Uint8Array(16 * 1_048_576);
    const checks = Array.from({ length: 8 }, () => failureOf(far.checkTx(large)));
    expect(await checks.at(-1)).toMatch(
      /it has not read \d+ bytes that wait for it, at most 67108864 may \(AP-6\)/,
    );
    await far.close?.();
    expect(await info).toMatch(/the node has closed it$/);
  });

  it('rejects more requests than it may have open (AP-6)', async () => {
    const full = 'it has 65536 requests to answer, more are not sent (AP-6)';
    const kinds = new Map<string, number>();
    const received = Promise.withResolvers<void>();
    const far = await facing(({ kind }) => {
      const count = (kinds.get(kind) ?? 0) + 1;
      kinds.set(kind, count);
      if (kind === 'info' && count === 65_536) setTimeout(received.resolve, 50);
    });
    const open = Array.from({ length: 65_536 }, () => failureOf(far.info()));
    await expect(far.info()).rejects.toThrow(full);
    await expect(far.finalizeBlock(blockOf(1, [utf8('one')]))).rejects.toThrow(full);
    await received.promise;
    // Nor are the transactions of a block, which would be those of another request.
    expect([...kinds.keys()].filter((kind) => kind !== 'greeting')).toEqual(['info']);
    await far.close?.();
    expect([...new Set(await Promise.all(open))]).toEqual([expect.stringMatching(/the node has closed it$/)]);
  });

  it('leaves nothing pending once both sides are closed: their process ends by itself', () => {
    const rooms = new URL('../../../src/application/', import.meta.url).href;
    const script = `
      const { kv } = await import('${rooms}kv/rules.ts');
      const { remoteApplication } = await import('${rooms}socket/remote.ts');
      const { serveApplication } = await import('${rooms}socket/serve.ts');
      const host = await serveApplication(() => kv(), { listen: 'unix:${ground.path()}' });
      const far = await remoteApplication({ address: host.address, chainId: 'c' });
      await far.info();
      const lost = far.checkTx(new Uint8Array(1)).catch((error) => console.log(error.message));
      await far.close();
      await far.close();
      await lost;
      await host.close();
      console.log('closed');`;
    const { status, signal, stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', script],
      { encoding: 'utf8', timeout: 20_000 },
    );
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
    expect(stdout).toMatch(/the node has closed it\nclosed\n$/);
  });
});

function nested(depth: number): Packable {
  let value: Packable = GREETING;
  for (let level = 0; level < depth; level += 1) value = [value];
  return value;
}
