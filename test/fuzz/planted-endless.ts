/** A process that an input which never ends takes with it: for the watchdog's test. */
import { fuzz } from './loop.ts';
import { endless } from './planted.ts';

await fuzz(async () => endless, { seed: 1, seconds: 20, heap: false, patienceMs: 400 });
