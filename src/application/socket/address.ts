/** Where an application listens that runs in a process of its own: `unix:/run/app.sock`, `tcp:127.0.0.1:26658`. Pure. Rule AP-1. */

export type SocketAddress =
  | { readonly kind: 'unix'; readonly path: string; readonly text: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly text: string };

/** Longer ones are cut off or refused by some systems. @unit bytes @source sockaddr_un: 104 with a final zero on BSD, 108 on Linux */
const PATH_BYTES_MAX = 103;

/** For a configuration, which is read before anything is opened; `parseSocketAddress` has the last word. */
export const SOCKET_ADDRESS_OR_NONE =
  /^(?:|unix:\/[^\0]{1,102}|tcp:(?:127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\]):\d{1,5})$/;

/** Loopback alone: frames are neither encrypted nor signed, and whoever reaches the application may query it. */
const TCP = /^tcp:(127(?:\.\d{1,3}){3}|\[::1\]):(\d{1,5})$/;
const PORT_MAX = 65_535;

export const SOCKET_ADDRESS_SHAPE = '"unix:/absolute/path" (103 bytes at most) or "tcp:127.0.0.1:port"';

/** The address that a text names; undefined when it names none, or one that is not of this machine alone. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  if (text.startsWith('unix:/')) {
    const path = text.slice('unix:'.length);
    const fits = new TextEncoder().encode(path).byteLength <= PATH_BYTES_MAX && !path.includes('\0');
    return fits ? { kind: 'unix', path, text } : undefined;
  }
  const [, host, port] = TCP.exec(text) ?? [];
  if (host === undefined || Number(port) > PORT_MAX) return undefined;
  if (host !== '[::1]' && host.split('.').some((part) => Number(part) > 255)) return undefined;
  return { kind: 'tcp', host: host === '[::1]' ? '::1' : host, port: Number(port), text };
}

/** For whoever was given a text that must be one. @throws with the text and what would be one */
export function socketAddress(text: string): SocketAddress {
  const address = parseSocketAddress(text);
  if (address !== undefined) return address;
  throw new Error(`"${text}" is no address of an application: give ${SOCKET_ADDRESS_SHAPE}`);
}
