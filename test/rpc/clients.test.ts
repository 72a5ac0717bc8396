/** Who counts as one client of the RPC. */
import { expect, it } from 'vitest';
import { clientOf } from '../../src/rpc/connections.ts';

it('a client is an IPv4 address, or the /64 of an IPv6 one, of which everybody has 2^64', () => {
  const clients = (...addresses: readonly string[]) =>
    new Set(addresses.map((remoteAddress) => clientOf({ remoteAddress }))).size;
  expect(clients('2001:db8::1', '2001:db8::ffff:2', '2001:db8::1:0:0:3')).toBe(1);
  expect(clients('192.0.2.7', '::ffff:192.0.2.7')).toBe(1);
  expect(clients('192.0.2.7', '192.0.2.8', '2001:db8::1', '2001:db8:0:1::1')).toBe(4);
});
