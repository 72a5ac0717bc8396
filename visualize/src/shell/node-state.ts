/** How a node is, in one word, from its card, its health and its chain. Pure. */
import type { NodeIndex } from '../../../src/observe/feed/feed.ts';
import type { Model } from '../feed/model.ts';

export type NodeState = 'up' | 'behind' | 'down';

export interface NodeGlance {
  readonly node: NodeIndex;
  readonly moniker: string;
  readonly state: NodeState;
  /** Why, for whoever points at it. */
  readonly says: string;
  readonly height: number | undefined;
}

export function glanceAt(model: Model, node: NodeIndex): NodeGlance {
  const [card, health, chain] = [model.nodes[node], model.health.get(node), model.chains.get(node)];
  const moniker = card?.moniker ?? `node ${node}`;
  const common = { node, moniker, height: chain?.committed.height };
  if (card?.isUp === false)
    return { ...common, state: 'down', says: `${moniker} is down: its process does not run` };
  if (health !== undefined && !health.isReady) {
    return {
      ...common,
      state: 'behind',
      says: `${moniker} is not ready: ${health.reasons.join(', ') || health.sync.state}`,
    };
  }
  const at = chain === undefined ? 'no block yet' : `height ${chain.committed.height}, round ${chain.round}`;
  return { ...common, state: 'up', says: `${moniker} is up: ${at}` };
}
