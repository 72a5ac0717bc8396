/** Why a node did not start: the user's to mend, so problems with their places, and no stack trace. */
import type { ConfigProblem } from './load.ts';

/** `config`: configuration, genesis or keys; `store`: what is on disk is damaged; `safety`: it contradicts itself. */
export type StartRefusalKind = 'config' | 'store' | 'safety';

/** Thrown by `startNode`, and where a passphrase cannot be read; the command line turns `kind` into its exit code. */
export class StartRefused extends Error {
  override readonly name = 'StartRefused';
  readonly kind: StartRefusalKind;

  constructor(kind: StartRefusalKind, problems: readonly ConfigProblem[]) {
    super(problems.map(({ where, message }) => `${where}: ${message}`).join('\n'));
    this.kind = kind;
  }
}
