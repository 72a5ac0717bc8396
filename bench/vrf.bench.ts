/**
 * Microseconds of CPU a call of the VRF (CS-17), of drawing a leader, and of a block's share of the standing. Run: node bench/vrf.bench.ts
 * Set-up is outside the loops; each line is the median of 5 runs. CPU time: other work on the machine counts for little.
 */
import { utf8 } from '../src/base/bytes.ts';
import { ed25519PublicKeyOf } from '../src/crypto/ed25519.ts';
import { sha256 } from '../src/crypto/hash.ts';
import { ECVRF, vrfOutput } from '../src/crypto/vrf.ts';
import { nextRound, ROOT_ROUND } from '../src/protocol/chain/ordinals.ts';
import { leaderAt } from '../src/protocol/consensus/epoch.ts';
import { rootStanding, standingAfter } from '../src/protocol/consensus/standing.ts';
import { world } from '../test/protocol/consensus/fixture.ts';

const RUNS = 5;

function measure(name: string, repeats: number, call: (at: number) => unknown): void {
  for (let count = 0; count < repeats; count += 1) call(count);
  const micros = Array.from({ length: RUNS }, () => {
    const start = process.cpuUsage();
    for (let count = 0; count < repeats; count += 1) call(count);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / repeats;
  });
  const median = micros.sort((left, right) => left - right)[RUNS >> 1] ?? Number.NaN;
  console.log(`${name.padEnd(46)} ${median.toFixed(1).padStart(10)} µs`);
}

const secret = sha256(utf8('bench'));
const key = ed25519PublicKeyOf(secret);
if (key === undefined) throw new Error('a secret of 32 bytes has a key');
const inputs = Array.from({ length: 200 }, (_, index) => utf8(`input ${index}`));
const proofs = inputs.map((input) => ECVRF.prove(secret, input) ?? new Uint8Array(0));
const at = <Item>(items: readonly Item[], index: number): Item => {
  const item = items[index % items.length];
  if (item === undefined) throw new Error('the bench expected an item');
  return item;
};

measure('prove', 200, (index) => ECVRF.prove(secret, at(inputs, index)));
measure('verify', 200, (index) => ECVRF.verify(key, at(inputs, index), at(proofs, index)));
measure('output of a verified proof', 200, (index) => vrfOutput(at(proofs, index)));

for (const validators of [4, 100, 512]) {
  const powers = Array.from({ length: validators }, (_, index) => BigInt(1 + index));
  const { epoch } = world(powers, 'bench', undefined, {
    leaderSchedule: 'stake_weighted',
    leaderReputation: true,
    vrf: true,
  });
  let round = ROOT_ROUND;
  measure(`leader drawn of ${validators}`, 1_000, () => {
    round = nextRound(round);
    return leaderAt(epoch, round);
  });
  const root = rootStanding(epoch);
  const block = { round: nextRound(ROOT_ROUND), parentRound: ROOT_ROUND, vrfProof: at(proofs, 0) };
  measure(`standing of ${validators} with one block more`, 200, () => standingAfter(epoch, root, block));
}
