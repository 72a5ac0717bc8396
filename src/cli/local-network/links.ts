/**
 * Which validators of a local network cannot reach each other, and whose messages come late, by order of its page. A validator that starts
 * anew is told again. Deterministic; speaks by the channels to the processes. Rule IN-2, docs/inspector.md.
 */
import type { LinksOrderEvent } from '../node-events.ts';
import type { Validators } from './validators.ts';

export interface LinksParts {
  readonly homes: readonly string[];
  readonly validators: () => Pick<Validators, 'tell'>;
}

export class Links {
  readonly #parts: LinksParts;
  readonly #ids = new Map<number, string>();
  #groups: readonly (readonly number[])[] = [];
  readonly #delays = new Map<number, number>();

  constructor(parts: LinksParts) {
    this.#parts = parts;
  }

  /** A validator runs, and hears how things stand. */
  met(index: number, id: string): void {
    const isNew = this.#ids.get(index) !== id;
    this.#ids.set(index, id);
    if (isNew && this.#groups.length > 0) this.#tellAll();
    else this.#tell(index);
  }

  /** Nodes that no group names are alone; an empty list heals all. */
  partition(groups: readonly (readonly number[])[]): void {
    this.#groups = groups;
    this.#tellAll();
  }

  /** False when there is no such validator. @unit ms */
  delay(index: number, ms: number): boolean {
    if (this.#parts.homes[index] === undefined) return false;
    this.#delays.set(index, ms);
    this.#tell(index);
    return true;
  }

  #tellAll(): void {
    for (const index of this.#ids.keys()) this.#tell(index);
  }

  #tell(index: number): void {
    const order: LinksOrderEvent = {
      type: 'links',
      cut: [...this.#ids].flatMap(([other, id]) => (this.#reaches(index, other) ? [] : [id])),
      delay_ms: this.#delays.get(index) ?? 0,
    };
    this.#parts.validators().tell(index, order);
  }

  #reaches(one: number, other: number): boolean {
    if (one === other || this.#groups.length === 0) return true;
    return this.#groups.some((group) => group.includes(one) && group.includes(other));
  }
}
