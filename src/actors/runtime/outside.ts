/**
 * Functions that pure cells call and a replay does not: what needs a secret that no journal holds, or costs more than the rest of a
 * replay together. A running system writes their results down, a replay takes them from the journal, in order. Rules RT-15, RP-1, RP-8.
 */

/** Where the results come from in a replay, and where they go in a recorded run. */
export interface OutsideLink {
  /** Given in a replay: the result that the journal has for this call. */
  readonly recall?: (name: string) => unknown;
  /** Given in a recorded run. */
  readonly record?: (name: string, value: unknown) => void;
}

/** Made before the system that it is given to (`SystemOptions.outside`), since the inputs of its cells hold wrapped functions. */
export class Outside {
  #link: OutsideLink = {};

  /** By the system or the replay that it belongs to; one at a time. */
  connect(link: OutsideLink): void {
    this.#link = link;
  }

  /** A function like `work` whose results are part of the journal. They must be plain data; arguments are not written down. */
  wrap<Arguments extends readonly unknown[], Result>(
    name: string,
    work: (...given: Arguments) => Result,
  ): (...given: Arguments) => Result {
    return (...given) => {
      const { recall, record } = this.#link;
      // The journal was written by a function of the same name: its results have the same type.
      if (recall !== undefined) return recall(name) as Result;
      const value = work(...given);
      record?.(name, value);
      return value;
    };
  }
}
