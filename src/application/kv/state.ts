/**
 * The state of the kv application in memory: pairs, the hash that commits to them, and a view of one height that stays as
 * it was while blocks go on. Mutable, deterministic, no I/O. Rule SY-10, docs/applications.md.
 */
import { utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import { digestFromBytes } from '../../protocol/chain/parse.ts';
import type { Digest } from '../../protocol/chain/types.ts';
import { byNodeKey, encodeSnapshot } from './snapshot.ts';
import { type Pair, StateTree, WALK_START, type WalkPlace } from './state-tree.ts';

/** Version 1 was a chain of hashes over all transactions, version 2 a tree of branches of 16. */
const DOMAIN = utf8('althing/kv/v3');

/** Pairs changed while one snapshot is read. Beyond, the snapshot is lost. @unit pairs @source chosen: about 100 MB */
const CHANGES_KEPT_MAX = 1_000_000;

/** Values of a height, where they have changed since; undefined: the key was not there. */
interface View {
  readonly before: Map<string, string | undefined>;
  isLost: boolean;
}

/** Keys and values are latin1 texts, one letter a byte. */
export class KvState {
  readonly #tree = new StateTree();
  readonly #changesKeptMax: number;
  /** The validators of the last hash, and theirs. */
  #sealed: { readonly validators: readonly Uint8Array[]; readonly hash: Uint8Array } | undefined;
  #view: View | undefined;

  constructor(pairs: Iterable<Pair> = [], changesKeptMax = CHANGES_KEPT_MAX) {
    this.#changesKeptMax = changesKeptMax;
    for (const [key, value] of pairs) this.#tree.set(key, value);
  }

  get(key: string): string | undefined {
    return this.#tree.get(key);
  }

  pairs(): Iterable<Pair> {
    return this.#tree.pairs();
  }

  set(key: string, value: string): void {
    if (this.#view !== undefined) this.#keep(this.#view, key);
    this.#tree.set(key, value);
  }

  /** Of pairs and validators, whatever way they came about. @param validators as kv.db has them, in any order; not to be changed afterwards */
  appHash(validators: readonly Uint8Array[]): Digest {
    if (this.#sealed?.validators !== validators) {
      this.#sealed = { validators, hash: sha256(...byNodeKey(validators)) };
    }
    const digest = digestFromBytes(sha256(DOMAIN, this.#tree.root(), this.#sealed.hash));
    if (digest === 'malformed') throw new Error('SHA-256 has 32 bytes');
    return digest;
  }

  /** The state as it is, to be read in chunks while it changes; undefined while another is being read. */
  chunks(validators: readonly Uint8Array[]): Iterable<Uint8Array> | undefined {
    if (this.#view !== undefined) return undefined;
    const view: View = { before: new Map(), isLost: false };
    this.#view = view;
    const encoded = encodeSnapshot(byNodeKey(validators), this.#pairsOf(view));
    const leave = () => {
      if (this.#view === view) this.#view = undefined;
    };
    // A generator that was never begun would not hear of its end.
    const iterator: Iterator<Uint8Array> = {
      next: () => {
        const step = encoded.next();
        if (step.done === true) leave();
        return step;
      },
      return: () => {
        leave();
        return { done: true, value: undefined };
      },
    };
    return { [Symbol.iterator]: () => iterator };
  }

  *#pairsOf(view: View): Generator<Pair, void> {
    for (let from: WalkPlace | undefined = WALK_START; from !== undefined; ) {
      const { keys, next }: ReturnType<StateTree['walk']> = this.#tree.walk(from);
      for (const key of keys) {
        if (view.isLost) {
          throw new Error(`more than ${this.#changesKeptMax} pairs changed while the snapshot was read`);
        }
        const value = view.before.has(key) ? view.before.get(key) : this.#tree.get(key);
        if (value !== undefined) yield [key, value];
      }
      from = next;
    }
  }

  #keep(view: View, key: string): void {
    if (view.isLost || view.before.has(key)) return;
    if (view.before.size < this.#changesKeptMax) {
      view.before.set(key, this.#tree.get(key));
      return;
    }
    view.isLost = true;
    view.before.clear();
  }
}
