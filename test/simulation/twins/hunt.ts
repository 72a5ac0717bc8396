/**
 * `node --import src/simulation/mutants/loader.ts test/simulation/twins/hunt.ts <seed> <scenarios> [claim]`: Twins on a
 * source with one rule broken, until the claim breaks: no two commits differ, or another. Prints one line of JSON.
 * Boundary: process.
 */
import { parseArgs } from 'node:util';
import { ONE_CHAIN } from '../../../src/simulation/checkers/agreement.ts';
import { runTwins } from '../../../src/simulation/twins/index.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const [seed = '1', count = '400', wanted = ONE_CHAIN] = positionals;
const started = performance.now();
let found = false;
const report = runTwins({
  seed,
  count: Number(count),
  sampling: 'hiding',
  healEvery: 0,
  progress: (_, unsafe) => {
    found ||= unsafe?.violations.some(({ claim }) => claim === wanted) ?? false;
    return found;
  },
});
const seconds = Math.round(performance.now() - started) / 1_000;
console.log(JSON.stringify({ found, scenarios: report.scenarios, unsafe: report.unsafe, seconds }));
