/**
 * An executor whose application is in another process: it dies, stands still, forgets, runs ahead, lies; blocks go on by EX-4 and
 * EX-5, with one life at a time. The clock of the executor is virtual and runs ten times as fast as the sockets'.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { transactionResult } from '../../../src/application/answers.ts';
import { kv } from '../../../src/application/kv/rules.ts';
import { remoteApplication } from '../../../src/application/socket/remote.ts';
import { serveApplication } from '../../../src/application/socket/serve.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { millis } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import type { Digest, ExecutedState } from '../../../src/protocol/chain/types.ts';
import type { Application, BlockResult } from '../../../src/protocol/ports/application.ts';
import { found, height } from '../../storage/fixtures.ts';
import { type Life, Lives } from '../lives.ts';
import { ApplicationProcess } from './process.ts';
import { blockOf, Ground, greetingFirst, HASH, rawApplication } from './rig.ts';

const ground = new Ground();
afterEach(() => ground.settle());
afterAll(() => ground.remove());

const CHAIN = 'store-chain';
const opener = (address: string) => (signal: AbortSignal) =>
  remoteApplication({ address, chainId: CHAIN, signal });

function begin(lives: Lives, ...given: Parameters<Lives['begin']>): Life {
  const life = lives.begin(...given);
  ground.finally(() => life.stop());
  return life;
}

/** Lets sockets and the virtual clock go on, 50 ms of it for 5 ms of the world's, until `probe` holds. */
async function until(life: Life, claim: string, probe: () => boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !probe(); ) {
    if (Date.now() > end)
      throw new Error(`${claim}: not in time; failures: ${JSON.stringify(life.failures)}`);
    await sleep(5);
    await life.advanceAsync(50);
  }
}

const heights = (life: Life): readonly number[] => life.executed.map(({ executed }) => executed.height);

/** What kv says in this process to the same blocks. */
async function expectedHash(...blocks: readonly (readonly string[])[]): Promise<Digest> {
  const near = kv();
  await near.initChain({
    chainId: CHAIN,
    genesisHash: digestOf(new Uint8Array()),
    genesisTime: blockOf(0, []).time,
    validators: [],
    appState: {},
  });
  let last: BlockResult | undefined;
  for (const [index, texts] of blocks.entries())
    last = await near.finalizeBlock(blockOf(index + 1, texts.map(utf8)));
  if (last === undefined) throw new Error('no blocks');
  return last.appHash;
}

/** Durable at once; keeps its last answer, and its state from one connection to the next (EX-4). */
class Keeper {
  executed: ExecutedState = { height: height(0), appHash: digestOf(utf8('keeper')) };
  last: BlockResult | undefined;
  lives = 0;
  readonly given: number[] = [];

  open(): Application {
    this.lives += 1;
    return {
      info: () => ({ name: 'keeper', version: '1', executed: this.executed }),
      initChain: () => ({ appHash: this.executed.appHash }),
      checkTx: () => ({ code: 0, log: '', codespace: '', priority: 0n }),
      query: (_path, key) => ({
        code: 0,
        log: '',
        codespace: '',
        key,
        value: key,
        height: this.executed.height,
      }),
      finalizeBlock: ({ height: at, transactions }) => {
        this.given.push(at);
        if (at === this.executed.height && this.last !== undefined) return this.last;
        const appHash = digestOf(utf8(`${this.executed.appHash} ${transactions.length}`));
        this.executed = { height: at, appHash };
        const results = transactions.map(() => transactionResult());
        this.last = { results, events: [], validatorUpdates: [], appHash };
        return this.last;
      },
    };
  }
}

async function kept(keeper: Keeper): Promise<string> {
  const host = await serveApplication(() => keeper.open(), { listen: `unix:${ground.path()}` });
  ground.finally(() => host.close());
  return host.address;
}

describe('an application in another process', () => {
  it('is killed: blocks wait, and it gets all of them when it is back without its memory (EX-4, EX-5)', async () => {
    const application = new ApplicationProcess(`unix:${ground.path()}`, 'kv');
    await application.start();
    ground.finally(() => application.end());
    const lives = new Lives();
    const life = begin(lives, opener(application.address));
    life.commit(lives.chain, lives.chain.add(['a=1']));
    await until(life, 'the first block is executed', () => life.executed.length === 1);
    await application.end();
    life.commit(lives.chain, lives.chain.add(['b=2']));
    await until(life, 'the failure is told', () => life.failures.length > 2);
    expect(life.failures.map(({ detail }) => detail)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /^finalizeBlock of height 2 failed: unix:.*: (the other side has closed|the connection is lost)/,
        ),
        expect.stringMatching(
          /^opening the application failed: unix:.*: nobody listens there \(ECONNREFUSED\)/,
        ),
      ]),
    );
    life.commit(lives.chain, lives.chain.add(['c=3']));
    await application.start();
    await until(life, 'all blocks are executed', () => life.executed.length === 3);
    expect(heights(life)).toEqual([1, 2, 3]);
    expect(life.executed.at(-1)?.executed.appHash).toBe(await expectedHash(['a=1'], ['b=2'], ['c=3']));
    expect(life.reports.at(-1)).toEqual({ status: 'running' });
  });

  it('is gone: a check fails as a question, and refuses no transaction (EX-6)', async () => {
    const host = await serveApplication(() => kv(), { listen: `unix:${ground.path()}` });
    const life = begin(new Lives(), opener(host.address));
    life.check('a=1');
    await until(life, 'it is answered', () => life.answers.length === 1);
    await host.close();
    life.check('a=1', 'b=2');
    await until(life, 'it fails', () => life.answers.length === 2);
    expect(life.answers).toEqual([
      { type: 'check.answered', tag: 1, results: [expect.objectContaining({ code: 0 })], height: 0 },
      {
        type: 'execution.failed',
        tag: 1,
        code: 'APPLICATION_FAILED',
        detail: expect.stringMatching(/^checkTx failed: unix:/),
      },
    ]);
  });

  it('stands still for longer than the deadline, and goes on where it was (EX-5)', async () => {
    const application = new ApplicationProcess(`unix:${ground.path()}`, 'kv', '--dir', `${ground.dir}/still`);
    await application.start();
    ground.finally(() => application.end());
    const lives = new Lives();
    const life = begin(lives, opener(application.address), {
      finalizeMax: millis(2_000),
      openMax: millis(2_000),
    });
    life.commit(lives.chain, lives.chain.add(['a=1']));
    await until(life, 'the first block is executed', () => life.executed.length === 1);
    application.signal('SIGSTOP');
    life.commit(lives.chain, lives.chain.add(['b=2']));
    await until(life, 'two deadlines pass', () => life.failures.length === 2);
    expect(life.failures.map(({ detail }) => detail)).toEqual([
      'finalizeBlock of height 2 has not answered within 2000 ms',
      'opening the application has not answered within 2000 ms',
    ]);
    application.signal('SIGCONT');
    await until(life, 'the second block is executed', () => life.executed.length === 2);
    expect(heights(life)).toEqual([1, 2]);
    expect(life.executed.at(-1)?.executed.appHash).toBe(await expectedHash(['a=1'], ['b=2']));
  });

  it('throws at a block: it is opened anew, a second life after the first', async () => {
    let isBroken = true;
    const keeper = new Keeper();
    const host = await serveApplication(
      () => {
        const application = keeper.open();
        return {
          ...application,
          finalizeBlock: (request) =>
            isBroken && request.height === 2
              ? Promise.reject(new Error('out of paper'))
              : application.finalizeBlock(request),
        };
      },
      { listen: `unix:${ground.path()}` },
    );
    ground.finally(() => host.close());
    const lives = new Lives();
    const life = begin(lives, opener(host.address));
    life.commit(lives.chain, lives.chain.add(['a']));
    life.commit(lives.chain, lives.chain.add(['b']));
    await until(life, 'the failure is told', () => life.failures.length === 1);
    expect(life.failures[0]?.detail).toBe('finalizeBlock of height 2 failed: out of paper');
    isBroken = false;
    await until(life, 'the block is executed', () => life.executed.length === 2);
    expect([keeper.lives, keeper.given]).toEqual([2, [1, 2]]);
  });

  it('is one block ahead of the store: that block is asked again, and told', async () => {
    const keeper = new Keeper();
    const address = await kept(keeper);
    const lives = new Lives();
    const first = lives.begin(opener(address));
    first.commit(lives.chain, lives.chain.add(['a']));
    await until(first, 'the first block is executed', () => first.executed.length === 1);
    await first.stop();
    first.store.close();
    keeper.open().finalizeBlock(blockOf(2, [utf8('b')]));
    const life = begin(lives, opener(address));
    life.commit(lives.chain, lives.chain.add(['b']));
    await until(life, 'the second block is executed', () => life.executed.length === 1);
    expect([heights(life), keeper.given, life.failures]).toEqual([[2], [1, 2, 2], []]);
  });

  it('is further ahead, or its data is of another chain: nothing is executed, and the words say what to do', async () => {
    const keeper = new Keeper();
    const address = await kept(keeper);
    for (const at of [1, 2, 3]) await keeper.open().finalizeBlock(blockOf(at, []));
    const lives = new Lives();
    const life = begin(lives, opener(address));
    await until(life, 'the failure is told', () => life.failures.length > 0);
    expect(life.failures[0]?.detail).toMatch(
      /has executed height 3, the store of this node height 0 .*give the application an empty folder/,
    );
    const other = await serveApplication(() => keeper.open(), {
      listen: `unix:${ground.path()}`,
      chainId: 'other',
    });
    ground.finally(() => other.close());
    const refused = begin(new Lives(), opener(other.address));
    await until(refused, 'the refusal is told', () => refused.failures.length > 0);
    expect(refused.failures[0]?.detail).toMatch(
      /it refuses this node: this application serves the chain "other", and a node of "store-chain" asks/,
    );
  });

  it('gives too few results: said of the block, and tried again', async () => {
    const address = await rawApplication(
      ground,
      greetingFirst(({ kind, id }, peer) => {
        if (kind === 'info') peer.send('answer', id, ['odd', '1', 0, HASH, false]);
        if (kind === 'initChain') peer.send('answer', id, HASH);
        if (kind === 'finalizeBlock') peer.send('answer', id, [[], [], HASH]);
      }),
    );
    const lives = new Lives();
    const life = begin(lives, opener(address));
    life.commit(lives.chain, lives.chain.add(['a', 'b']));
    await until(life, 'the failure is told twice', () => life.failures.length > 1);
    expect(new Set(life.failures.map(({ detail }) => detail))).toEqual(
      new Set(['finalizeBlock of height 1 gave 0 results: give one for each transaction, in order']),
    );
    expect(found(life.store.latest()).executed).toBe(0);
  });

  it('opens too late to be used: it is closed before the next is opened, and with the executor', async () => {
    const events: string[] = [];
    const gates: PromiseWithResolvers<void>[] = [];
    const open = async (): Promise<Application> => {
      const gate = Promise.withResolvers<void>();
      const name = gates.push(gate);
      await gate.promise;
      events.push(`open ${name}`);
      return { ...kv(), ...new Keeper().open(), close: () => void events.push(`close ${name}`) };
    };
    const life = new Lives().begin(open, { openMax: millis(1_000) });
    await until(life, 'it is given up', () => life.failures.length === 1);
    gates[0]?.resolve();
    await until(life, 'it is opened again', () => gates.length === 2);
    expect(events).toEqual(['open 1', 'close 1']);
    await life.stop();
    gates[1]?.resolve();
    await sleep(1);
    expect(events).toEqual(['open 1', 'close 1', 'open 2', 'close 2']);
  });
});
