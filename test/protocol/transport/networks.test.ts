import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOwnMachine, networkOf, networkOfEndpoint } from '../../../src/protocol/transport/networks.ts';

describe('whom an address belongs to', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:0207', '192.0.2.7'],
    ['64:ff9b::192.0.2.7', '192.0.2.7'],
    ['2001:db8:0:1::7', '2001:db8:0:1::/64'],
    ['2001:db8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:1::/64'],
    ['2001:DB8::1:0:0:0:7', '2001:db8:0:1::/64'],
    ['2001:db8:0:2::7', '2001:db8:0:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['unknown', 'unknown'],
    ['', ''],
    ['1:2:3', '1:2:3'],
    ['1::2::3', '1::2::3'],
    ['1:2:3:4:5:6:7::8:9', '1:2:3:4:5:6:7::8:9'],
  ])('%s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it('is the same for every address of a /64, however it is written, and another for every other /64', () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    const four = fc.tuple(group, group, group, group);
    const written = (groups: readonly number[]): string => groups.map((each) => each.toString(16)).join(':');
    const short = (groups: readonly number[]): string => {
      const { hostname } = new URL(`http://[${written(groups)}]`);
      return hostname.slice(1, -1);
    };
    fc.assert(
      fc.property(four, four, four, (one, other, host) => {
        const isMapped = [0, 0x64].includes(one[0]);
        fc.pre(!isMapped && written(one) !== written(other));
        expect(networkOf(short([...one, ...host]))).toBe(networkOf(written([...one, ...other])));
        expect(networkOf(written([...one, ...host]))).not.toBe(networkOf(written([...other, ...host])));
      }),
    );
  });

  it('takes any text, and is itself where it is no IPv6 address', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789abcf:.%') }), (text) => {
        if (isIP(text) !== 6)
          expect([text, expect.stringMatching(/::\/64$|^\d+\.\d+\.\d+\.\d+$/)]).toContainEqual(
            networkOf(text),
          );
        else expect(networkOf(text)).not.toBe(text);
      }),
    );
  });
});

describe('the other end of a connection', () => {
  it.each([
    ['192.0.2.7:26656', '192.0.2.7', false],
    ['[2001:db8:0:1::7]:26656', '2001:db8:0:1::/64', false],
    ['127.0.0.1:1', '127.0.0.1', true],
    ['[::ffff:127.0.0.1]:1', '127.0.0.1', true],
    ['[::1]:1', '0:0:0:0::/64', true],
  ])('%s is of %s', (remote, network, isOwn) => {
    expect([networkOfEndpoint(remote), isOwnMachine(networkOfEndpoint(remote))]).toEqual([network, isOwn]);
  });
});
