/** Where the cells of a twins instance are, and which of them a message is for. Pure. SM-6. */
import type { PeerMessageKind } from '../../protocol/consensus/types.ts';
import type { CellAddress } from '../../protocol/supervision/effect.ts';

/** Addresses of an instance's cells. */
export interface ReplicaAddresses {
  readonly safety: CellAddress;
  readonly viewChange: CellAddress;
  readonly roundManager: CellAddress;
  readonly chainServer: CellAddress;
  readonly stateSync: CellAddress;
  readonly blockSync: CellAddress;
  readonly ground: CellAddress;
}

export const replicaAddresses = (name: string): ReplicaAddresses => ({
  safety: `${name}/safety`,
  viewChange: `${name}/view-change`,
  roundManager: `${name}/round-manager`,
  chainServer: `${name}/chain-server`,
  stateSync: `${name}/state-sync`,
  blockSync: `${name}/block-sync`,
  ground: `${name}/ground`,
});

/** The cell that a message from a peer is for; undefined for what these instances never say. */
export function cellFor(kind: PeerMessageKind, at: ReplicaAddresses): CellAddress | undefined {
  switch (kind) {
    case 'Proposal':
    case 'Vote':
      return at.roundManager;
    case 'QC':
    case 'ViewChange':
    case 'NewView':
      return at.viewChange;
    case 'GetBlocks':
    case 'GetBlock':
    case 'GetBlockHeight':
    case 'GetGenesisHash':
    case 'GetBlockHash':
      return at.chainServer;
    case 'Blocks':
    case 'BlockHeight':
    case 'GenesisHash':
    case 'BlockHash':
      return at.stateSync;
    default:
      return undefined;
  }
}
