/**
 * A validator that votes twice, against three honest ones, each a process: keys of a home that no process runs, two votes over a
 * real link. Nobody sends a transaction, and it is punished, once. Rules LG-11, LG-12, CS-14.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { digestOf, voteStatementBytes } from '../../src/protocol/chain/canonical.ts';
import type { BlockId, Vote } from '../../src/protocol/chain/types.ts';
import { doubleVote } from '../../src/protocol/consensus/evidence.ts';
import { height, present, round } from '../protocol/consensus/fixture.ts';
import { Attacker } from './support/attacker.ts';
import { eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

const HONEST = [0, 1, 2];
const MALLORY = 3;

let validators: Validators;
let attacker: Attacker;
beforeAll(async () => {
  validators = await Validators.create({ application: 'ledger' });
  for (const index of HONEST) validators.start(index);
  await eventually('blocks are committed', 30_000, async () =>
    ((await validators.network.height(0)) ?? 0) > 1 ? true : undefined,
  );
  attacker = await Attacker.create(validators, MALLORY);
});
afterAll(() => validators.remove());

async function ask(index: number, path: string, text = ''): Promise<Record<string, string | null>> {
  const answer = await validators.network.call(index, 'abci_query', {
    path,
    data: Buffer.from(text).toString('hex'),
  });
  return JSON.parse(Buffer.from(answer?.response?.value ?? 'bnVsbA==', 'base64').toString()) ?? {};
}

async function presentRound(index: number): Promise<number> {
  const response = await fetch(`http://${validators.network.rpcOf(index)}/metrics`);
  return Number(/^cometbft_consensus_rounds (\S+)$/m.exec(await response.text())?.[1]);
}

/** Mallory's vote for a block that nobody knows. */
function voteFor(name: string, at: number): Vote {
  const { epoch, signer } = attacker;
  const id = (text: string) => digestOf(utf8(text)) as string as BlockId;
  const statement = {
    ...{ epoch: epoch.epoch, round: round(at), height: height(2), parentRound: round(at - 1) },
    ...{ blockId: id(name), parentId: id('parent') },
  };
  const signature = present(signer.sign(voteStatementBytes(epoch.domain, statement)), 'a signature');
  return { ...statement, validator: signer.address, signature };
}

describe('a validator that votes twice', () => {
  it('makes nothing up of others: false evidence is refused, and its sender banned (CS-14)', async () => {
    const line = await attacker.connect(0);
    const others = attacker.epoch.set.validators.filter(({ address }) => address !== attacker.signer.address);
    const innocent = present(others[0], 'a validator').address;
    for (let number = 1; number < 6; number += 1) {
      const accuse = (name: string): Vote => ({ ...voteFor(name, 9_000 + number), validator: innocent });
      const evidence = present(doubleVote(accuse('a'), accuse('b')), 'an offence');
      line.say({ kind: 'Evidence', evidence });
    }
    expect(await line.ended()).toBe('BANNED');
    expect(await ask(0, '/validator', innocent)).toMatchObject({ jailed_at: null });
  });

  it('is punished once, though two saw it: one block carries the proof (CS-14, LG-11)', async () => {
    const before = await ask(0, '/validator', attacker.signer.address);
    const { burned: burnedBefore } = await ask(0, '/supply');
    for (const victim of [1, 2]) {
      const line = await attacker.connect(victim);
      const at = (await presentRound(victim)) + 4;
      // Enough for one that is entered meanwhile.
      for (const offset of [0, 1, 2]) {
        for (const name of ['one', 'other']) {
          line.say({ kind: 'Vote', vote: voteFor(`${name} of ${victim}`, at + offset) });
        }
      }
      expect(await line.ended()).toBe('BANNED');
    }
    const jailedAt = await eventually('the offender is punished on every node', 30_000, async () => {
      const records = await Promise.all(
        HONEST.map((index) => ask(index, '/validator', attacker.signer.address)),
      );
      const heights = records.map((record) => record['jailed_at']);
      return heights.every((one) => typeof one === 'string') ? heights : undefined;
    });
    expect(new Set(jailedAt).size).toBe(1);
    const carrier = await validators.network.call(0, 'block', { height: String(jailedAt[0]) });
    expect(carrier).toMatchObject({
      block: { evidence: { evidence: [{ type: 'tendermint/DuplicateVoteEvidence' }] } },
    });
    // Time for the other's evidence: it changes nothing any more.
    const then = (await validators.network.height(0)) ?? 0;
    await eventually('more blocks', 30_000, async () =>
      ((await validators.network.height(0)) ?? 0) > then + 5 ? true : undefined,
    );
    for (const index of HONEST) {
      const record = await ask(index, '/validator', attacker.signer.address);
      const share = BigInt(before['stake'] ?? 0) / 20n;
      expect(record).toMatchObject({
        ...{ jailed_at: jailedAt[0], power: '0' },
        stake: String(BigInt(before['stake'] ?? 0) - share),
      });
      const { burned } = await ask(index, '/supply');
      expect(BigInt(burned ?? 0) - BigInt(burnedBefore ?? 0)).toBe(share);
      expect(validators.runs(index)).toBe(true);
    }
  }, 90_000);
});
