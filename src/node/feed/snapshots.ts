/** Gateway: contexts of consensus' cells, as a step of theirs shows them; the address says which chart it is. Pure. As ../views.ts. */
import type { RoundContext } from '../../machines/consensus/round.setup.ts';
import type { RoundManagerContext } from '../../machines/consensus/round-manager.setup.ts';
import type { SafetyContext } from '../../machines/consensus/safety.setup.ts';
import type { RouterContext } from '../../machines/peer/router.setup.ts';
import type { Epoch, Height, Round } from '../../protocol/chain/types.ts';
import type { SafetyRecord } from '../../protocol/consensus/types.ts';

function contextIn<Context>(snapshot: unknown): Context | undefined {
  return (snapshot as { readonly context?: Context } | undefined)?.context;
}

export const recordIn = (snapshot: unknown): SafetyRecord | undefined =>
  contextIn<SafetyContext>(snapshot)?.record;

/** Once it was read back. */
export function epochIn(snapshot: unknown): Epoch | undefined {
  const context = contextIn<RoundManagerContext>(snapshot);
  return context?.live === undefined ? undefined : context.setting.epoch.epoch;
}

export interface RefusedRound {
  readonly epoch: Epoch;
  readonly round: Round;
  readonly height?: Height;
  readonly block?: string;
  readonly refusal: NonNullable<RoundContext['refusal']>;
}

export function refusalInRound(snapshot: unknown): RefusedRound | undefined {
  const context = contextIn<RoundContext>(snapshot);
  if (context?.refusal === undefined) return undefined;
  const { epoch, round, height, proposalId: block } = context.state;
  return {
    ...{ epoch, round, refusal: context.refusal },
    ...(height === undefined ? {} : { height }),
    ...(block === undefined ? {} : { block }),
  };
}

/** The outermost state of network-sync. */
export function syncStateIn(snapshot: unknown): string | undefined {
  const value = (snapshot as { readonly value?: string | object } | undefined)?.value;
  if (value === undefined) return undefined;
  return typeof value === 'string' ? value : Object.keys(value)[0];
}

export const routerIn = (snapshot: unknown): RouterContext | undefined => contextIn<RouterContext>(snapshot);
