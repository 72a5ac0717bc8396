/** Holds the arrows between layers (.dependency-cruiser.mjs), and fails when the tool read no modules. */
import { spawnSync } from 'node:child_process';

interface CruiseResult {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
  };
}

/** Fewer than this means that the tool did not read the sources. @unit modules */
const MODULES_MIN = 20;

const run = spawnSync(
  'depcruise',
  [
    '--config',
    '.dependency-cruiser.mjs',
    '--output-type',
    'json',
    'src',
    'examples',
    'visualize/src',
    'visualize/dev',
  ],
  {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  },
);
if (!run.stdout.startsWith('{')) {
  console.error(run.stderr || run.stdout || String(run.error));
  process.exit(1);
}
const { summary } = JSON.parse(run.stdout) as CruiseResult;
for (const { from, to, rule } of summary.violations) console.error(`${rule.name}: ${from} → ${to}`);
if (summary.totalCruised < MODULES_MIN) console.error(`only ${summary.totalCruised} modules were read`);
console.log(`${summary.totalCruised} modules, ${summary.violations.length} violations`);
process.exit(summary.violations.length > 0 || summary.totalCruised < MODULES_MIN ? 1 : 0);
