/** Over executed blocks in memory, told as an executor tells them: what is followed ends once, and nothing falls between. */
import { beforeEach, describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { Followers } from '../../src/node/followers.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import type { Digest, Height } from '../../src/protocol/chain/types.ts';
import type { BlockResults } from '../../src/protocol/ports/execution.ts';
import type { ExecutedTransaction } from '../../src/protocol/ports/storage.ts';
import type { Followed } from '../../src/rpc/node-port.ts';
import { heightOf } from '../rpc/sync-report.ts';

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const idOf = (text: string): Digest => digestOf(bytesOf(text));
const follow = (text: string, expiry: number) => ({ id: idOf(text), expiresAtHeight: heightOf(expiry) });

const OPEN = new AbortController().signal;
const LONG = millis(20_000);
const REACH = 20;
/** Clients, by what the RPC keys their rates with. */
const [ADA, EVE] = ['192.0.2.1', '192.0.2.2'];

function executedOf(text: string, index: number, code: number): ExecutedTransaction {
  const codespace = code >= 30 ? 'althing' : '';
  const result = { code, data: bytesOf(''), log: '', codespace, gasWanted: 0n, gasUsed: 0n, events: [] };
  return { hash: idOf(text), index, bytes: bytesOf(text), result };
}

/** Executed blocks, and a lookup that counts. */
class Chain {
  readonly #blocks = new Map<number, readonly ExecutedTransaction[]>();
  readonly #tell: (event: BlockResults) => void;
  height: number;
  lookups = 0;
  readonly followers: Followers;

  constructor(height = 0) {
    this.height = height;
    this.followers = new Followers({
      find: (hash, { above, upTo }) => this.#find(hash, above, upTo),
      hasResults: (at) => this.#blocks.has(at),
      executed: heightOf(height),
      reach: REACH,
    });
    this.#tell = (event) => this.followers.take(event);
  }

  #find(hash: Digest, above: Height, upTo: Height) {
    this.lookups += 1;
    for (let at: number = Math.min(upTo, this.height); at > above; at -= 1) {
      const executed = this.#blocks.get(at)?.find((one) => one.hash === hash && one.result.code !== 30);
      if (executed !== undefined) return { height: heightOf(at), executed };
    }
    return undefined;
  }

  /** A block that nobody is told of, as before a start. */
  store(...transactions: readonly ExecutedTransaction[]): void {
    this.height += 1;
    this.#blocks.set(this.height, transactions);
  }

  execute(...transactions: readonly ExecutedTransaction[]): void {
    this.store(...transactions);
    const event = { type: 'results.persisted', transactions, executed: { height: heightOf(this.height) } };
    // The gateway of this test: followers read these members only.
    this.#tell(event as unknown as BlockResults);
  }

  executeMany(count: number): void {
    for (let at = 0; at < count; at += 1) this.execute();
  }
}

let chain = new Chain();
beforeEach(() => {
  chain = new Chain();
});

describe('lookups (BR-2)', () => {
  const fresh = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => follow(`${name}${index}`, 10));

  it('are at most 64 in one turn of the event loop, in all calls of all clients together', async () => {
    const seen = [0];
    const look = (): void => {
      seen.push(chain.lookups);
      if (chain.lookups < 900) setImmediate(look);
    };
    setImmediate(look);
    const calls = [ADA, EVE, '192.0.2.3'].flatMap((client) =>
      [1, 2, 3].map((call) =>
        chain.followers.follow(fresh(`${client} ${call} `, 100), client, millis(0), OPEN),
      ),
    );
    await Promise.all(calls);
    await new Promise(setImmediate);
    const steps = seen.map((count, index) => count - (seen[index - 1] ?? 0));
    expect(seen.at(-1)).toBe(900);
    expect(Math.max(...steps)).toBeLessThanOrEqual(64);
  });

  it('are given to clients in turn: one operation does not wait for the thousands of another client', async () => {
    const many = Array.from({ length: 10 }, (_, call) =>
      chain.followers.follow(fresh(`eve ${call} `, 1_000), EVE, millis(0), OPEN),
    );
    await chain.followers.follow(fresh('ada', 1), ADA, millis(0), OPEN);
    expect(chain.lookups).toBeLessThanOrEqual(2 * 64);
    await Promise.all(many);
    expect(chain.lookups).toBe(10_001);
  });

  it('of a client that is gone are not done', async () => {
    const gone = new AbortController();
    const call = chain.followers.follow(fresh('eve', 1_000), EVE, millis(0), gone.signal);
    await new Promise(setImmediate);
    gone.abort();
    await call;
    expect(chain.lookups).toBeLessThan(1_000);
  });
});

describe('what is followed', () => {
  it('is answered at once where it was executed before', async () => {
    chain.execute(executedOf('a', 3, 0));
    const { height, standings } = await chain.followers.follow([follow('a', 10)], ADA, LONG, OPEN);
    expect(height).toBe(1);
    expect(standings).toMatchObject([{ status: 'committed', height: 1, index: 3, result: { code: 0 } }]);
  });

  it('wakes who waits when it is executed, and nobody else', async () => {
    const [a, b] = ['a', 'b'].map((text) => chain.followers.follow([follow(text, 10)], ADA, LONG, OPEN));
    await new Promise(setImmediate);
    chain.execute(executedOf('a', 0, 7));
    expect((await a)?.standings).toMatchObject([{ status: 'committed', height: 1, result: { code: 7 } }]);
    const late = new Promise((resolve) => setTimeout(() => resolve('waits'), 30));
    expect(await Promise.race([b, late])).toBe('waits');
    chain.execute(executedOf('b', 0, 0));
    expect((await b)?.standings).toMatchObject([{ status: 'committed', height: 2 }]);
  });

  it('is told by the first appearance, never by a duplicate with code 30 (EX-2)', async () => {
    chain.execute(executedOf('a', 0, 0));
    chain.execute(executedOf('a', 5, 30));
    const now = await chain.followers.follow([follow('a', 10)], ADA, LONG, OPEN);
    expect(now.standings).toMatchObject([{ status: 'committed', height: 1, index: 0, result: { code: 0 } }]);
    chain.execute(executedOf('a', 5, 30));
    const again = await chain.followers.follow([follow('a', 10)], ADA, LONG, OPEN);
    expect(again.standings).toMatchObject([{ status: 'committed', height: 1 }]);
  });

  it('did not commit where the application never got it: beyond its height, or too far before it (EX-7)', async () => {
    chain.execute(executedOf('early', 0, 32));
    const waiting = chain.followers.follow([follow('early', 3), follow('late', 3)], ADA, LONG, OPEN);
    await new Promise(setImmediate);
    chain.execute(executedOf('late', 0, 31));
    chain.executeMany(2);
    expect((await waiting).standings).toEqual([{ status: 'expired' }, { status: 'expired' }]);
  });

  it('expires above its height, not at it', async () => {
    const waiting = chain.followers.follow([follow('a', 3)], ADA, LONG, OPEN);
    await new Promise(setImmediate);
    chain.executeMany(3);
    const at = await chain.followers.follow([follow('a', 3)], ADA, millis(0), OPEN);
    expect(at).toMatchObject({ height: 3, standings: [{ status: 'pending' }] });
    chain.execute();
    expect(await waiting).toMatchObject({ height: 4, standings: [{ status: 'expired' }] });
  });

  it('did not commit where its bytes were executed above the expiry only', async () => {
    chain.executeMany(3);
    chain.execute(executedOf('a', 0, 0));
    const { standings } = await chain.followers.follow([follow('a', 3)], ADA, LONG, OPEN);
    expect(standings).toEqual([{ status: 'expired' }]);
  });

  it('is looked for in the store once, however often it is asked for', async () => {
    for (let poll = 0; poll < 5; poll += 1) {
      await chain.followers.follow([follow('a', 50), follow('b', 50)], ADA, millis(0), OPEN);
      chain.execute(executedOf(`other ${poll}`, 0, 0));
    }
    expect(chain.lookups).toBe(2);
  });

  it('is looked for again after blocks that were not told', async () => {
    await chain.followers.follow([follow('a', 10)], ADA, millis(0), OPEN);
    const waiting = chain.followers.follow([follow('a', 10)], ADA, LONG, OPEN);
    chain.store(executedOf('a', 0, 0));
    chain.execute();
    expect((await waiting).standings).toMatchObject([{ status: 'committed', height: 1 }]);
  });

  it('is unknown, not expired, on a node that began above the blocks that could hold it', async () => {
    const joined = new Chain(100);
    joined.executeMany(10);
    const now = await joined.followers.follow([follow('a', 105)], ADA, LONG, OPEN);
    expect(now.standings).toEqual([{ status: 'unknown' }]);
    joined.executeMany(30);
    const later = await joined.followers.follow([follow('b', 101 + REACH + 5)], ADA, LONG, OPEN);
    expect(later.standings).toEqual([{ status: 'expired' }]);
  });
});

describe('a call', () => {
  it('without operations is answered at the next height', async () => {
    const waiting = chain.followers.follow([], ADA, LONG, OPEN);
    await new Promise(setImmediate);
    chain.execute();
    expect(await waiting).toEqual({ height: 1, standings: [], isCrowded: false });
  });

  it('ends after its wait, and at once when its client is gone', async () => {
    const pending = { height: 0, standings: [{ status: 'pending' }], isCrowded: false };
    expect(await chain.followers.follow([follow('a', 5)], ADA, millis(20), OPEN)).toEqual(pending);
    const gone = new AbortController();
    const waiting = chain.followers.follow([follow('a', 5)], ADA, LONG, gone.signal);
    await new Promise(setImmediate);
    gone.abort();
    expect(await waiting).toEqual(pending);
  });

  it('is answered at once where its client has half of the 1,024 calls, and others still wait (BR-2)', async () => {
    const gone = new AbortController();
    const waiting = Array.from({ length: 512 }, (_, index) =>
      chain.followers.follow([follow(`k${index}`, 5)], EVE, LONG, gone.signal),
    );
    const crowded = await chain.followers.follow([follow('a', 5)], EVE, LONG, OPEN);
    expect(crowded).toEqual({ height: 0, standings: [{ status: 'pending' }], isCrowded: true });
    expect(chain.followers.report).toEqual({ calls: 512, operations: 512, crowded: 1 });
    waiting.push(chain.followers.follow([follow('a', 5)], ADA, LONG, gone.signal));
    expect(chain.followers.report).toMatchObject({ calls: 513, crowded: 1 });
    chain.execute(executedOf('b', 0, 0));
    const ended = await chain.followers.follow([follow('b', 5)], EVE, LONG, OPEN);
    expect(ended).toMatchObject({ standings: [{ status: 'committed' }], isCrowded: true });
    gone.abort();
    expect((await Promise.all(waiting)).every(({ isCrowded }) => !isCrowded)).toBe(true);
    expect(chain.followers.report).toEqual({ calls: 0, operations: 0, crowded: 2 });
  });

  it('waits for a client’s share of 65,536 operations, and however many clients there are one more finds a place (BR-2)', async () => {
    const gone = new AbortController();
    const waiting: Promise<Followed>[] = [];
    const own = new Map<string, number>();
    for (const client of [EVE, ADA, '192.0.2.3', '192.0.2.4']) {
      for (let call = 0; !own.has(client); call += 1) {
        const operations = Array.from({ length: 1_000 }, (_, at) => follow(`${client} ${call} ${at}`, 5));
        waiting.push(chain.followers.follow(operations, client, LONG, gone.signal));
        if (chain.followers.report.crowded > own.size) own.set(client, 1_000 * call);
      }
    }
    expect([...own.values()]).toEqual([32_000, 16_000, 8_000, 4_000]);
    gone.abort();
    await Promise.all(waiting);
  });

  it('takes no place where it is not to wait', async () => {
    const asked = chain.followers.follow([follow('a', 5)], ADA, millis(0), OPEN);
    expect(chain.followers.report).toEqual({ calls: 0, operations: 0, crowded: 0 });
    expect((await asked).isCrowded).toBe(false);
  });

  it('forgets what was asked for longest ago beyond 131,072 operations, and looks for it again', async () => {
    await chain.followers.follow([follow('first', 9_000)], ADA, millis(0), OPEN);
    for (let from = 0; from < 132_000; from += 1_000) {
      const operations = Array.from({ length: 1_000 }, (_, index) => follow(`k${from + index}`, 9_000));
      await chain.followers.follow(operations, ADA, millis(0), OPEN);
    }
    const before = chain.lookups;
    await chain.followers.follow([follow('first', 9_000)], ADA, millis(0), OPEN);
    expect(chain.lookups).toBe(before + 1);
  });
});
