/** An application of your own: counters that everybody may raise. Tried out here as a node would run it, crash included. */
import {
  type Application,
  appHashOf,
  checkResult,
  type ExecutedState,
  GENESIS_HEIGHT,
  rehearse,
  transactionResult,
} from 'althing/application';

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (text: string) => new TextEncoder().encode(text);
const nameIn = (bytes: Uint8Array) => /^raise (\w{1,20})$/.exec(textOf(bytes))?.[1];

/** Keeps nothing on disk, so it starts at height 0 and the node replays the chain to it. */
function counters(): Application {
  const counts = new Map<string, number>();
  let executed: ExecutedState = { height: GENESIS_HEIGHT, appHash: appHashOf() };
  const raise = (name: string | undefined) => {
    if (name === undefined) return transactionResult({ code: 1, log: 'expected: raise NAME' });
    counts.set(name, (counts.get(name) ?? 0) + 1);
    return transactionResult({ log: `${name} is ${counts.get(name)}` });
  };
  return {
    info: () => ({ name: 'counters', version: '1', executed }),
    initChain: () => ({ appHash: executed.appHash }),
    checkTx: (transaction) => checkResult({ code: nameIn(transaction) === undefined ? 1 : 0 }),
    finalizeBlock({ height, transactions }) {
      const results = transactions.map((transaction) => raise(nameIn(transaction)));
      executed = { height, appHash: appHashOf(JSON.stringify([...counts])) };
      return { results, events: [], validatorUpdates: [], appHash: executed.appHash };
    },
    query: (_path, key) => {
      const value = bytesOf(String(counts.get(textOf(key)) ?? 0));
      return { code: 0, log: '', codespace: '', key, value, height: executed.height };
    },
  };
}

const blocks = [
  ['raise ada', 'raise eve'],
  ['lower eve', 'raise ada'],
].map((block) => block.map(bytesOf));
const { problems, results } = await rehearse({ fresh: counters, reopen: counters, blocks });
for (const { log } of results.flat()) console.log(log);
console.log(problems.length === 0 ? 'fit for a chain' : problems.join('\n'));

// Prints:
// ada is 1
// eve is 1
// expected: raise NAME
// ada is 2
// fit for a chain
