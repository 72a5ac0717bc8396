/**
 * A process that writes a side store beside a running one, seals it, and swaps it in; it is killed from outside.
 * Arguments: the home, and what it does. Lines: `ready`, then what is done.
 */
import { writeSync } from 'node:fs';
import { completeSwap, rollbackSwap } from '../../src/storage/chain-swap.ts';
import { sideFolder } from '../../src/storage/side-disk.ts';
import { batch, chain, committed, IDENTITY, write } from './fixtures.ts';
import { openedNode, swapOptions, swapPaths } from './swap-fixture.ts';

const [home, what] = process.argv.slice(2);
if (home === undefined) throw new Error('give the home');
const paths = swapPaths(home);

if (what === 'download') {
  const running = openedNode(paths);
  const disk = sideFolder({ identity: IDENTITY, dir: paths.resyncData, data: paths.data });
  const blocks = chain(400);
  writeSync(1, 'ready\n');
  for (;;) {
    const store = disk.create();
    if ('status' in store) throw new Error(store.detail);
    for (let at = 0; at < blocks.length; at += 20) {
      const part = blocks.slice(at, at + 20);
      write(
        store,
        { kind: 'batches', batches: [batch(`part ${at}`, 20_000)] },
        { kind: 'commit', blocks: part.map(committed) },
      );
    }
    store.close();
    write(running, { kind: 'batches', batches: [batch('still running', 50)] });
  }
}
writeSync(1, 'ready\n');
const outcome =
  what === 'rollback' ? rollbackSwap(paths, { chain: IDENTITY }) : completeSwap(paths, swapOptions());
writeSync(1, `${outcome.status}\n`);
