/**
 * What a transaction, or the end of a block, writes: kept apart until it has succeeded, then given to the state at once, so
 * that a failing one leaves nothing. Mutable, deterministic, no I/O. docs/applications.md.
 */
import { toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import type { ValidatorUpdate } from '../../protocol/ports/application.ts';
import type { ChangeKind, StateReader, StateWriter } from './rules.ts';
import { joined, problemOfChange, problemOfUpdate, type StateValidators, updated } from './validators.ts';

/** What it is written to. */
export interface WritesTarget extends StateReader {
  /** Of the state before the block. */
  readonly validatorsBefore: StateValidators;
  /** How much of their power the block may change; 100: any. @unit percent */
  readonly validatorChangePercent: number;
  /** Undefined: the key goes. */
  write(key: string, value: string | undefined): void;
  /** @param validators after all of `updates`, of which each node key has the last one */
  writeValidators(validators: StateValidators, updates: ReadonlyMap<string, ValidatorUpdate>): void;
}

/** A letter that is no byte; a text that V8 holds as bytes is not even looked through. */
const NOT_LATIN1 = /[^\0-\xff]/;

export class Writes implements StateWriter {
  readonly #target: WritesTarget;
  #isOpen = false;
  /** The first pair stands alone: most transactions write no other, and a map costs more than all else here. */
  #firstKey: string | undefined;
  #firstValue: string | undefined;
  #others: Map<string, string | undefined> | undefined;
  #validators: StateValidators | undefined;
  #updates: Map<string, ValidatorUpdate> | undefined;

  constructor(target: WritesTarget) {
    this.#target = target;
  }

  get(key: string): string | undefined {
    if (key === this.#firstKey) return this.#firstValue;
    if (this.#others?.has(key)) return this.#others.get(key);
    return this.#target.get(key);
  }

  get validators(): StateValidators {
    return this.#validators ?? this.#target.validators;
  }

  set(key: string, value: string): void {
    requireLatin1('key', key);
    requireLatin1('value', value);
    this.#write(key, value);
  }

  delete(key: string): void {
    this.#write(key, undefined);
  }

  setValidator(update: ValidatorUpdate, as: ChangeKind = 'request'): string | undefined {
    this.#requireOpen();
    const after = updated(this.validators, update);
    const { validatorsBefore, validatorChangePercent: percent } = this.#target;
    const problem =
      problemOfUpdate(this.validators, update) ??
      (as === 'request'
        ? problemOfChange({ before: validatorsBefore, now: this.validators, after }, percent)
        : undefined);
    if (problem !== undefined) return problem;
    this.#validators = after;
    this.#updates ??= new Map();
    const place = toHex(update.nodeKey);
    this.#updates.set(place, joined(this.#updates.get(place), update));
    return undefined;
  }

  /** From now on there may be writes. */
  open(): void {
    this.#isOpen = true;
  }

  /** The end of it: `isKept` gives all of it to the target, else nothing. */
  close(isKept: boolean): void {
    if (isKept) this.#give();
    this.#isOpen = false;
    this.#firstKey = undefined;
    this.#firstValue = undefined;
    this.#others = undefined;
    this.#validators = undefined;
    this.#updates = undefined;
  }

  #give(): void {
    if (this.#firstKey !== undefined) this.#target.write(this.#firstKey, this.#firstValue);
    if (this.#others !== undefined) for (const [key, value] of this.#others) this.#target.write(key, value);
    if (this.#validators !== undefined && this.#updates !== undefined)
      this.#target.writeValidators(this.#validators, this.#updates);
  }

  #write(key: string, value: string | undefined): void {
    this.#requireOpen();
    if (this.#firstKey === undefined || this.#firstKey === key) {
      this.#firstKey = key;
      this.#firstValue = value;
      return;
    }
    this.#others ??= new Map();
    this.#others.set(key, value);
  }

  #requireOpen(): void {
    invariant(
      this.#isOpen,
      'state is written within execute and endBlock only, not after they have answered',
    );
  }
}

export function requireLatin1(what: 'key' | 'value', text: string): void {
  if (!NOT_LATIN1.test(text)) return;
  const shown = JSON.stringify(text.slice(0, SHOWN_LETTERS));
  throw new Error(
    `the ${what} ${shown} has a letter above U+00FF: keys and values are a letter a byte, so write UTF-8 as bytes (latin1)`,
  );
}

/** Of a text that is not latin1, in the error. @unit letters */
const SHOWN_LETTERS = 80;
