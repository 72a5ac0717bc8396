import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kv } from '../../src/application/kv/rules.ts';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { millis } from '../../src/base/units.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import type { Digest, ExecutedState, Height } from '../../src/protocol/chain/types.ts';
import type { Application, BlockResult, FinalizeRequest } from '../../src/protocol/ports/application.ts';
import { DUPLICATE_CODE } from '../../src/protocol/ports/execution.ts';
import type { TransactionResult } from '../../src/protocol/ports/storage.ts';
import { found, height, write } from '../storage/fixtures.ts';
import { type Chain, type Life, Lives } from './lives.ts';

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

const result = (log: string): TransactionResult => ({
  code: 0,
  data: new Uint8Array(0),
  log,
  codespace: '',
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
});

/** What an application has on disk, and all that was ever given to it. */
interface Ground {
  state: { readonly executed: ExecutedState; readonly texts: readonly string[]; readonly last?: BlockResult };
  readonly calls: { readonly height: Height; readonly texts: readonly string[] }[];
  opened: number;
}

const genesisHash = digestOf(utf8('log'));
const emptyGround = (): Ground => ({
  state: { executed: { height: height(0), appHash: genesisHash }, texts: [] },
  calls: [],
  opened: 0,
});

interface Behaviour {
  /** Blocks after which the state reaches the ground; 1 = each at once, before it answers. */
  readonly every?: number;
  readonly finalize?: (request: FinalizeRequest, answer: BlockResult) => BlockResult | Promise<BlockResult>;
  readonly check?: Application['checkTx'];
}

/** Appends every transaction to a log. Durable at once, it repeats its last answer when asked again (EX-4). */
function logApplication(ground: Ground, { every = 1, finalize, check }: Behaviour = {}): Application {
  ground.opened += 1;
  let { executed, texts } = ground.state;
  return {
    info: () => ({ name: 'log', version: '1', executed }),
    initChain: () => ({ appHash: genesisHash }),
    checkTx: check ?? (() => ({ code: 0, log: '', codespace: '', priority: 0n })),
    finalizeBlock(request) {
      ground.calls.push({ height: request.height, texts: request.transactions.map(textOf) });
      const { last } = ground.state;
      if (request.height === executed.height && last !== undefined) return last;
      texts = [...texts, ...request.transactions.map(textOf)];
      const appHash: Digest = digestOf(utf8(`${request.height} ${texts.join()}`));
      executed = { height: request.height, appHash };
      const results = request.transactions.map((transaction) => result(`did ${textOf(transaction)}`));
      const answer: BlockResult = { results, events: [], validatorUpdates: [], appHash };
      if (request.height % every === 0) ground.state = { executed, texts, last: answer };
      return finalize === undefined ? answer : finalize(request, answer);
    },
    query: (_path, data) => ({
      code: 0,
      log: '',
      codespace: '',
      key: data,
      value: utf8(String(texts.includes(textOf(data)))),
      height: executed.height,
    }),
  };
}

const logs = (life: Life) =>
  life.executed.map(({ executed, transactions }) => [
    executed.height,
    ...transactions.map((each) => (each.result.code === DUPLICATE_CODE ? 'again' : each.result.log)),
  ]);

describe('executing committed blocks (EX-1, EX-2)', () => {
  it('gives each block once, in order of header and batch, and tells it when it is durable', () => {
    const lives = new Lives();
    const life = lives.begin(() => logApplication(emptyGround()));
    life.commit(lives.chain, lives.chain.add(['a', 'b'], ['c']));
    life.commit(lives.chain, lives.chain.add());
    life.commit(lives.chain, lives.chain.add(['d']));
    expect(logs(life)).toEqual([[1, 'did a', 'did b', 'did c'], [2], [3, 'did d']]);
    expect(found(life.store.latest()).executed).toBe(3);
    expect(life.failures).toEqual([]);
  });

  it('executes no transaction twice within the window: not in a block, not across blocks', () => {
    const ground = emptyGround();
    const lives = new Lives();
    const life = lives.begin(() => logApplication(ground));
    life.commit(lives.chain, lives.chain.add(['a', 'a'], ['a', 'b']));
    life.commit(lives.chain, lives.chain.add(['b', 'c']));
    for (let index = 0; index < 3; index += 1) life.commit(lives.chain, lives.chain.add());
    life.commit(lives.chain, lives.chain.add(['b', 'c', 'a']));
    expect(logs(life)).toEqual([
      [1, 'did a', 'again', 'again', 'did b'],
      [2, 'again', 'did c'],
      [3],
      [4],
      [5],
      // The window is 3 heights: b and c appeared 4 heights ago, a 5.
      [6, 'did b', 'did c', 'did a'],
    ]);
    expect(ground.calls[0]?.texts).toEqual(['a', 'b']);
  });

  it('tells cells what became of each transaction, and no more of it (RP-3)', () => {
    const lives = new Lives();
    const life = lives.begin(() => logApplication(emptyGround()));
    life.commit(lives.chain, lives.chain.add(['a', 'bb', 'a']));
    const [results, outcome] = [life.executed[0], life.outcomes[0]];
    expect(outcome?.transactions).toEqual(
      results?.transactions.map(({ hash, bytes, result: { code, codespace } }) => ({
        ...{ hash, byteLength: bytes.length, code, codespace },
      })),
    );
    expect(outcome?.transactions.map(({ byteLength }) => byteLength)).toEqual([1, 2, 1]);
    expect(outcome).toMatchObject({ executed: results?.executed, blockId: results?.blockId });
  });

  it('passes over what it has executed, and reads from storage what it was not told', () => {
    const lives = new Lives();
    const life = lives.begin(() => logApplication(emptyGround()));
    const blocks = [['a'], ['b'], ['c']].map((texts) => lives.chain.add(texts));
    for (const block of blocks) {
      const batches = lives.chain.batches[block.block.header.height - 1] ?? [];
      write(life.store, { kind: 'batches', batches }, { kind: 'commit', blocks: [block] });
    }
    life.tell({ type: 'blocks.committed', blocks: blocks.slice(2) });
    life.tell({ type: 'blocks.committed', blocks });
    expect(logs(life).map(([at]) => at)).toEqual([1, 2, 3]);
  });

  it('fetches batches that are not here through the mempool, and asks again when it is refused', () => {
    const lives = new Lives();
    const life = lives.begin(() => logApplication(emptyGround()));
    const block = lives.chain.add(['a'], ['b']);
    life.onWanted = ({ tag, references }) => ({
      type: 'batches.refused',
      tag,
      code: 'TOO_MANY_WANTED',
      digest: references[0]?.digest,
      detail: 'busy',
    });
    life.commit(lives.chain, block, false);
    expect(life.wanted).toMatchObject([{ holders: [block.block.header.proposer] }]);
    expect(life.wanted[0]?.references).toHaveLength(2);
    expect(life.failures).toMatchObject([{ code: 'BATCH_MISSING' }]);
    life.onWanted = ({ tag }) => {
      write(life.store, { kind: 'batches', batches: lives.chain.batches[0] ?? [] });
      return { type: 'batches.held', tag };
    };
    life.advance(1_000);
    expect(logs(life)).toEqual([[1, 'did a', 'did b']]);
  });

  it('executes nothing that storage gives in a batch’s place, says so, and fetches the right one (EX-1)', () => {
    const lives = new Lives();
    const life = lives.begin(() => logApplication(emptyGround()));
    const block = lives.chain.add(['a'], ['b']);
    const [first, second] = lives.chain.batches[0] ?? [];
    if (first === undefined || second === undefined) throw new Error('two were made');
    const swapped = { digest: first.digest, bytes: second.bytes };
    write(life.store, { kind: 'batches', batches: [swapped, second] });
    life.onWanted = ({ tag, references }) => {
      expect(references.map(({ digest }) => digest)).toEqual([first.digest]);
      // The first answer mends nothing: storage is asked again after a pause, not at once.
      if (life.wanted.length > 1) write(life.store, { kind: 'batches', batches: [first] });
      return { type: 'batches.held', tag };
    };
    life.commit(lives.chain, block, false);
    expect(life.wanted).toHaveLength(0);
    expect(logs(life)).toEqual([]);
    expect(life.reports.at(-1)).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining(first.digest),
    });
    life.advance(1_000);
    expect(life.wanted).toHaveLength(1);
    life.advance(1_000);
    expect(life.wanted).toHaveLength(2);
    expect(logs(life)).toEqual([[1, 'did a', 'did b']]);
    expect(life.reports.at(-1)).toEqual({ status: 'running' });
  });

  it('repeats what it asked the mempool for, word for word and withdrawing nothing, until it is answered (MP-9)', () => {
    const lives = new Lives();
    const life = lives.begin(() => logApplication(emptyGround()));
    const block = lives.chain.add(['a'], ['b']);
    life.commit(lives.chain, block, false);
    life.commit(lives.chain, lives.chain.add(['c']), false);
    life.advance(5_500);
    expect(life.wanted).toHaveLength(6);
    expect(new Set(life.wanted.map((request) => JSON.stringify(request))).size).toBe(1);
    expect(life.unwanted).toEqual([]);
    // What was not asked for yet has its turn after the answer.
    life.onWanted = ({ tag, references }) => {
      const batches = lives.chain.batches
        .flat()
        .filter(({ digest }) => references.some((reference) => reference.digest === digest));
      write(life.store, { kind: 'batches', batches });
      return { type: 'batches.held', tag };
    };
    life.advance(500);
    expect(logs(life)).toEqual([
      [1, 'did a', 'did b'],
      [2, 'did c'],
    ]);
    life.advance(5_000);
    expect(life.wanted).toHaveLength(8);
  });
});

describe('a restart (EX-4)', () => {
  const blocks: readonly (readonly string[])[] = [['a'], ['b', 'a'], ['c'], ['d', 'c'], ['e']];

  function grown(lives: Lives, life: Life, chain: Chain, until = blocks.length): void {
    for (const texts of blocks.slice(chain.made.length, until)) life.commit(chain, chain.add(texts));
    void lives;
  }

  it.each([1, 2, 3, 4, 100])('replays what an application that writes every %i blocks has lost', (every) => {
    const ground = emptyGround();
    const lives = new Lives();
    const life = lives.begin(() => logApplication(ground, { every }));
    grown(lives, life, lives.chain);
    const stored = found(life.store.recover()).executed;
    lives.crash();
    const again = lives.begin(() => logApplication(ground, { every: 1 }));
    again.commit(lives.chain, lives.chain.add(['f', 'e']));
    expect(logs(again)).toEqual([[6, 'did f', 'again']]);
    expect(ground.state.texts).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(again.failures).toEqual([]);
    expect(stored.height).toBe(5);
  });

  it('asks an application that is one block ahead for that block again, and tells it then', () => {
    const ground = emptyGround();
    const lives = new Lives({ deviceMs: 5 });
    const life = lives.begin(() => logApplication(ground));
    life.advance(100);
    const block = lives.chain.add(['a']);
    write(
      life.store,
      { kind: 'batches', batches: lives.chain.batches[0] ?? [] },
      { kind: 'commit', blocks: [block] },
    );
    life.tell({ type: 'blocks.committed', blocks: [block] });
    expect(ground.state.executed.height).toBe(1);
    expect(life.executed).toEqual([]);
    lives.crash();
    const again = lives.begin(() => logApplication(ground));
    again.advance(100);
    expect(logs(again)).toEqual([[1, 'did a']]);
    expect(ground.state.texts).toEqual(['a']);
  });

  it('stops where it is asked again and answers with another hash than it had said: nothing of it is stored', () => {
    const ground = emptyGround();
    const lives = new Lives();
    lives.begin(() => logApplication(ground));
    // It has executed what the node does not know of any more.
    const appHash = digestOf(utf8('before the crash'));
    ground.state = { executed: { height: height(1), appHash }, texts: ['a'] };
    lives.crash();
    const life = lives.begin(() => logApplication(ground));
    life.commit(lives.chain, lives.chain.add(['a']));
    life.advance(1_000);
    expect(life.failures.map(({ detail }) => detail)).toContainEqual(
      expect.stringMatching(/asked again for height 1, .*it must repeat its last answer/),
    );
    expect(found(life.store.latest()).executed).toBe(0);
  });

  it('ends in the same state and results as no crash at all, wherever it crashes and whatever was lost', () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('blocks' as const),
          blocks: fc.array(fc.array(fc.nat(6), { maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(12) }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('crash' as const), every: fc.integer({ min: 1, max: 4 }) }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 30 }), (steps) => {
        const ground = emptyGround();
        const lives = new Lives({ deviceMs: 3 });
        let life = lives.begin(() => logApplication(ground));
        const plain = new Lives();
        const calm = plain.begin(() => logApplication(emptyGround()));
        for (const each of steps) {
          if (each.kind === 'wait') life.advance(each.ms);
          else if (each.kind === 'blocks') {
            const blocks = each.blocks.map((names) => {
              const texts = names.map((name) => `t${name}`);
              return texts.length === 0 ? lives.chain.add() : lives.chain.add(texts);
            });
            const batches = lives.chain.batches.slice(-blocks.length).flat();
            for (const one of [life, calm]) one.persistAndTell(batches, blocks);
          } else {
            lives.crash();
            life = lives.begin(() => logApplication(ground, { every: each.every }));
          }
        }
        life.advance(5_000);
        for (let at = 1; at <= lives.chain.made.length; at += 1) {
          expect(found(life.store.execution(height(at)))).toEqual(found(calm.store.execution(height(at))));
        }
        expect(life.failures).toEqual([]);
        expect(found(life.store.recover()).executed).toEqual(found(calm.store.recover()).executed);
      }),
      { numRuns: 150 },
    );
  });

  it('says so and stops where the application cannot belong to this store', () => {
    const ground = emptyGround();
    const lives = new Lives();
    grown(
      lives,
      lives.begin(() => logApplication(ground)),
      lives.chain,
    );
    lives.crash();
    const other = emptyGround();
    other.state = { executed: { height: height(5), appHash: genesisHash }, texts: [] };
    const life = lives.begin(() => logApplication(other));
    expect(life.failures).toMatchObject([
      { code: 'APPLICATION_FAILED', detail: expect.stringContaining('deterministic') },
    ]);
    lives.crash();
    other.state = { executed: { height: height(9), appHash: genesisHash }, texts: [] };
    const ahead = lives.begin(() => logApplication(other));
    expect(ahead.failures).toMatchObject([{ detail: expect.stringContaining('executed height 9') }]);
    expect(other.calls).toEqual([]);
  });

  it('stops at a replay that gives another hash than before', () => {
    const lives = new Lives();
    grown(
      lives,
      lives.begin(() => logApplication(emptyGround())),
      lives.chain,
    );
    lives.crash();
    const liar = emptyGround();
    const life = lives.begin(() =>
      logApplication(liar, { finalize: (_, answer) => ({ ...answer, appHash: genesisHash }) }),
    );
    expect(life.failures[0]?.detail).toContain('not deterministic');
    expect(found(life.store.latest()).executed).toBe(5);
  });
});

describe('an application that fails (EX-5)', () => {
  const times = {
    retryMin: millis(100),
    finalizeMax: millis(1_000),
    checkMax: millis(200),
    queryMax: millis(200),
  };

  it('is told to all, refuses questions with the reason, and is started over: no block is lost or doubled', () => {
    const ground = emptyGround();
    const lives = new Lives();
    let throws = 2;
    const life = lives.begin(
      () =>
        logApplication(ground, {
          every: 3,
          finalize: (request, answer) => {
            if (request.height === 2 && throws-- > 0) throw new Error('disk full');
            return answer;
          },
        }),
      times,
    );
    life.commit(lives.chain, lives.chain.add(['a']));
    life.commit(lives.chain, lives.chain.add(['b']));
    expect(life.failures).toMatchObject([
      { code: 'APPLICATION_FAILED', detail: expect.stringContaining('disk full') },
    ]);
    life.check('x');
    expect(life.answers).toMatchObject([{ type: 'execution.failed', tag: 1, code: 'APPLICATION_FAILED' }]);
    life.commit(lives.chain, lives.chain.add(['c']));
    life.advance(100);
    expect(life.failures).toHaveLength(2);
    life.advance(200);
    expect(logs(life)).toEqual([
      [1, 'did a'],
      [2, 'did b'],
      [3, 'did c'],
    ]);
    expect(ground.opened).toBe(3);
  });

  it('is reported until a block is executed again: a start that fails again is no recovery', () => {
    const lives = new Lives();
    let throws = 2;
    const open = () =>
      logApplication(emptyGround(), {
        finalize: (_, answer) => {
          if (throws-- > 0) throw new Error('disk full');
          return answer;
        },
      });
    const life = lives.begin(open, times);
    expect(life.reports).toEqual([{ status: 'running' }]);
    life.commit(lives.chain, lives.chain.add(['a']));
    life.advance(100);
    const failed = {
      status: 'failed',
      code: 'APPLICATION_FAILED',
      detail: expect.stringContaining('disk full'),
    };
    expect(life.reports).toEqual([{ status: 'running' }, failed, failed]);
    life.advance(200);
    expect(life.reports.slice(3)).toEqual([{ status: 'running' }]);
  });

  it('is reported over when it opens again and has nothing to execute', () => {
    const lives = new Lives();
    let throws = 1;
    const open = () => {
      if (throws-- > 0) throw new Error('file is not a database');
      return logApplication(emptyGround());
    };
    const life = lives.begin(open, times);
    expect(life.reports).toMatchObject([
      { status: 'failed', detail: expect.stringContaining('not a database') },
    ]);
    life.advance(100);
    expect(life.reports.slice(1)).toEqual([{ status: 'running' }]);
  });

  it.each([
    ['too few results', (answer: BlockResult) => ({ ...answer, results: [] }), 'results'],
    ['no hash', (answer: BlockResult) => ({ ...answer, appHash: genesisHash.slice(1) as Digest }), 'appHash'],
  ])('stops at %s, before anything of it is stored', (_, change, word) => {
    const lives = new Lives();
    const life = lives.begin(() =>
      logApplication(emptyGround(), { finalize: (_request, answer) => change(answer) }),
    );
    life.commit(lives.chain, lives.chain.add(['a']));
    expect(life.failures).toMatchObject([{ detail: expect.stringContaining(word) }]);
    expect(found(life.store.latest()).executed).toBe(0);
  });

  it('that hangs is given up after its time, and not started over while it still runs', async () => {
    const ground = emptyGround();
    const lives = new Lives();
    let release: (() => void) | undefined;
    const life = lives.begin(
      () =>
        logApplication(ground, {
          every: 10,
          finalize: (_, answer) =>
            ground.opened > 1
              ? answer
              : new Promise((resolve) => {
                  release = () => resolve(answer);
                }),
        }),
      times,
    );
    life.commit(lives.chain, lives.chain.add(['a']));
    await life.advanceAsync(999);
    expect([life.failures, life.waiting]).toEqual([[], 'finalizeBlock of height 1']);
    await life.advanceAsync(1);
    expect(life.waiting).toBeUndefined();
    expect(life.failures).toMatchObject([
      { detail: 'finalizeBlock of height 1 has not answered within 1000 ms' },
    ]);
    await life.advanceAsync(60_000);
    expect(ground.opened).toBe(1);
    release?.();
    await life.advanceAsync(1_000);
    expect(ground.opened).toBe(2);
    expect(logs(life)).toEqual([[1, 'did a']]);
  });

  /** After the write: the results are durable, and an error is reported all the same. */
  it.each(['IO', 'IO_AFTER_WRITE'] as const)(
    'tells a block whose results storage failed to keep (%s)',
    (how) => {
      let fault: 'ok' | typeof how = 'ok';
      const ground = emptyGround();
      const lives = new Lives({ faults: { onSync: () => fault } });
      const life = lives.begin(() => logApplication(ground), times);
      const block = lives.chain.add(['a']);
      write(
        life.store,
        { kind: 'batches', batches: lives.chain.batches[0] ?? [] },
        { kind: 'commit', blocks: [block] },
      );
      fault = how;
      life.tell({ type: 'blocks.committed', blocks: [block] });
      expect(life.failures).toMatchObject([{ code: 'STORAGE_FAILED' }]);
      fault = 'ok';
      life.advance(1_000);
      expect(logs(life)).toEqual([[1, 'did a']]);
      expect(life.executed.map(({ executed }) => executed.height)).toEqual([1]);
      expect(ground.state.texts).toEqual(['a']);
    },
  );

  it('waits for an application that opens late, and holds the questions until then', async () => {
    const lives = new Lives();
    const ground = emptyGround();
    let open: ((application: Application) => void) | undefined;
    const life = lives.begin(
      () =>
        new Promise((resolve) => {
          open = resolve;
        }),
      times,
    );
    life.check('x');
    await life.advanceAsync(50);
    expect(life.answers).toEqual([]);
    open?.(logApplication(ground));
    await life.advanceAsync(10);
    expect(life.answers).toMatchObject([{ type: 'check.answered', results: [{ code: 0 }] }]);
  });
});

describe('a first start that takes its time', () => {
  it('executes what was committed while initChain was under way: it is told once', async () => {
    const lives = new Lives();
    const ground = emptyGround();
    let initialised: (() => void) | undefined;
    const life = lives.begin(() => ({
      ...logApplication(ground),
      initChain: () =>
        new Promise((resolve) => {
          initialised = () => resolve({ appHash: genesisHash });
        }),
    }));
    await life.advanceAsync(10);
    for (const text of ['a', 'b']) life.commit(lives.chain, lives.chain.add([text]));
    initialised?.();
    await life.advanceAsync(10);
    expect(logs(life)).toEqual([
      [1, 'did a'],
      [2, 'did b'],
    ]);
  });
});

describe('checks and queries (EX-6)', () => {
  it('know what was executed, and go around the application then', () => {
    const lives = new Lives();
    const life = lives.begin(() => logApplication(emptyGround()));
    life.commit(lives.chain, lives.chain.add(['a']));
    life.check('a', 'b');
    expect(life.answers).toMatchObject([
      { results: [{ code: DUPLICATE_CODE, codespace: 'althing' }, { code: 0 }] },
    ]);
    life.query('a');
    expect(life.answers[1]).toMatchObject({
      type: 'query.answered',
      tag: 2,
      result: { value: utf8('true'), height: 1 },
    });
  });

  it('say by which state they were judged: an application that starts over below the results is far behind', async () => {
    const ground = emptyGround();
    const lives = new Lives();
    const life = lives.begin(() => logApplication(ground, { every: 100 }));
    for (const text of ['a', 'b', 'c']) life.commit(lives.chain, lives.chain.add([text]));
    life.check('x');
    expect(life.answers).toMatchObject([{ type: 'check.answered', height: 3 }]);
    lives.crash();
    const held: (() => void)[] = [];
    const again = lives.begin(() =>
      logApplication(ground, {
        finalize: (_request, answer) => new Promise((resolve) => held.push(() => resolve(answer))),
      }),
    );
    await again.advanceAsync(1);
    again.check('x');
    held.shift()?.();
    await again.advanceAsync(1);
    again.check('x');
    await again.advanceAsync(1);
    expect(again.answers).toMatchObject([{ height: 0 }, { height: 1 }]);
  });

  it('fail alone: one that throws costs neither the others nor the blocks', async () => {
    const lives = new Lives();
    const check: Application['checkTx'] = (transaction) => {
      const text = textOf(transaction);
      if (text === 'throw') throw new Error('no');
      if (text === 'reject') return Promise.reject(new Error('never'));
      const answer = { code: text === 'bad' ? 5 : 0, log: '', codespace: '', priority: 3n };
      return text === 'later' ? Promise.resolve(answer) : answer;
    };
    const life = lives.begin(() => logApplication(emptyGround(), { check }));
    life.check('good', 'throw', 'bad');
    life.check('later', 'reject', 'good');
    await life.advanceAsync(1);
    const codes = life.answers.map((answer) =>
      answer.type === 'check.answered'
        ? answer.results.map(({ code, log }) => `${code} ${log}`)
        : answer.type,
    );
    expect(codes).toEqual([
      ['0 ', '1 checkTx threw: no', '5 '],
      ['0 ', '1 checkTx threw: never', '0 '],
    ]);
    expect(life.failures).toEqual([]);
  });

  it('are refused after their time', async () => {
    const lives = new Lives();
    const life = lives.begin(
      () => logApplication(emptyGround(), { check: () => new Promise(() => undefined) }),
      { checkMax: millis(200) },
    );
    life.check('x');
    await life.advanceAsync(200);
    expect(life.answers).toMatchObject([
      { type: 'execution.failed', tag: 1, detail: expect.stringContaining('200 ms') },
    ]);
    expect(life.reports).toEqual([
      { status: 'running' },
      { status: 'unanswered', detail: expect.stringContaining('200 ms') },
    ]);
    expect(life.failures).toEqual([]);
  });
});

describe('the kv application behind the executor', () => {
  it('closes with the node and goes on from its file', async () => {
    const lives = new Lives();
    const life = lives.begin(() => kv());
    life.commit(lives.chain, lives.chain.add(['name=ada', 'name=eve']));
    life.query('name');
    const [answer] = life.answers;
    expect(answer?.type === 'query.answered' && textOf(answer.result.value)).toBe('eve');
    expect(toHex(utf8('x'))).toBe('78');
    await life.stop();
  });
});
