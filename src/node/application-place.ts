/** Which application a node runs, and where: built in, given by the program that the node runs in, or in a process of its own. Pure. */
import type { BuiltInName } from '../application/built-in-names.ts';
import type { Application } from '../protocol/ports/application.ts';

/** An application of the program that starts the node, in its process. docs/applications.md. */
export interface OwnApplication {
  /** As the genesis has it (`app.name`). */
  readonly name: string;
  /**
   * Opens it, with its state in `dir` where it keeps any. Called again after `close` when it has failed (EX-5), and with another
   * folder for a join by a snapshot (SY-10), which then takes the place of the first.
   * @throws or rejects when what is there cannot be read
   */
  readonly open: (place: ApplicationFolder) => Application | Promise<Application>;
}

/** The folder may not exist yet. */
export interface ApplicationFolder {
  readonly dir: string;
}

export type ApplicationPlace =
  | { readonly kind: 'built-in'; readonly name: BuiltInName }
  | { readonly kind: 'own'; readonly own: OwnApplication }
  | { readonly kind: 'remote'; readonly address: string };
