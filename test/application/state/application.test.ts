import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { checkResult, transactionResult } from '../../../src/application/answers.ts';
import { type StateOptions, stateApplication } from '../../../src/application/state/application.ts';
import type { StateRules, StateWriter } from '../../../src/application/state/rules.ts';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { wallTime } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import type { Digest } from '../../../src/protocol/chain/types.ts';
import { parseStateProof } from '../../../src/protocol/light/encoding.ts';
import { verifyStateProof } from '../../../src/protocol/light/state.ts';
import type { Application, BlockResult } from '../../../src/protocol/ports/application.ts';
import { VALIDATORS_MAX } from '../../../src/protocol/transport/limits.ts';
import { present } from '../../protocol/consensus/fixture.ts';
import { address, height } from '../../storage/fixtures.ts';
import { counter, validator } from './counter.ts';

const folders: string[] = [];
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'althing-state-'));
  folders.push(dir);
  return dir;
};
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});

const VALIDATORS = [validator(1, 3n), validator(2, 2n)];
const GENESIS = {
  chainId: 'c',
  genesisHash: digestOf(new Uint8Array()),
  genesisTime: wallTime(0),
  validators: VALIDATORS,
  appState: { start: 7 },
};

async function started(options: StateOptions = {}, rules: StateRules = counter): Promise<Application> {
  const application = stateApplication(rules, options);
  await application.initChain(GENESIS);
  return application;
}

const block = async (
  application: Application,
  at: number,
  ...texts: readonly string[]
): Promise<BlockResult> =>
  application.finalizeBlock({
    height: height(at),
    blockId: digestOf(Uint8Array.of(at)),
    time: wallTime(at),
    proposer: address(1),
    randomness: digestOf(Uint8Array.of(at)),
    transactions: texts.map(utf8),
  });

const numberOf = async (application: Application, name: string): Promise<string> =>
  Buffer.from((await application.query('', utf8(name))).value).toString();
const powersOf = async (application: Application): Promise<string> =>
  (await application.query('', utf8(''))).log;

describe('an application made of rules', () => {
  it('keeps what transactions of code 0 write, and each sees what it wrote itself', async () => {
    const application = await started();
    const { results } = await block(application, 1, 'up a b a', 'up a', 'drop b', 'up b');
    expect(results.map(({ log }) => log)).toEqual(['a:2 b:1 a:2', 'a:3', 'b:gone', 'b:1']);
    expect(await numberOf(application, 'a')).toBe('3');
    expect(await numberOf(application, 'start')).toBe('7');
  });

  it('keeps nothing of a transaction whose code is not 0: no pair, no deletion, no validator', async () => {
    const application = await started();
    const before = await block(application, 1, 'up a b');
    const texts = ['fail up a b c', 'fail drop a start', 'fail power 1 9', 'fail power 3 1'];
    const failed = await block(application, 2, ...texts);
    expect(failed.results.map(({ code }) => code)).toEqual([2, 2, 2, 2]);
    expect(failed.results[0]?.log).toBe('a:2 b:2 c:1');
    expect(failed.validatorUpdates).toEqual([]);
    expect(await Promise.all(['a', 'b', 'c', 'start'].map((name) => numberOf(application, name)))).toEqual([
      '1',
      '1',
      '',
      '7',
    ]);
    expect(await powersOf(application)).toBe('3,2');
    const other = await started();
    await block(other, 1, 'up a b');
    expect((await block(other, 2)).appHash).toBe(failed.appHash);
    expect(before.appHash).not.toBe(failed.appHash);
  });

  it('has the hash of what is left, whatever failed or was deleted on the way', async () => {
    const text = fc
      .tuple(
        fc.constantFrom('', 'fail '),
        fc.constantFrom('up', 'drop'),
        fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'fleeting'), { minLength: 1, maxLength: 3 }),
      )
      .map(([ending, verb, names]) => `${ending}${verb} ${names.join(' ')}`);
    const made = fc.array(fc.array(text, { maxLength: 6 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(made, async (blocks) => {
        const [all, few] = [await started(), await started({ dir: folder(), flushHeights: 1 })];
        for (const [index, texts] of blocks.entries()) {
          const kept = texts.filter((each) => !each.startsWith('fail'));
          const { appHash } = await block(all, index + 1, ...texts);
          expect((await block(few, index + 1, ...kept)).appHash).toBe(appHash);
        }
        await few.close?.();
      }),
      { numRuns: 40 },
    );
  });

  it('calls endBlock once a block, empty ones too, after the transactions; its writes and events count', async () => {
    const application = await started();
    const first = await block(application, 1, 'up fleeting', 'up blocks');
    expect(first.events).toEqual([
      { type: 'ended', attributes: [{ key: 'height', value: '1', index: false }] },
    ]);
    const second = await block(application, 2);
    expect(second.appHash).not.toBe(first.appHash);
    expect(await numberOf(application, 'blocks')).toBe('3');
    expect(await numberOf(application, 'fleeting')).toBe('');
  });

  it('takes the changes of validators that consensus can run with, and refuses others in words (CS-16)', async () => {
    const application = await started({ validatorChangePercent: 100 });
    const texts = ['power 1 9', 'power 3 1', 'power 2 0', 'power 4 0', `power 1 ${2n ** 60n - 1n}`];
    const { results, validatorUpdates } = await block(application, 1, ...texts, 'power 3 4');
    expect(results.map(({ code, log }) => [code, log])).toEqual([
      [0, ''],
      [0, ''],
      [0, ''],
      [2, 'no validator has this node key: none can leave'],
      [2, `the total power would be ${2n ** 60n}, at most 2^60 - 1`],
      [0, ''],
    ]);
    // Who left comes first; the others with the proof that came with them.
    const nobody = { possessionProof: new Uint8Array(0) };
    expect(validatorUpdates).toEqual([
      { ...validator(2, 0n), ...nobody },
      validator(1, 9n),
      validator(3, 4n),
    ]);
    expect(await powersOf(application)).toBe('9,4');
    const { results: last } = await block(application, 2, 'power 1 0', 'power 3 0');
    expect(last.map(({ code, log }) => [code, log])).toEqual([
      [0, ''],
      [2, 'the last validator cannot leave'],
    ]);
  });

  it('says of a block what took its first set to its last, and nothing of what came and went within it', async () => {
    const application = await started({ validatorChangePercent: 100 });
    const fleeting = ['power 5 4', 'power 1 7', 'power 2 0', 'power 5 0', 'power 1 3', 'power 2 2'];
    expect((await block(application, 1, ...fleeting)).validatorUpdates).toEqual([]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat(3))), async (changes) => {
        const changing = await started({ validatorChangePercent: 100 });
        const texts = changes.map(([index, power]) => `power ${index} ${power}`);
        const { validatorUpdates } = await block(changing, 1, ...texts);
        const places = validatorUpdates.map(({ nodeKey, power }) => `${power > 0n} ${toHex(nodeKey)}`);
        expect(places).toEqual([...new Set(places)].sort());
        const powers = new Map(VALIDATORS.map(({ nodeKey, power }) => [toHex(nodeKey), power]));
        for (const { nodeKey, power } of validatorUpdates) {
          expect(powers.get(toHex(nodeKey)) ?? 0n).not.toBe(power);
          powers.set(toHex(nodeKey), power);
        }
        const left = [...powers].filter(([, power]) => power > 0n).sort();
        const shown = (await powersOf(changing)).split(',').map(BigInt);
        expect(shown.sort()).toEqual(left.map(([, power]) => power).sort());
      }),
    );
  });

  it('keeps the proof of a new validator whose power changes again in its first block', async () => {
    const given = { ...validator(4, 1n), possessionProof: new Uint8Array(96).fill(4) };
    const execute: StateRules['execute'] = (_, state) => {
      const problem =
        state.setValidator(given) ??
        state.setValidator({ ...given, power: 2n, possessionProof: new Uint8Array(0) });
      return transactionResult({ code: problem === undefined ? 0 : 2 });
    };
    const application = await started({ validatorChangePercent: 100 }, { ...counter, execute });
    expect((await block(application, 1, 'both')).validatorUpdates).toEqual([{ ...given, power: 2n }]);
  });

  it('tells a check after which block it is asked', async () => {
    const heights: number[] = [];
    const check: StateRules['check'] = (_, __, at) => {
      heights.push(at);
      return checkResult();
    };
    const application = await started({}, { ...counter, check });
    await application.checkTx(utf8('a'));
    await block(application, 1);
    await application.checkTx(utf8('a'));
    expect(heights).toEqual([0, 1]);
  });

  it('refuses keys of another length, keys that are taken, and more validators than certificates have room for', async () => {
    const many = Array.from({ length: VALIDATORS_MAX }, (_, index) => ({
      ...validator(1, 1n),
      nodeKey: new Uint8Array(32).fill(index & 0xff).fill(index >> 8, 0, 1),
      consensusKey: new Uint8Array(48).fill(index & 0xff).fill(index >> 8, 0, 1),
    }));
    const updates = [
      { ...validator(9, 1n), nodeKey: new Uint8Array(31) },
      { ...validator(9, 1n), consensusKey: new Uint8Array(47) },
      { ...validator(9, -1n) },
      { ...validator(9, 1n), consensusKey: many[5]?.consensusKey ?? new Uint8Array() },
      {
        ...validator(9, 1n),
        nodeKey: new Uint8Array(32).fill(0xfe).fill(9, 0, 1),
        consensusKey: new Uint8Array(48).fill(9).fill(0, 0, 9),
      },
    ];
    const said: (string | undefined)[] = [];
    const rules: StateRules = {
      ...counter,
      execute(transaction, state) {
        const update = updates[Number(Buffer.from(transaction).toString())];
        said.push(update === undefined ? 'none' : state.setValidator(update));
        return transactionResult();
      },
    };
    const application = stateApplication(rules);
    await application.initChain({ ...GENESIS, validators: many });
    await block(application, 1, ...updates.keys().map(String));
    expect(said).toEqual([
      'a node key has 32 bytes, not 31',
      'a consensus key has 48 bytes, not 47',
      'a power is 0 to 2^60 - 1, not -1',
      'another validator has this consensus key',
      'there would be 513 validators, at most 512',
    ]);
  });

  it('says to check and query the state that the blocks left, and answers the newest height only', async () => {
    const application = await started();
    await block(application, 1, 'up a');
    expect(await application.checkTx(utf8('nonsense'))).toMatchObject({ code: 1 });
    expect(await application.query('', utf8('a'), height(1))).toMatchObject({
      code: 0,
      height: 1,
      codespace: 'counter',
    });
    await block(application, 2, 'up a');
    expect(await application.query('', utf8('a'), height(1))).toMatchObject({
      code: 1,
      log: 'only the newest height is held: 2, asked for 1',
    });
  });
});

describe('rules that do wrong', () => {
  it('throwing is the application throwing, and what is left of the block is never told or kept (EX-5)', async () => {
    const dir = folder();
    const application = await started({ dir, flushHeights: 1 });
    await block(application, 1, 'up a');
    await block(application, 2, 'up a');
    await expect(block(application, 3, 'up a', 'throw up a')).rejects.toThrow('as asked');
    expect((await application.info()).executed.height).toBe(2);
    await expect(block(application, 3, 'up a')).rejects.toThrow('block 3 was not executed to its end');
    expect(await application.takeSnapshot?.()).toBeUndefined();
    await application.close?.();
    const again = stateApplication(counter, { dir, flushHeights: 1 });
    const from = (await again.info()).executed.height;
    // Up to the block below, which was flushed when the torn one began.
    expect(from).toBe(2);
    await block(again, 3, 'up a');
    expect(await numberOf(again, 'a')).toBe('3');
    await again.close?.();
  });

  it('a text that is no bytes is refused where it is written, and says what to do', async () => {
    const rules: StateRules = {
      ...counter,
      execute(transaction, state) {
        state.set('name', Buffer.from(transaction).toString('utf8'));
        return transactionResult();
      },
    };
    const application = await started({}, rules);
    await block(application, 1, 'þorn');
    await expect(block(application, 2, 'Łódź')).rejects.toThrow(
      'the value "Łódź" has a letter above U+00FF: keys and values are a letter a byte',
    );
  });

  it('a key of other letters, which was never there, takes no other with it when it is deleted', async () => {
    const dir = folder();
    const rules: StateRules = {
      ...counter,
      execute(transaction, state) {
        if (transaction.byteLength === 3) state.set('A', '1');
        else state.delete('\u0141');
        return transactionResult();
      },
    };
    const application = await started({ dir, flushHeights: 1 }, rules);
    await block(application, 1, 'set');
    const { appHash } = await block(application, 2, 'drop');
    await block(application, 3);
    await application.close?.();
    const again = stateApplication(rules, { dir });
    expect((await again.info()).executed).toEqual({ height: 2, appHash });
    await again.close?.();
  });

  it('a writer that was kept is refused once its transaction is over', async () => {
    let kept: StateWriter | undefined;
    const rules: StateRules = {
      ...counter,
      execute(_, state) {
        kept = state;
        return transactionResult();
      },
    };
    const application = await started({}, rules);
    await block(application, 1, 'x');
    expect(() => kept?.set('a', '1')).toThrow('within execute and endBlock only');
    expect(() => kept?.setValidator(validator(1, 1n))).toThrow('within execute and endBlock only');
  });

  it('a first state that they cannot read names the genesis', () => {
    const begun = (appState: unknown) => () => stateApplication(counter).initChain({ ...GENESIS, appState });
    expect(begun({ a: 'x' })).toThrow(
      'app.state of the genesis, for the application counter: "a" must be a number',
    );
    expect(begun(null)).toThrow(
      'app.state of the genesis, for the application counter: an object of numbers',
    );
    expect(begun({ Łódź: 1 })).toThrow(
      'app.state of the genesis, for the application counter: the key "Łódź"',
    );
  });

  it.each([
    [{ name: '../kv' }, 'rules named "../kv": a name is'],
    [{ name: '' }, 'rules named "": a name is'],
    [{ version: '1.2' }, 'rules of version "1.2": a version is a whole number'],
    [{ version: '0' }, 'rules of version "0": a version is a whole number'],
  ])('%j is refused before anything is opened', (change, words) => {
    expect(() => stateApplication({ ...counter, ...change })).toThrow(words);
  });
});

describe('the state of rules over restarts', () => {
  const text = fc
    .tuple(
      fc.constantFrom('', '', 'fail '),
      fc.constantFrom('up', 'up', 'drop'),
      fc.array(fc.nat(12).map(String), { minLength: 1, maxLength: 4 }),
    )
    .map(([ending, verb, names]) => `${ending}${verb} ${names.join(' ')}`);
  const somePowers = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.nat(3))
    .map(([fill, n]) => `power ${fill} ${n}`);
  const someBlocks = fc.array(
    fc.array(fc.oneof({ weight: 4, arbitrary: text }, somePowers), { maxLength: 5 }),
    {
      minLength: 1,
      maxLength: 9,
    },
  );

  it('is that of a height it had after a crash between two flushes, and comes to the same hashes', async () => {
    await fc.assert(
      fc.asyncProperty(
        someBlocks,
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(100, 1_000_000),
        async (blocks, flushHeights, foldBytes) => {
          const dir = folder();
          const memory = await started();
          const hashes = [(await memory.info()).executed.appHash];
          let application = await started({ dir, flushHeights, foldBytes });
          for (const [index, texts] of blocks.entries()) {
            const at = index + 1;
            hashes.push((await block(memory, at, ...texts)).appHash);
            await block(application, at, ...texts);
            await application.close?.();
            application = stateApplication(counter, { dir, flushHeights, foldBytes });
            const { executed } = await application.info();
            expect(executed.height).toBeLessThan(at);
            if (executed.height === 0) await application.initChain(GENESIS);
            else expect(executed.appHash).toBe(hashes[executed.height]);
            for (let again = executed.height + 1; again <= at; again += 1) {
              const { appHash } = await block(application, again, ...(blocks[again - 1] ?? []));
              expect(appHash).toBe(hashes[again]);
            }
          }
          expect(await powersOf(application)).toBe(await powersOf(memory));
          await application.close?.();
        },
      ),
      { numRuns: 15 },
    );
  });

  it('goes round by a snapshot: the same height and hash, and the same blocks after it (SY-10)', async () => {
    await fc.assert(
      fc.asyncProperty(someBlocks, fc.array(text, { maxLength: 20 }), async (blocks, after) => {
        const first = await started();
        for (const [index, texts] of blocks.entries()) await block(first, index + 1, ...texts);
        const snapshot = await first.takeSnapshot?.();
        if (snapshot === undefined) throw new Error('no snapshot');
        const next = await block(first, blocks.length + 1, ...after);
        const chunks: Uint8Array[] = [];
        for await (const chunk of snapshot.chunks) chunks.push(chunk);
        const { executed, format } = snapshot;
        const second = stateApplication(counter, { dir: folder() });
        await second.restoreSnapshot?.({ height: executed.height, format }, chunks);
        expect((await second.info()).executed).toEqual(executed);
        expect(await block(second, blocks.length + 1, ...after)).toEqual(next);
        const other = stateApplication({ ...counter, name: 'other' });
        await expect(other.restoreSnapshot?.({ height: executed.height, format }, chunks)).rejects.toThrow(
          'the snapshot cannot be read: it is no snapshot of other, format 1',
        );
        await second.close?.();
      }),
      { numRuns: 25 },
    );
  });

  it('is refused by rules of another version, and kept in a file of its own name', async () => {
    const dir = folder();
    const first = await started({ dir, flushHeights: 1 });
    await block(first, 1, 'up a');
    await block(first, 2, 'up a');
    await first.close?.();
    expect(() => stateApplication({ ...counter, version: '2' }, { dir })).toThrow(
      /counter\.db: a file of counter version 1, this program writes version 2/,
    );
    const other = stateApplication({ ...counter, name: 'other' }, { dir });
    expect((await other.info()).executed.height).toBe(0);
    await other.close?.();
    const again = stateApplication(counter, { dir });
    expect((await again.info()).executed.height).toBe(1);
    await again.close?.();
  });
});

describe('proofs of an application made of rules (SY-10)', () => {
  const verdictOf = async (application: Application, name: string, appHash: Digest) => {
    const { height: at, value, proof } = present(await application.prove?.(utf8(name)), 'a proof');
    const parsed = parseStateProof(proof);
    if (parsed === 'malformed') return { at, verdict: parsed };
    const verdict = verifyStateProof(appHash, utf8(name), value, parsed);
    return { at, value: value && Buffer.from(value).toString(), verdict };
  };

  it('prove under the hash of the newest block what each key has, and that others have nothing', async () => {
    const application = await started();
    const { appHash } = await block(application, 1, 'up a', 'up a b');
    expect(await verdictOf(application, 'a', appHash)).toEqual({ at: 1, value: '2', verdict: 'valid' });
    expect(await verdictOf(application, 'z', appHash)).toEqual({ at: 1, value: undefined, verdict: 'valid' });
    await block(application, 2, 'up a');
    expect(await verdictOf(application, 'a', appHash)).toMatchObject({
      at: 2,
      verdict: { code: 'APP_HASH_WRONG' },
    });
  });

  it('prove the state before any block, and nothing of a block that was not executed to its end', async () => {
    const application = await started();
    const { executed } = await application.info();
    expect(await verdictOf(application, 'z', executed.appHash)).toMatchObject({ at: 0, verdict: 'valid' });
    await expect(block(application, 1, 'throw up a')).rejects.toThrow('as asked');
    expect(() => application.prove?.(utf8('a'))).toThrow('there is no state to prove');
  });
});
