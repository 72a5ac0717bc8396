/** What the nodes of a run replicate: `kv`, unless a scenario brings another application. Deterministic. Rules SM-1, SM-2. */
import { kv } from '../application/kv/rules.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import type { Application, InitChainRequest } from '../protocol/ports/application.ts';

export interface Replicated {
  /** In memory; called for each life of each node's application. */
  readonly open: () => Application;
  /** What its genesis says besides the chain's name, hash and time. */
  readonly beginning: Pick<InitChainRequest, 'validators' | 'appState'>;
}

/** The application of a network with these keys. */
export type ReplicatedBy = (epoch: EpochContext, bls: BlsEngine) => Replicated;

/** `kv` that knows who the validators are: transactions change them (CS-16). @param validatorChangePercent as of a genesis that says nothing without */
export const membersKvBy =
  (validatorChangePercent?: number): ReplicatedBy =>
  ({ set }, bls) => ({
    open: () =>
      kv({
        provesPossession: bls.verifyPossession,
        ...(validatorChangePercent === undefined ? {} : { validatorChangePercent }),
      }),
    beginning: {
      validators: set.validators.map((one) => ({ ...one, possessionProof: new Uint8Array(0) })),
      appState: null,
    },
  });

export const membersKv: ReplicatedBy = membersKvBy();

export const replicatedKv: ReplicatedBy = () => ({
  open: () => kv(),
  beginning: { validators: [], appState: null },
});
