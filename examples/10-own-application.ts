/** An application of your own: counters that everybody may raise. Tried out here as a node would run it, crash included. */
import { createHash } from 'node:crypto';
import { type Application, type Digest, rehearse, type TransactionResult } from 'althing/application';

const NOTHING = new Uint8Array(0);
const done = (log: string, code = 0): TransactionResult => ({
  code,
  log,
  data: NOTHING,
  codespace: 'counters',
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
});

/** Keeps nothing on disk, so it starts at height 0 and the node replays the chain to it. */
function counters(): Application {
  const counts = new Map<string, number>();
  const hash = () =>
    createHash('sha256')
      .update(JSON.stringify([...counts]))
      .digest('hex') as Digest;
  let executed = { height: 0, appHash: hash() } as Awaited<ReturnType<Application['info']>>['executed'];
  const nameIn = (bytes: Uint8Array) => /^raise (\w{1,20})$/.exec(new TextDecoder().decode(bytes))?.[1];
  return {
    info: () => ({ name: 'counters', version: '1', executed }),
    initChain: () => ({ appHash: executed.appHash }),
    checkTx: (transaction) => ({
      code: nameIn(transaction) === undefined ? 1 : 0,
      log: 'raise NAME',
      codespace: 'counters',
      priority: 0n,
    }),
    finalizeBlock({ height, transactions }) {
      const results = transactions.map((transaction) => {
        const name = nameIn(transaction);
        if (name === undefined) return done('raise NAME', 1);
        counts.set(name, (counts.get(name) ?? 0) + 1);
        return done(`${name} is ${counts.get(name)}`);
      });
      executed = { height, appHash: hash() };
      return { results, events: [], validatorUpdates: [], appHash: executed.appHash };
    },
    query: (_path, key) => {
      const value = new TextEncoder().encode(String(counts.get(new TextDecoder().decode(key)) ?? 0));
      return { code: 0, log: '', codespace: 'counters', key, value, height: executed.height };
    },
  };
}

const block = (...texts: string[]) => texts.map((text) => new TextEncoder().encode(text));
const blocks = [block('raise ada', 'raise eve'), block('raise ada', 'lower eve')];
const { problems, results } = await rehearse({ fresh: counters, reopen: counters, blocks });
console.log(
  results
    .flat()
    .map(({ log }) => log)
    .join('; '),
);
console.log(problems.length === 0 ? 'fit for a chain' : problems.join('\n'));

// Prints:
// ada is 1; eve is 1; ada is 2; raise NAME
// fit for a chain
