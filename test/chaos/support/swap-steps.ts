/** One step of a swap of chains, of the home in a folder that this process alone may see: `<step> <folder>`; JSON on stdout. */
import { join } from 'node:path';
import { completeSwap, rollbackSwap } from '../../../src/storage/chain-swap.ts';
import { keepForkEvidence, readForkEvidence } from '../../../src/storage/fork-evidence.ts';
import { sideFolder } from '../../../src/storage/side-disk.ts';
import type { Store } from '../../../src/storage/store.ts';
import { batch, committed, IDENTITY, write } from '../../storage/fixtures.ts';
import {
  NEW_CHAIN,
  NOW,
  newHome,
  openedNode,
  sealSide,
  swapOptions,
  swapPaths,
} from '../../storage/swap-fixture.ts';

const [step = '', folder = ''] = process.argv.slice(2);
const paths = swapPaths(join(folder, 'home'));
/** Of the side store's folder, as of a re-sync that was let begin: there was room then. */
const side = sideFolder({
  identity: IDENTITY,
  dir: paths.resyncData,
  data: paths.data,
  segmentBytes: 65_536,
  freeBytes: () => undefined,
});
const tip = NEW_CHAIN.at(-1);
if (tip === undefined) throw new Error('a tip');

function created(): Store {
  const store = side.create();
  if ('status' in store) throw new Error(store.detail);
  return store;
}

/** Batches, for as long as the disk takes them. */
function writeUntilFull(store: Store) {
  for (let number = 0; number < 1_000; number += 1) {
    const staged = store.stage([{ kind: 'batches', batches: [batch(`${number}`, 100_000)] }]);
    const outcome = staged.status === 'failed' ? staged : store.sync();
    if (outcome.status === 'failed') return outcome;
  }
  return 'the disk took everything';
}

/** Of the chain that a start goes on with. */
function standing() {
  const store = openedNode(paths);
  const [newest, recovered] = [store.tip(), store.recover()];
  store.close();
  if (newest.status !== 'found' || recovered.status !== 'found') return 'the chain cannot be read';
  return { height: newest.value.height, id: newest.value.id, version: recovered.value.recordVersion };
}

const STEPS: Readonly<Record<string, () => unknown>> = {
  home: () => newHome(folder),
  standing,
  begin: () => {
    const { identity, dir, data } = { identity: IDENTITY, dir: paths.resyncData, data: paths.data };
    const store = sideFolder({ identity, dir, data }).create();
    return 'status' in store ? store : 'begun';
  },
  download() {
    const store = created();
    const outcome = writeUntilFull(store);
    store.close();
    return outcome;
  },
  refused: () => side.create(),
  discard: () => side.discard() ?? 'discarded',
  write() {
    const store = created();
    write(store, { kind: 'commit', blocks: NEW_CHAIN.map(committed) });
    store.close();
  },
  seal: () => side.seal(tip.block.header.height, tip.id) ?? 'sealed',
  sealed: () => sealSide(paths, IDENTITY, side),
  swap: () => completeSwap(paths, swapOptions()),
  rollback: () => rollbackSwap(paths, { chain: IDENTITY }),
  keep: () => keepForkEvidence(paths, { detail: 'height 7: two proofs', at: NOW }),
  evidence: () => readForkEvidence(paths) ?? 'none',
};
process.stdout.write(JSON.stringify(STEPS[step]?.() ?? null));
