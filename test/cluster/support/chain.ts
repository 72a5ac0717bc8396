/** The chain that a local network's homes belong to: its first epoch, its validators by index of home. Boundary: disk. */
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { loadGenesis } from '../../../src/node/config/genesis-file.ts';
import { homePaths } from '../../../src/node/config/home.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import { type EpochContext, firstEpoch } from '../../../src/protocol/consensus/epoch.ts';
import { loadKeys, type NodeKeys } from '../../../src/storage/key-store.ts';
import { nodeIdentity } from '../../../src/transport/identity.ts';
import type { LocalNetwork } from './local-network.ts';

export function readEpoch(home: string, bls: BlsEngine): EpochContext {
  const loaded = loadGenesis(homePaths(home).genesisFile, bls);
  if (loaded.status === 'refused') throw new Error(JSON.stringify(loaded.problems));
  const set = validatorSet(loaded.genesis.validators);
  if ('code' in set) throw new Error(set.code);
  return firstEpoch(
    { genesisHash: loaded.hash, chainId: loaded.genesis.chainId },
    set,
    loaded.genesis.parameters,
  );
}

export function readKeys(home: string, engine: BlsEngine): NodeKeys {
  const result = loadKeys(homePaths(home).keys, { engine });
  if (result.status === 'refused') throw new Error(JSON.stringify(result.problem));
  return result.keys;
}

/** Node ids by index of home; the set's order is another one. */
export function readAddresses(network: LocalNetwork, count: number, engine: BlsEngine): readonly Address[] {
  return Array.from(
    { length: count },
    (_, index) => nodeIdentity(readKeys(network.homeOf(index), engine).nodeSecret).id,
  );
}
