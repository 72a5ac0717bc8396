/**
 * Addresses of servers by name, remembered for a while. Touches the system's resolver.
 * Rule TM-3, docs/protocol/time.md.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { type Millis, type Monotonic, millis } from '../base/units.ts';

export interface HostAddress {
  readonly address: string;
  /** 4 or 6. */
  readonly family: number;
}

/** The first address of a host; rejects with the resolver's error. */
export type Lookup = (host: string) => Promise<HostAddress>;

/** @source servers of a pool come and go; ntpd and chrony keep an address until it fails */
export const NAME_KEPT_MS: Millis = millis(3_600_000);

/** The name longest known is forgotten for one more. @unit names @source more servers than anybody configures */
const NAMES_MAX = 64;

interface Entry {
  readonly asked: Monotonic;
  readonly answer: Promise<HostAddress>;
  isFound: boolean;
}

export class NameCache {
  readonly #entries = new Map<string, Entry>();
  readonly #lookup: Lookup;

  constructor(lookup: Lookup = systemLookup) {
    this.#lookup = lookup;
  }

  /** Questions for a name that is being looked up share that one lookup, which nothing can end early. */
  resolve(host: string, now: Monotonic): Promise<HostAddress> {
    const known = this.#entries.get(host);
    if (known !== undefined && now - known.asked < NAME_KEPT_MS) return known.answer;
    const entry: Entry = { asked: now, answer: this.#lookup(host), isFound: false };
    entry.answer.then(
      () => {
        entry.isFound = true;
      },
      () => this.#drop(host, entry),
    );
    this.#entries.delete(host);
    this.#entries.set(host, entry);
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size > NAMES_MAX) this.#entries.delete(oldest);
    return entry.answer;
  }

  /** Its address did not answer: the next question looks the name up anew. */
  forget(host: string): void {
    const entry = this.#entries.get(host);
    if (entry?.isFound === true) this.#drop(host, entry);
  }

  #drop(host: string, entry: Entry): void {
    if (this.#entries.get(host) === entry) this.#entries.delete(host);
  }
}
