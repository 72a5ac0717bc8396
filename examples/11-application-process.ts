/** An application of your own in a process of its own: served over a socket, and asked here as a node would ask it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Application,
  appHashOf,
  checkResult,
  type ExecutedState,
  GENESIS_HEIGHT,
  rehearse,
  remoteApplication,
  serveApplication,
  transactionResult,
} from 'althing/application';

/** Counts all transactions there ever were. In memory: each connection begins at height 0, and the node replays the chain. */
function counter(): Application {
  let count = 0;
  let executed: ExecutedState = { height: GENESIS_HEIGHT, appHash: appHashOf() };
  return {
    info: () => ({ name: 'counter', version: '1', executed }),
    initChain: () => ({ appHash: executed.appHash }),
    checkTx: () => checkResult(),
    finalizeBlock({ height, transactions }) {
      const results = transactions.map(() => transactionResult({ log: `transaction ${++count}` }));
      executed = { height, appHash: appHashOf(String(count)) };
      return { results, events: [], validatorUpdates: [], appHash: executed.appHash };
    },
    query: (_path, key) => {
      const value = new TextEncoder().encode(String(count));
      return { code: 0, log: '', codespace: '', key, value, height: executed.height };
    },
  };
}

// In the application's process: this is all it takes.
const dir = mkdtempSync(join(tmpdir(), 'althing-example-'));
const served = await serveApplication(counter, { listen: `unix:${join(dir, 'app.sock')}` });

// In the node's process `application.address` names the socket, and the genesis the application: app.name = "counter".
const open = () => remoteApplication({ address: served.address, chainId: 'example', name: 'counter' });
const blocks = [['a', 'b'], ['c']].map((block) => block.map((text) => new TextEncoder().encode(text)));
const { problems, results } = await rehearse({ fresh: open, reopen: open, blocks });
for (const { log } of results.flat()) console.log(log);
console.log(problems.length === 0 ? 'fit for a chain' : problems.join('\n'));
await served.close();
rmSync(dir, { recursive: true });

// Prints:
// transaction 1
// transaction 2
// transaction 3
// fit for a chain
