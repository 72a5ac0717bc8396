/** Where things are in a node's home. Pure. */
import { join } from 'node:path';

export interface HomePaths {
  readonly home: string;
  readonly configFile: string;
  /** [sync] alone. */
  readonly syncConfigFile: string;
  readonly genesisFile: string;
  /** The chain's store: `src/storage/`. */
  readonly data: string;
  /** A second chain that a full re-sync writes, and that takes the place of `data` at a start: `src/storage/chain-swap.ts`. */
  readonly resyncData: string;
  /** Of the application's state, for those that join. Within `data`: they belong to its chain, and go where it goes. */
  readonly snapshots: string;
  /** The application's own; rebuilt from the chain when it is gone. */
  readonly applicationData: string;
  /** States that were not the chain's, for whoever looks into the application (BR-4). */
  readonly divergences: string;
  /** All that this node learned, for replay: `src/record/`. */
  readonly journal: string;
  readonly keys: string;
  /** Of an application that is restored from a snapshot (SY-10). Within `resyncData`, whose chain it belongs to. */
  readonly resyncApplicationData: string;
  /** Which keys of the genesis have proven their possession already. */
  readonly possessions: string;
  /** Where viewers of the running node connect, with this start's token, mode 0600; gone when it stops. */
  readonly inspectorUrlFile: string;
  /** Bearer token of operator commands, mode 0600; written at the first start. */
  readonly adminTokenFile: string;
}

export function homePaths(home: string): HomePaths {
  return {
    home,
    configFile: join(home, 'config', 'althing.toml'),
    syncConfigFile: join(home, 'config', 'sync.toml'),
    genesisFile: join(home, 'config', 'genesis.json'),
    data: join(home, 'data'),
    resyncData: join(home, 'data-resync'),
    snapshots: join(home, 'data', 'snapshots'),
    applicationData: join(home, 'data', 'application'),
    resyncApplicationData: join(home, 'data-resync', 'application'),
    divergences: join(home, 'divergences'),
    journal: join(home, 'journal'),
    keys: join(home, 'keys'),
    possessions: join(home, 'keys', 'possessions'),
    inspectorUrlFile: join(home, 'keys', 'inspector.url'),
    adminTokenFile: join(home, 'keys', 'admin.token'),
  };
}
