/**
 * What a node is recorded by: its tree's functions that need a secret or cost much are heard through `Outside`, and its journal carries the tree.
 * Composes. Rules RP-1, RP-3, RP-8, docs/journal.md.
 */
import { routeOf } from '../actors/addresses.ts';
import {
  type CellSpec,
  type Journal,
  Outside,
  type PureFunctions,
  recordable,
  type System,
} from '../actors/runtime/index.ts';
import { type JournalOptions, type JournalStatus, JournalWriter } from '../record/journal-writer.ts';
import { encode } from '../transport/codec/codec.ts';
import { nodeIdOf } from '../transport/identity.ts';

/** Functions in the inputs of a node's cells that a replay calls itself: cheap, and without a secret. A name is never given to another. */
export const PURE_FUNCTIONS: PureFunctions = { routeOf, encode, nodeIdOf };

type RecordingOptions = Omit<JournalOptions, 'opening' | 'nameOf' | 'keyframe'> & {
  readonly opening: Omit<JournalOptions['opening'], 'blueprints'>;
};

/** Made before the system that it records; it begins with `root`. */
export class Recording {
  readonly outside = new Outside();
  readonly #options: RecordingOptions;
  #writer: JournalWriter | undefined;
  #system: System | undefined;

  constructor(options: RecordingOptions) {
    this.#options = options;
  }

  /** For the system. */
  get journal(): Journal {
    return {
      digestEvery: this.#options.opening.digestEvery,
      record: (entry) => this.#writer?.record(entry),
    };
  }

  /** The root as `system` is to start it. Writing begins. */
  root(spec: CellSpec, system: System): CellSpec {
    const { roots, blueprints, nameOf } = recordable([spec], this.outside, PURE_FUNCTIONS);
    const { opening, ...options } = this.#options;
    this.#writer = new JournalWriter({
      ...options,
      opening: { ...opening, blueprints },
      nameOf,
      keyframe: () => this.#system?.keyframe(),
    });
    this.#system = system;
    const [root] = roots;
    return root ?? spec;
  }

  status(): JournalStatus | undefined {
    return this.#writer?.status();
  }

  /** After the system has stopped. */
  async close(): Promise<void> {
    await this.#writer?.close(this.#system?.counters().turns ?? 0);
  }
}
