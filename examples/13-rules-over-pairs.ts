/** The counters of 10-own-application.ts as rules alone: the shell keeps them on disk, hashes them, and makes snapshots. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkResult,
  rehearse,
  type StateRules,
  stateApplication,
  transactionResult,
} from 'althing/application';

const textOf = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes);
const bytesOf = (text: string) => new TextEncoder().encode(text);
const nameIn = (bytes: Uint8Array) => /^raise (\w{1,20})$/.exec(textOf(bytes))?.[1];

const counters: StateRules = {
  name: 'counters',
  version: '1',
  begin: () => [],
  check: (transaction) => checkResult({ code: nameIn(transaction) === undefined ? 1 : 0 }),
  execute(transaction, state) {
    const name = nameIn(transaction);
    if (name === undefined) return transactionResult({ code: 1, log: 'expected: raise NAME' });
    const count = Number(state.get(name) ?? 0) + 1;
    state.set(name, String(count));
    return transactionResult({ log: `${name} is ${count}` });
  },
  query: (_path, data, state) => ({ code: 0, log: '', value: bytesOf(state.get(textOf(data)) ?? '0') }),
};

const folder = mkdtempSync(join(tmpdir(), 'counters-'));
let lives = 0;
const fresh = () => {
  lives += 1;
  return reopen();
};
const reopen = () => stateApplication(counters, { dir: join(folder, String(lives)), flushHeights: 1 });

const blocks = [
  ['raise ada', 'raise eve'],
  ['lower eve', 'raise ada'],
].map((block) => block.map(bytesOf));
const { problems, results } = await rehearse({ fresh, reopen, blocks });
rmSync(folder, { recursive: true });
for (const { log } of results.flat()) console.log(log);
console.log(problems.length === 0 ? 'fit for a chain' : problems.join('\n'));

// Prints:
// ada is 1
// eve is 1
// expected: raise NAME
// ada is 2
// fit for a chain
