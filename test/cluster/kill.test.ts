/** kill -9 of real validators under load: the others go on, the dead return, nothing acknowledged is lost. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

/** More with ALTHING_KILL_CYCLES. @unit kills */
const CYCLES = Number(process.env['ALTHING_KILL_CYCLES'] ?? 4);
const VALIDATORS = [0, 1, 2, 3];

describe('kill -9 under load', () => {
  let validators: Validators;
  const acknowledged: string[] = [];
  let loading = true;
  let load: Promise<void> | undefined;

  beforeAll(async () => {
    validators = await Validators.create();
    for (const index of VALIDATORS) validators.start(index);
    await eventually('blocks are committed', 30_000, async () => {
      const height = await validators.network.height(0);
      return height !== undefined && height > 1 ? height : undefined;
    });
    load = sendUntilStopped();
  });
  afterAll(async () => {
    loading = false;
    await load;
    await validators.remove();
  });

  async function sendUntilStopped(): Promise<void> {
    for (let sequence = 0; loading; sequence += 1) {
      const tx = Buffer.from(`key${sequence}=value${sequence}`).toString('base64');
      const answer = await validators.network.call(sequence % 4, 'broadcast_tx_commit', { tx });
      if (answer?.check_tx?.code === 0 && Number(answer.height) > 0) acknowledged.push(`key${sequence}`);
    }
  }

  const tipOf = async (indices: readonly number[]): Promise<number> =>
    Math.max(
      ...(await Promise.all(indices.map(async (index) => (await validators.network.height(index)) ?? 0))),
    );

  it(
    `commits on after each of ${CYCLES} kills, and each killed validator is back at the tip within 10 s`,
    async () => {
      for (let cycle = 0; cycle < CYCLES; cycle += 1) {
        const victim = cycle % 4;
        const others = VALIDATORS.filter((index) => index !== victim);
        await validators.kill(victim);
        const before = await tipOf(others);
        await eventually(`cycle ${cycle}: the others commit`, 10_000, async () =>
          (await tipOf(others)) > before + 1 ? true : undefined,
        );
        const tip = await tipOf(others);
        validators.start(victim);
        await eventually(`cycle ${cycle}: validator ${victim} is at the tip again`, 10_000, async () => {
          const height = await validators.network.height(victim);
          return height !== undefined && height >= tip ? true : undefined;
        });
      }
      expect(VALIDATORS.every((index) => validators.runs(index))).toBe(true);
    },
    60_000 + CYCLES * 25_000,
  );

  it('has lost no acknowledged transaction on any validator', async () => {
    loading = false;
    await load;
    expect(acknowledged.length).toBeGreaterThan(CYCLES);
    for (const key of acknowledged) {
      const data = Buffer.from(key).toString('hex');
      for (const index of VALIDATORS) {
        await eventually(`validator ${index} has ${key}`, 10_000, async () => {
          const answer = await validators.network.call(index, 'abci_query', { path: '', data });
          return answer?.response?.value ?? undefined;
        });
      }
    }
  }, 120_000);
});
