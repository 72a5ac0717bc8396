/** A double-ended queue on a ring that doubles when full; every operation is O(1). Mutable, deterministic. */

const CAPACITY_MIN = 16;

/** Items in order from head to tail. The owner bounds its length; the ring only grows to what was held at once. */
export class RingBuffer<Item> {
  #slots: (Item | undefined)[] = [];
  #mask = -1;
  #head = 0;
  #length = 0;

  /** How many items are held. */
  get length(): number {
    return this.#length;
  }

  /** Adds at the tail. */
  push(item: Item): void {
    if (this.#length > this.#mask) this.#grow();
    this.#slots[(this.#head + this.#length) & this.#mask] = item;
    this.#length += 1;
  }

  /** Adds at the head. */
  unshift(item: Item): void {
    if (this.#length > this.#mask) this.#grow();
    this.#head = (this.#head - 1) & this.#mask;
    this.#slots[this.#head] = item;
    this.#length += 1;
  }

  /** Takes from the head, or undefined when empty. */
  shift(): Item | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length -= 1;
    return item;
  }

  /** Takes from the tail, or undefined when empty. */
  pop(): Item | undefined {
    if (this.#length === 0) return undefined;
    this.#length -= 1;
    const index = (this.#head + this.#length) & this.#mask;
    const item = this.#slots[index];
    this.#slots[index] = undefined;
    return item;
  }

  /** The item at the head, left in place. */
  peek(): Item | undefined {
    return this.#length === 0 ? undefined : this.#slots[this.#head];
  }

  /** The item `index` places behind the head, or undefined outside 0 <= index < length. */
  at(index: number): Item | undefined {
    return index < 0 || index >= this.#length ? undefined : this.#slots[(this.#head + index) & this.#mask];
  }

  /** Keeps the items that `keep` accepts, in order; returns those removed, in order. */
  retain(keep: (item: Item) => boolean): Item[] {
    const removed: Item[] = [];
    for (let count = this.#length; count > 0; count -= 1) {
      const item = this.shift();
      if (item === undefined) continue;
      if (keep(item)) this.push(item);
      else removed.push(item);
    }
    return removed;
  }

  /** The items from head to tail. */
  *[Symbol.iterator](): IterableIterator<Item> {
    for (let index = 0; index < this.#length; index += 1) {
      const item = this.#slots[(this.#head + index) & this.#mask];
      if (item !== undefined) yield item;
    }
  }

  #grow(): void {
    const capacity = this.#mask < 0 ? CAPACITY_MIN : (this.#mask + 1) * 2;
    const slots = new Array<Item | undefined>(capacity).fill(undefined);
    for (let index = 0; index < this.#length; index += 1) {
      slots[index] = this.#slots[(this.#head + index) & this.#mask];
    }
    this.#slots = slots;
    this.#mask = capacity - 1;
    this.#head = 0;
  }
}
