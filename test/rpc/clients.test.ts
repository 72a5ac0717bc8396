/** Who counts as one client of the RPC. */
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../src/base/units.ts';
import { clientOf } from '../../src/rpc/connections.ts';
import { ClientRates } from '../../src/rpc/guard.ts';

it('a client is an IPv4 address, or the /64 of an IPv6 one, of which everybody has 2^64', () => {
  const clients = (...addresses: readonly string[]) =>
    new Set(addresses.map((remoteAddress) => clientOf({ remoteAddress }))).size;
  expect(clients('2001:db8::1', '2001:db8::ffff:2', '2001:db8::1:0:0:3')).toBe(1);
  expect(clients('192.0.2.7', '::ffff:192.0.2.7')).toBe(1);
  expect(clients('192.0.2.7', '192.0.2.8', '2001:db8::1', '2001:db8:0:1::1')).toBe(4);
});

describe('rates of clients', () => {
  const rate = { ratePerSecond: 1, burst: 1 };
  const at = monotonic(0);

  it('are of the 10,000 that called last: who called longest ago is forgotten first, in any order of calls', () => {
    const rates = new ClientRates(rate);
    const names = Array.from({ length: 10_000 }, (_, index) => `client ${index}`);
    for (const name of names) expect(rates.take(name, 1, at)).toBe(true);
    // All call again but the third and the seventh, which are the oldest then.
    for (const [index, name] of names.entries()) if (index !== 3 && index !== 7) rates.take(name, 1, at);
    for (const stranger of ['one', 'two']) rates.take(stranger, 1, at);
    expect(['client 0', 'client 9999', 'one'].map((name) => rates.take(name, 1, at))).toEqual([
      false,
      false,
      false,
    ]);
    expect(rates.take('client 3', 1, at)).toBe(true);
    expect(rates.take('client 7', 1, at)).toBe(true);
    // Two more were known for that: the first two of the second round are gone, and no others.
    expect(rates.take('client 4', 1, at)).toBe(false);
    expect(['client 1', 'client 2'].map((name) => rates.take(name, 1, at))).toEqual([true, true]);
  });
});
