/** An application of your own in the node's process: a chain of one validator that runs it, and a client that uses it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, StartRefused, startNode } from 'althing';
import { checkResult, type StateRules, stateApplication, transactionResult } from 'althing/application';
import { connect } from 'althing/client';

const textOf = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes);
const bytesOf = (text: string) => new TextEncoder().encode(text);

const counters: StateRules = {
  name: 'counters',
  version: '1',
  begin: () => [],
  check: (name) => checkResult({ code: /^\w{1,20}$/.test(textOf(name)) ? 0 : 1 }),
  execute(transaction, state) {
    const name = textOf(transaction);
    const count = Number(state.get(name) ?? 0) + 1;
    state.set(name, String(count));
    return transactionResult({ log: `${name} is ${count}` });
  },
  query: (_path, name, state) => ({ code: 0, log: '', value: bytesOf(state.get(textOf(name)) ?? '0') }),
};

// Once: keys, configuration, and a genesis that names the application.
const folder = mkdtempSync(join(tmpdir(), 'counters-'));
const home = join(folder, 'home');
const words = ['init', '--home', home, '--application', 'counters', '--application-address', 'in-process'];
execFileSync('npx', ['althing', ...words]);

// At each start. Here any ports that are free; without the list those of the home's configuration.
const read = loadConfig(home, process.env, [
  { path: 'p2p.listen', text: '127.0.0.1:0', flag: 'p2p.listen' },
  { path: 'rpc.listen', text: '127.0.0.1:0', flag: 'rpc.listen' },
  { path: 'log.level', text: 'error', flag: 'log.level' },
]);
if (read.status === 'refused') throw new StartRefused('config', read.problems);
const node = await startNode(home, read.loaded.config, {
  application: { name: 'counters', open: ({ dir }) => stateApplication(counters, { dir }) },
});

const client = connect({ endpoints: [`http://${node.port.status().rpcAddress}`] });
for (const name of ['ada', 'eve', 'ada']) {
  const end = await (await client.submit(name)).outcome;
  console.log(end.status === 'committed' ? end.result.log : end.status);
}
client.close();
await node.stop();
rmSync(folder, { recursive: true });

// Prints:
// ada is 1
// eve is 1
// ada is 2
