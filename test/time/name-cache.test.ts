import { describe, expect, it } from 'vitest';
import { monotonic } from '../../src/base/units.ts';
import { type HostAddress, NAME_KEPT_MS, NameCache } from '../../src/time/name-cache.ts';

/** A resolver whose answers the test gives. */
function resolver() {
  const asked: string[] = [];
  const open: { resolve(found: HostAddress): void; reject(error: Error): void }[] = [];
  const cache = new NameCache((host) => {
    asked.push(host);
    return new Promise((resolve, reject) => open.push({ resolve, reject }));
  });
  const answer = async (address: string): Promise<void> => {
    open.shift()?.resolve({ address, family: 4 });
    await Promise.resolve();
  };
  const fail = async (): Promise<void> => {
    open.shift()?.reject(new Error('getaddrinfo EAI_AGAIN'));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { asked, cache, answer, fail };
}

const at = monotonic;

describe('addresses by name (TM-3)', () => {
  it('keeps an address for an hour, and then looks the name up anew', async () => {
    const { asked, cache, answer } = resolver();
    const first = cache.resolve('time.example', at(5));
    await answer('192.0.2.1');
    expect(await first).toEqual({ address: '192.0.2.1', family: 4 });
    expect(await cache.resolve('time.example', at(4 + NAME_KEPT_MS))).toEqual(await first);
    expect(asked).toHaveLength(1);
    const second = cache.resolve('time.example', at(5 + NAME_KEPT_MS));
    await answer('192.0.2.2');
    expect((await second).address).toBe('192.0.2.2');
  });

  it('looks a name up anew after a failure of its address, and only that name', async () => {
    const { asked, cache, answer } = resolver();
    for (const host of ['one.example', 'two.example']) {
      const found = cache.resolve(host, at(0));
      await answer('192.0.2.1');
      await found;
    }
    cache.forget('one.example');
    void cache.resolve('one.example', at(1));
    void cache.resolve('two.example', at(1));
    expect(asked).toEqual(['one.example', 'two.example', 'one.example']);
  });

  it('remembers no failure of the resolver', async () => {
    const { asked, cache, fail, answer } = resolver();
    const first = cache.resolve('time.example', at(0));
    const rejected = expect(first).rejects.toThrow('EAI_AGAIN');
    await fail();
    await rejected;
    const second = cache.resolve('time.example', at(0));
    await answer('192.0.2.1');
    expect((await second).address).toBe('192.0.2.1');
    expect(asked).toHaveLength(2);
  });

  it('shares one lookup among all that wait, even when one of them has given up', async () => {
    const { asked, cache, answer } = resolver();
    const first = cache.resolve('time.example', at(0));
    cache.forget('time.example');
    const second = cache.resolve('time.example', at(1));
    expect(asked).toHaveLength(1);
    await answer('192.0.2.1');
    expect([await first, await second].map(({ address }) => address)).toEqual(['192.0.2.1', '192.0.2.1']);
  });

  it('forgets the name asked longest ago beyond 64', () => {
    const { asked, cache } = resolver();
    for (let index = 0; index <= 64; index += 1) void cache.resolve(`host-${index}`, at(index));
    void cache.resolve('host-1', at(70));
    expect(asked).toHaveLength(65);
    void cache.resolve('host-0', at(70));
    expect(asked).toHaveLength(66);
  });

  it('counts a name as asked again when it was looked up anew', () => {
    const { asked, cache } = resolver();
    for (let index = 0; index < 64; index += 1) void cache.resolve(`host-${index}`, at(index));
    void cache.resolve('host-0', at(NAME_KEPT_MS));
    void cache.resolve('host-64', at(NAME_KEPT_MS));
    void cache.resolve('host-0', at(NAME_KEPT_MS));
    expect(asked.slice(64)).toEqual(['host-0', 'host-64']);
  });
});
