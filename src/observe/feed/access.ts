/**
 * Who may look: exact lists of Host and Origin, and a token that each start makes anew. A name that an attacker points at this machine
 * is not on the list, nor is a page from elsewhere (CVE-2018-7160, CVE-2025-24010). Pure but for the token's randomness. Rule IN-2.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export interface AccessRules {
  /** `host:port`, lower case, as browsers write them: without the port that HTTP has by itself. */
  readonly hosts: ReadonlySet<string>;
  /** `http://host:port` */
  readonly origins: ReadonlySet<string>;
  readonly token: string;
}

/** @unit bytes @source as hard to guess as a key */
const TOKEN_BYTES = 32;

export const newToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

/** What is served at `host:port`, under the names of this machine and those that the operator adds. */
export function accessRules(
  listening: { readonly host: string; readonly port: number },
  names: readonly string[],
  token: string,
): AccessRules {
  const own = listening.host.includes(':') ? `[${listening.host}]` : listening.host;
  const loopback = ['127.0.0.1', 'localhost', '[::1]'];
  const hosts = [own, ...loopback, ...names].map((name) =>
    asBrowsersWrite(
      // A name with a port is what another door leads to: a tunnel, a reverse proxy.
      /:\d+$/.test(name) ? name.toLowerCase() : `${name.toLowerCase()}:${listening.port}`,
    ),
  );
  return { hosts: new Set(hosts), origins: new Set(hosts.map((host) => `http://${host}`)), token };
}

const asBrowsersWrite = (host: string): string => host.replace(/:80$/, '');

export interface Headers {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly authorization?: string | undefined;
}

/** Why not, in words for the one who asks; undefined: it may. */
export type AccessRefusal =
  | { readonly status: 401 | 403; readonly code: string; readonly detail: string }
  | undefined;

/** For every request, the page's files too. */
export function ruleOnHost({ host }: Headers, { hosts }: AccessRules): AccessRefusal {
  if (host !== undefined && hosts.has(asBrowsersWrite(host.toLowerCase()))) return undefined;
  const detail = `host "${host ?? ''}" is not served: open the page under ${[...hosts][0]}, or add the name to inspector.allowed_hosts`;
  return { status: 403, code: 'HOST_NOT_ALLOWED', detail };
}

/** For a viewer's connection. Programs that are no browser send no Origin; the token is asked of them too. */
export function ruleOnViewer(headers: Headers, tokenGiven: string | null, rules: AccessRules): AccessRefusal {
  const byHost = ruleOnHost(headers, rules);
  if (byHost !== undefined) return byHost;
  const { origin, authorization } = headers;
  if (origin !== undefined && !rules.origins.has(origin)) {
    const detail = `pages of "${origin}" may not look: open the page that this feed serves`;
    return { status: 403, code: 'ORIGIN_NOT_ALLOWED', detail };
  }
  const given = tokenGiven ?? authorization?.replace(/^Bearer /, '') ?? '';
  if (given === '') return { status: 401, code: 'TOKEN_MISSING', detail: `the token is missing: ${WHERE}` };
  if (!isSame(given, rules.token))
    return { status: 401, code: 'TOKEN_WRONG', detail: `the token is of another start, or wrong: ${WHERE}` };
  return undefined;
}

const WHERE = 'take the address that the node prints at its start, or `althing inspect`';

/** Takes the same time for every wrong one. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
