/**
 * Whom an address belongs to, where addresses are counted: calls, connections, places to wait, handshakes. Everybody who has IPv6 has at
 * least a /64 of it (2^64 addresses), so that is one client, as is an IPv4 address. Pure. Source: RFC 6177, RFC 4291 §2.5.5, RFC 6052.
 */

/** Of the eight groups of an IPv6 address those that name the /64. */
const PREFIX_GROUPS = 4;
const GROUPS = 8;
/** Prefixes of 96 bits below which an IPv4 address stands: that one is the client. */
const IPV4_INSIDE = ['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0'];

/** The key of whoever has this address, as a socket tells it: `192.0.2.7`, `2001:db8:0:1::/64`; what is no IPv6 address as it is. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const groups = groupsOf(address);
  if (groups === undefined) return address;
  const [high = 0, low = 0] = groups.slice(-2);
  if (IPV4_INSIDE.includes(inWords(groups.slice(0, -2)))) {
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  }
  return `${inWords(groups.slice(0, PREFIX_GROUPS))}::/64`;
}

/** The same, of the `host:port` or `[host]:port` of a connection's other end. */
export const networkOfEndpoint = (remote: string): string =>
  networkOf(remote.slice(0, remote.lastIndexOf(':')).replace(/^\[|\]$/g, ''));

/** True for what never leaves the machine (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3). */
export const isOwnMachine = (network: string): boolean =>
  network.startsWith('127.') || network === networkOf('::1');

const inWords = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':');

/** The eight groups; undefined: not IPv6. A zone (`%eth0`) is not part of them. */
function groupsOf(address: string): readonly number[] | undefined {
  const [bare = ''] = address.split('%');
  const halves = withoutDots(bare).split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = GROUPS - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<string>(missing).fill('0'), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16));
}

/** `::ffff:192.0.2.7` ends in two groups that are written as IPv4. */
const withoutDots = (address: string): string =>
  address.replace(/(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/, (_, ...bytes: readonly string[]) => {
    const [first = 0, second = 0, third = 0, fourth = 0] = bytes.slice(0, 4).map(Number);
    return inWords([first * 256 + second, third * 256 + fourth]);
  });
