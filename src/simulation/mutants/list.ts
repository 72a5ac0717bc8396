/** All mutants of the rules. The seed and the claim that caught each: docs/simulation/mutants.md. Rule SM-8. */
import type { Mutant } from './mutant.ts';
import { OF_CERTIFICATES } from './of-certificates.ts';
import { OF_CHAIN } from './of-chain.ts';
import { OF_EPOCHS } from './of-epochs.ts';
import { OF_PACE } from './of-pace.ts';
import { OF_SIGNING } from './of-signing.ts';
import { OF_SYNC } from './of-sync.ts';
import { OF_TIME } from './of-time.ts';

export const MUTANTS: readonly Mutant[] = [
  ...OF_SIGNING,
  ...OF_CERTIFICATES,
  ...OF_CHAIN,
  ...OF_EPOCHS,
  ...OF_PACE,
  ...OF_TIME,
  ...OF_SYNC,
];
