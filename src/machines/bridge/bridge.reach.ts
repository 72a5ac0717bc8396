/** Whom the bridge reaches, and who is a validator by now: what partitions, breakers and told states make of either. Pure. Rules BR-4, BR-8, BR-10. */
import type { Monotonic } from '../../base/units.ts';
import type { Address, ValidatorSet } from '../../protocol/chain/types.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { BreakerInput, BreakerRequest } from './breaker.setup.ts';
import { type BridgeContext, type Decided, withPartition } from './bridge.live.ts';
import type { Clock } from './bridge.operations.ts';

/** What comes of the facts that a partition is judged by. */
export function reached(context: BridgeContext, change: Partial<BridgeContext>, now: Monotonic): Decided {
  return { context: withPartition({ ...context, ...change }, now) };
}

/** Who can be reached is another: the breakers of validators that are gone hear of it, and whoever comes back is told everything (BR-4, BR-8). */
export function reach(
  context: BridgeContext,
  connected: ReadonlySet<Address>,
  { now, address }: Clock,
): Decided {
  const lost = [...context.connected].filter((peer) => !connected.has(peer));
  const toldTo = new Map([...context.toldTo].filter(([peer]) => connected.has(peer)));
  const failed: BreakerRequest = { type: 'peer.failed' };
  return {
    ...reached(context, { connected, toldTo }, now),
    effects: lost
      .filter((peer) => isValidator(context.validators, peer))
      .map((peer) => telling(`${address}/${peer}`, failed)),
  };
}

/** A validator that has left may still owe an answer: its breaker stays until that is late, and what it had goes on to others. */
export function recordEpoch(
  context: BridgeContext,
  validators: ValidatorSet,
  { now, address }: Clock,
): Decided {
  if (validators.hash === context.validators.hash) return {};
  const others = (set: ValidatorSet): readonly Address[] =>
    set.validators.map((one) => one.address).filter((one) => one !== context.self);
  const [before, after] = [others(context.validators), others(validators)];
  const left = before.filter((peer) => !after.includes(peer));
  const breakers = new Map(context.breakers);
  for (const peer of left) breakers.delete(peer);
  const leaving = new Map([...context.leaving, ...left.map((peer) => [peer, now] as const)]);
  for (const peer of after) leaving.delete(peer);
  return {
    ...reached(context, { validators, breakers, leaving }, now),
    effects: after
      .filter((peer) => !before.includes(peer) && !context.leaving.has(peer))
      .map((peer): Effect => {
        return { kind: 'spawn', logic: 'breaker', id: peer, input: breakerInput(context, peer, address) };
      }),
  };
}

/** Breakers of validators that have left, once no call to them can be open. */
export function dismissed(context: BridgeContext, now: Monotonic): Decided {
  const gone = [...context.leaving].filter(([, since]) => now >= since + context.config.cleanupInterval);
  if (gone.length === 0) return {};
  const leaving = new Map(context.leaving);
  for (const [peer] of gone) leaving.delete(peer);
  return { context: { leaving }, effects: gone.map(([id]) => ({ kind: 'stop', id })) };
}

export const breakerInput = (context: BridgeContext, peer: Address, bridge: CellAddress): BreakerInput => ({
  peer,
  bridge,
  router: context.router,
  config: context.config,
});
