/** Journals of simulated nodes: one run for each life of each, as a real node writes them. Boundary: disk. Rules RP-1, SM-1, docs/simulation.md. */
import { join } from 'node:path';
import { Recording } from '../node/recording.ts';
import { thisProgram } from '../node/version.ts';
import { JOURNAL_VERSION } from '../record/opening.ts';
import type { Instance } from './instance.ts';
import type { Setting } from './setting.ts';

/** Of virtual runs all is kept: whoever records one looks at it. */
const UNBOUNDED = {
  segmentBytes: Number.POSITIVE_INFINITY,
  segmentAge: Number.POSITIVE_INFINITY,
  bytesMax: Number.POSITIVE_INFINITY,
  ageMax: Number.POSITIVE_INFINITY,
  waitingBytesMax: Number.POSITIVE_INFINITY,
  freeBytesMin: 0,
} as const;

/** @unit turns @source RP-1 */
const DIGEST_EVERY = 64;

/** Undefined when the run is not recorded. @param seed of the life's own draws */
export function recordingOf(
  { recordTo, epoch: { domain }, clock, seed: scenario }: Setting,
  { node, address }: Instance,
  life: number,
  seed: string,
): Recording | undefined {
  if (recordTo === undefined) return undefined;
  return new Recording({
    dir: join(recordTo, `node${node}`),
    limits: UNBOUNDED,
    writing: 'at once',
    report: () => undefined,
    opening: {
      version: JOURNAL_VERSION,
      run: `life${String(life).padStart(3, '0')}`,
      program: thisProgram(),
      node: { id: address, moniker: `node${node}` },
      chain: { id: domain.chainId, genesisHash: domain.genesisHash },
      startedAt: clock.wall(),
      seed,
      digestEvery: DIGEST_EVERY,
      source: { kind: 'simulation', scenario: String(scenario) },
    },
  });
}
