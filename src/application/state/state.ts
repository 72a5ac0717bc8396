/**
 * The state of an application in memory: pairs, the hash that commits to them, and a view of one height that stays as
 * it was while blocks go on. Mutable, deterministic, no I/O. Rule SY-10, docs/applications.md.
 */
import { utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import { digestFromBytes } from '../../protocol/chain/parse.ts';
import type { Digest } from '../../protocol/chain/types.ts';
import type { StateEnd, StateProof } from '../../protocol/light/types.ts';
import type { Pair, StateRules } from './rules.ts';
import { byNodeKey, encodeSnapshot } from './snapshot.ts';
import { keyHashOf, StateTree, WALK_START, type WalkPlace, type WalkStep } from './state-tree.ts';

/** Pairs changed while one snapshot is read. Beyond, the snapshot is lost. @unit pairs @source chosen: about 100 MB */
const CHANGES_KEPT_MAX = 1_000_000;

/** Values of a height, where they have changed since; undefined: the key was not there. */
interface View {
  readonly before: Map<string, string | undefined>;
  /** Keys that the tree has lost since, in its order: a walk over it no longer finds them. */
  gone: StateTree;
  isLost: boolean;
}

/** Keys and values are latin1 texts, one letter a byte. */
export class PairState {
  readonly #name: string;
  readonly #domainName: string;
  readonly #domain: Uint8Array;
  readonly #tree = new StateTree();
  readonly #changesKeptMax: number;
  /** The validators of the last hash, and theirs. */
  #sealed: { readonly validators: readonly Uint8Array[]; readonly hash: Uint8Array } | undefined;
  #view: View | undefined;

  constructor(
    { name, version }: Pick<StateRules, 'name' | 'version'>,
    pairs: Iterable<Pair> = [],
    changesKeptMax = CHANGES_KEPT_MAX,
  ) {
    this.#name = name;
    this.#domainName = `althing/${name}/v${version}`;
    this.#domain = utf8(this.#domainName);
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

  delete(key: string): void {
    if (this.#view !== undefined && this.#tree.get(key) !== undefined) {
      this.#keep(this.#view, key);
      if (!this.#view.isLost) this.#view.gone.set(key, '');
    }
    this.#tree.delete(key);
  }

  /** Of pairs and validators, whatever way they came about. @param validators as the file has them, in any order; not to be changed afterwards */
  appHash(validators: readonly Uint8Array[]): Digest {
    const digest = digestFromBytes(sha256(this.#domain, this.#tree.root(), this.#hashOf(validators)));
    if (digest === 'malformed') throw new Error('SHA-256 has 32 bytes');
    return digest;
  }

  /** Proves under `appHash` of the same validators what the key has, or that it has nothing. */
  prove(key: string, validators: readonly Uint8Array[]): StateProof {
    const { siblings, end } = this.#tree.wayOf(key);
    const validatorsHash = this.#hashOf(validators);
    return { state: this.#domainName, validatorsHash, siblings, end: endOf(key, end) };
  }

  /** The state as it is, to be read in chunks while it changes; undefined while another is being read. */
  chunks(validators: readonly Uint8Array[]): Iterable<Uint8Array> | undefined {
    if (this.#view !== undefined) return undefined;
    const view: View = { before: new Map(), gone: new StateTree(), isLost: false };
    this.#view = view;
    const encoded = encodeSnapshot(this.#name, byNodeKey(validators), this.#pairsOf(view));
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
      this.#requireKept(view);
      const { keys, next }: WalkStep = this.#stepOf(view, from);
      for (const key of keys) {
        this.#requireKept(view);
        const value = view.before.has(key) ? view.before.get(key) : this.#tree.get(key);
        if (value !== undefined) yield [key, value];
      }
      from = next;
    }
  }

  /** Keys of the tree and those that it has lost, as far as both steps reach. */
  #stepOf({ gone }: View, from: WalkPlace): WalkStep {
    const here = this.#tree.walk(from);
    const lost = gone.walk(from);
    if (lost.keys.length === 0) return here;
    const next = earlier(here.next, lost.next);
    const places = new Map([...here.keys, ...lost.keys].map((key) => [keyHashOf(key), key]));
    const keys = [...places]
      .filter(([place]) => next === undefined || place <= next)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, key]) => key);
    return { keys, ...(next === undefined ? {} : { next }) };
  }

  #hashOf(validators: readonly Uint8Array[]): Uint8Array {
    if (this.#sealed?.validators !== validators) {
      this.#sealed = { validators, hash: sha256(...byNodeKey(validators)) };
    }
    return this.#sealed.hash;
  }

  #requireKept({ isLost }: View): void {
    if (isLost)
      throw new Error(`more than ${this.#changesKeptMax} pairs changed while the snapshot was read`);
  }

  #keep(view: View, key: string): void {
    if (view.isLost || view.before.has(key)) return;
    if (view.before.size < this.#changesKeptMax) {
      view.before.set(key, this.#tree.get(key));
      return;
    }
    view.isLost = true;
    view.before.clear();
    view.gone = new StateTree();
  }
}

function endOf(key: string, found: Pair | undefined): StateEnd {
  if (found === undefined) return { kind: 'nothing' };
  if (found[0] === key) return { kind: 'pair' };
  return { kind: 'other', key: Buffer.from(found[0], 'latin1'), value: Buffer.from(found[1], 'latin1') };
}

const earlier = (left: WalkPlace | undefined, right: WalkPlace | undefined): WalkPlace | undefined =>
  left === undefined || (right !== undefined && right < left) ? right : left;
