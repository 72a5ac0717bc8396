/**
 * Processor time of what a node does about time: one reading of adjusted time (each input of each cell is stamped with it),
 * one update among 4, 16, 100 and 512 validators, one selection of NTP servers. Run: node bench/time.bench.ts. Set-up is
 * outside the loops; each line is the median of 5 runs.
 */
import { millis, monotonic, wallTime } from '../src/base/units.ts';
import { parseAddress } from '../src/protocol/chain/parse.ts';
import { midpointOf, type Reading } from '../src/protocol/time/midpoint.ts';
import { type Candidate, selectServers } from '../src/protocol/time/selection.ts';
import { AdjustedClock } from '../src/time/adjusted-clock.ts';
import { spentSince } from './processor.ts';

const RUNS = 5;
const WALL = 1_700_000_000_000;

function measure(name: string, times: number, work: () => unknown): void {
  const micros = Array.from({ length: RUNS }, () => {
    globalThis.gc?.();
    const start = process.cpuUsage();
    for (let time = 0; time < times; time += 1) work();
    return spentSince(start) / times;
  }).sort((left, right) => left - right);
  const [least, median, most] = [micros[0], micros[RUNS >> 1], micros[RUNS - 1]].map((value) =>
    value?.toFixed(3),
  );
  console.log(`${name.padEnd(48)} ${median?.padStart(10)} µs (${least} to ${most})`);
}

const clock = { now: () => monotonic(performance.now()), wall: () => wallTime(Date.now()) };
const adjusted = new AdjustedClock(clock);
measure('reading the system clock', 1_000_000, () => clock.wall());
adjusted.discipline({ at: clock.now(), time: clock.wall(), ratePpm: 12, slewMs: 40 }, true);
measure('reading adjusted time', 1_000_000, () => adjusted.read());

for (const validators of [4, 16, 100, 512]) {
  const readings = Array.from({ length: validators }, (_, index): Reading => {
    const peer = parseAddress(index.toString(16).padStart(40, '0'));
    if (peer === 'malformed') throw new Error('an address has 40 digits');
    const offset = WALL + ((index * 7_919) % 1_000) / 100;
    return {
      peer,
      power: 1n,
      offset,
      interval: { lo: offset - 1, hi: offset + 1 },
      reliability: 0.9,
    };
  });
  measure(`midpoint of ${validators} validators`, 200_000 / validators, () =>
    midpointOf({ readings, totalPower: BigInt(validators) }),
  );
}

for (const servers of [4, 16]) {
  const candidates = Array.from(
    { length: servers },
    (_, index): Candidate => ({
      server: `ntp${index}`,
      offset: WALL + index / 10 + (index === 0 ? 5_000 : 0),
      rootDistance: millis(5 + index),
      jitter: 0.1,
      stratum: 2,
    }),
  );
  measure(`selection of ${servers} NTP servers, one wrong`, 20_000, () => selectServers(candidates));
}
