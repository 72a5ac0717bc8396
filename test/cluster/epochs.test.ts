/**
 * A network of processes whose validators change while transactions flow: a full node becomes one of them, votes, signs with
 * another key, and leaves. Rules CS-16, CS-19; docs/operator-guide.md, "Validators come and go".
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { loadBlsEngine } from '../../src/crypto/bls/select.ts';
import { validatorOf } from '../../src/protocol/chain/validator-set.ts';
import { readAddresses, readEpoch } from './support/chain.ts';
import { auditEpochs } from './support/epoch-audit.ts';
import { Load } from './support/load.ts';
import { eventually } from './support/local-network.ts';
import { commit, joining, leaving, reaches, shownKeys } from './support/membership.ts';
import { Validators } from './support/validators.ts';

const VALIDATORS = [0, 1, 2, 3];
const FIFTH = 4;
const ALL = [...VALIDATORS, FIFTH];

let validators: Validators;

beforeAll(async () => {
  validators = await Validators.create({ full: 1 });
  for (const index of ALL) validators.start(index);
});
afterAll(() => validators?.remove());

async function follows(index: number, blocks: number): Promise<void> {
  const from = (await validators.network.height(0)) ?? 0;
  await eventually(`${index} has ${blocks} blocks more`, 30_000, async () =>
    ((await validators.network.height(index)) ?? 0) >= from + blocks ? true : undefined,
  );
}

describe('a fifth node', () => {
  it('becomes a validator, votes, rotates its key and leaves; no transaction is lost, each certificate is of its epoch (CS-16)', async () => {
    const { network } = validators;
    await follows(FIFTH, 2);
    const load = new Load(network, VALIDATORS);
    const home = network.homeOf(FIFTH);
    const original = await shownKeys(home, 'show-validator');
    await commit(network, 0, joining(original));
    for (const index of ALL) await reaches(network, index, 1, '1');
    await follows(FIFTH, 10);
    // It holds both from its start on: which of them signs the set of each epoch says.
    const rotated = await shownKeys(home, 'rotate-key');
    await validators.kill(FIFTH);
    validators.start(FIFTH);
    await follows(FIFTH, 5);
    await commit(network, 0, joining(rotated));
    await reaches(network, FIFTH, 2, '1');
    await follows(FIFTH, 10);
    await commit(network, 0, leaving(rotated));
    await reaches(network, FIFTH, 3, '0');
    await follows(FIFTH, 5);
    await load.stop();
    expect(load.acknowledged.length).toBeGreaterThan(20);
    for (const index of [0, FIFTH]) {
      await eventually(`${index} has all`, 30_000, async () => {
        const values = await network.values(index, load.acknowledged);
        return load.acknowledged.every((key, at) => values[at] === load.valueOf(key)) ? true : undefined;
      });
    }
    expect(validators.stderr).toMatch(/epoch 0 ended .*this node is a validator now, and votes/);
    expect(validators.wordsOf(FIFTH)).toMatch(/this node is no validator any more: it follows/);
    for (const index of ALL) await validators.kill(index);

    const { engine } = await loadBlsEngine();
    const first = readEpoch(network.homeOf(0), engine);
    const fifth = readAddresses(network, ALL.length, engine)[FIFTH];
    if (fifth === undefined) throw new Error('five nodes');
    for (const index of [0, FIFTH]) {
      const epochs = auditEpochs(network.homeOf(index), first, engine);
      expect(epochs.map(({ context }) => context.set.validators.length)).toEqual([4, 5, 5, 4]);
      expect(epochs.map(({ signed }) => (signed.get(fifth) ?? 0) > 0)).toEqual([false, true, true, false]);
      const keys = epochs.map(({ context: { set } }) => validatorOf(set, fifth)?.consensusKey);
      expect(keys.map((key) => (key === undefined ? undefined : toHex(key)))).toEqual([
        undefined,
        original.consensus_key,
        rotated.consensus_key,
        undefined,
      ]);
    }
  });
});
