/** Names of NTP servers, as operators write them. Pure and total. Rule TM-3, docs/protocol/time.md. */

export interface NtpServer {
  /** A name or an address; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number;
}

/** @source RFC 5905 §7.2 */
export const NTP_PORT = 123;

/** Of a name in DNS. @unit characters @source RFC 1035 §2.3.4, without the root's dot */
const HOST_CHARS_MAX = 253;
/** @source RFC 768: 16 bits, and 0 is none */
const PORT_MAX = 65_535;

const NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;
/** The resolver judges the rest; the zone is of link-local addresses. */
const IPV6 = /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?$/;
const BRACKETED = /^\[([^\]]*)\](?::(.*))?$/;

/** `host`, `host:port`, `[2001:db8::1]`, `[2001:db8::1]:port`, `2001:db8::1`. */
export function parseServer(text: string): NtpServer | 'malformed' {
  const bracketed = BRACKETED.exec(text);
  if (bracketed !== null) return server(bracketed[1], bracketed[2], IPV6);
  const parts = text.split(':');
  return parts.length > 2 ? server(text, undefined, IPV6) : server(parts[0], parts[1], NAME);
}

function server(host: string | undefined, port: string | undefined, form: RegExp): NtpServer | 'malformed' {
  if (host === undefined || host.length > HOST_CHARS_MAX || !form.test(host)) return 'malformed';
  if (port === undefined) return { host, port: NTP_PORT };
  const number = Number(port);
  if (!/^[0-9]{1,5}$/.test(port) || number < 1 || number > PORT_MAX) return 'malformed';
  return { host, port: number };
}
