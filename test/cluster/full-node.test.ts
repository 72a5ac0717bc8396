/**
 * Nodes that are no validators beside four that are, as processes: they follow, serve, hand operations on, and nobody needs
 * them; one that floods is put out. Rules CS-19, SY-15, BR-8, TP-9.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { HERALD_PAUSE_MS } from '../../src/machines/sync/herald.setup.ts';
import { homePaths } from '../../src/node/config/home.ts';
import type { BatchDigest } from '../../src/protocol/chain/types.ts';
import { Attacker, bytesOf } from './support/attacker.ts';
import { althing, eventually } from './support/local-network.ts';
import { newestSafetyRecord } from './support/safety-record.ts';
import { Validators } from './support/validators.ts';
import { median, Watch } from './support/watch.ts';

const VALIDATORS = [0, 1, 2, 3];
const FULL = 4;
const SECOND_FULL = 5;
/** From a commit that a validator tells of to that of the full node; the checks alone come each second. @unit ms */
const LAG_MAX = 2_000;

let validators: Validators;
const watch = new Watch();
/** What the second full node is started with beside its home. */
let ofSecond: readonly string[] = [];

beforeAll(async () => {
  validators = await Validators.create({
    full: 2,
    onEvent: watch.take,
    launch: (index) => (index === SECOND_FULL ? { words: ofSecond } : {}),
  });
  for (const index of [...VALIDATORS, FULL]) validators.start(index);
  await follows(FULL);
});
afterAll(() => validators?.remove());

const rpcOf = (index: number): string => validators.network.rpcOf(index);
const homeOf = (index: number): string => validators.network.homeOf(index);
const call = (index: number, method: string, params: Record<string, unknown> = {}) =>
  validators.network.call(index, method, params);
const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function heightOf(index: number): Promise<number> {
  return (await validators.network.height(index)) ?? -1;
}

/** Whatever is committed by now reaches the node. */
async function follows(index: number, of = 0): Promise<void> {
  const height = await eventually(`${of} commits`, 30_000, async () => {
    const reached = await heightOf(of);
    return reached > 0 ? reached : undefined;
  });
  await eventually(`${index} has height ${height + 2}`, 30_000, async () =>
    (await heightOf(index)) >= height + 2 ? true : undefined,
  );
}

/** Committed, as the node that was given it says. */
async function commit(index: number, text: string): Promise<number> {
  const answer = await call(index, 'broadcast_tx_commit', { tx: base64(text) });
  expect([answer?.check_tx?.code, answer?.tx_result?.code]).toEqual([0, 0]);
  return Number(answer?.height);
}

const appHashAt = (index: number, height: number) =>
  eventually(`${index} has the header ${height}`, 15_000, async () => {
    const answer: unknown = await call(index, 'header', { height: String(height) });
    const header =
      typeof answer === 'object' && answer !== null && 'header' in answer ? answer.header : undefined;
    return header === undefined ? undefined : JSON.stringify(header);
  });

describe('a full node', () => {
  it('says what it is: at its start, in status, RPC, metrics; and it is ready (CS-19)', async () => {
    expect(validators.wordsOf(FULL)).toMatch(
      /full node [0-9a-f]{40}: it follows the chain, serves it, and has no vote/,
    );
    const chain = String.raw`; chain [\w-]+, height \d+`;
    expect(validators.wordsOf(FULL)).toMatch(
      new RegExp(`listens at [0-9.:]+, RPC http://${rpcOf(FULL)}${chain}`),
    );
    const status: unknown = await call(FULL, 'status');
    expect(status).toMatchObject({ validator_info: { voting_power: '0' } });
    expect((await althing('status', '--rpc', rpcOf(FULL))).stdout).toMatch(/^power +0 \(full node: /m);
    await eventually('it is ready', 15_000, async () =>
      (await fetch(`http://${rpcOf(FULL)}/readyz`)).status === 200 ? true : undefined,
    );
    const metrics = await (await fetch(`http://${rpcOf(FULL)}/metrics`)).text();
    expect(metrics).toMatch(/^cometbft_consensus_validator_power 0$/m);
    const ordered = await althing('view-change', '--home', homeOf(FULL));
    expect([ordered.code, ordered.stderr]).toEqual([1, expect.stringContaining('this node is no validator')]);
  });

  it('has each block soon after the validators, and comes to the same state (SY-15)', async () => {
    const from = watch.tip([0]);
    await eventually('ten blocks more', 60_000, () => (watch.tip([FULL]) >= from + 10 ? true : undefined));
    const at = (index: number, height: number) =>
      watch.commits.find((one) => one.validator === index && one.height === height)?.at ?? Number.NaN;
    const lags = Array.from({ length: 10 }, (_, index) => from + 1 + index).map(
      (height) => at(FULL, height) - Math.min(...VALIDATORS.map((index) => at(index, height))),
    );
    expect(
      median(lags),
      `lags ${lags.map(Math.round)}, told each ${HERALD_PAUSE_MS} ms at most`,
    ).toBeLessThan(LAG_MAX);
    expect(await appHashAt(FULL, from + 10)).toBe(await appHashAt(0, from + 10));
  });

  it('takes operations and hands them to validators: committed, found by hash and by query, everywhere (BR-1, BR-8)', async () => {
    const height = await commit(FULL, 'ada=lovelace');
    expect(await appHashAt(FULL, height + 1)).toBe(await appHashAt(2, height + 1));
    for (const index of [FULL, 1]) {
      await eventually(`${index} answers`, 10_000, async () => {
        const [value] = await validators.network.values(index, ['ada']);
        return value === 'lovelace' ? value : undefined;
      });
    }
    // The same bytes again are the same transaction.
    const again = await call(FULL, 'broadcast_tx_commit', { tx: base64('ada=lovelace') });
    expect(Number(again?.height)).toBe(height);
  });

  it('refuses at once what its own application refuses, as a validator does, and hands it to nobody (BR-8)', async () => {
    const client = connect({ endpoints: [`http://${rpcOf(FULL)}`], expiryHeights: 10 });
    const words = await eventually('its own application is asked', 30_000, async () => {
      const answer = await call(FULL, 'broadcast_tx_sync', { tx: base64('val:nobody!word') });
      return answer?.code === 2 ? answer.log : undefined;
    });
    const atValidator = await call(0, 'broadcast_tx_sync', { tx: base64('val:nobody!word') });
    expect([atValidator?.code, atValidator?.log]).toEqual([2, words]);
    const refused = await client.submit('val:nobody!word');
    expect(await refused.outcome).toMatchObject({ status: 'rejected', code: 'CHECK_FAILED' });
    const good = await client.submit('ada=byron');
    expect(await good.outcome).toMatchObject({ status: 'committed' });
    client.close();
  });

  it('tells each operation its one end (BR-1, EX-7)', async () => {
    const client = connect({ endpoints: [`http://${rpcOf(FULL)}`], expiryHeights: 10 });
    const texts = Array.from({ length: 20 }, (_, index) => `key${index}=${index}`);
    const taken = await Promise.all(texts.map((text) => client.submit(text)));
    const ends = await Promise.all(taken.map(({ outcome }) => outcome));
    expect(ends.map(({ status }) => status)).toEqual(texts.map(() => 'committed'));
    client.close();
  });

  it('goes on with the others when a validator dies, and needs none in particular', async () => {
    await validators.kill(1);
    await follows(FULL);
    await commit(FULL, 'without=one');
    validators.start(1);
    await follows(1);
  });

  it('that is killed is missed by no validator; started again it comes level, and takes operations', async () => {
    await validators.kill(FULL);
    const before = await heightOf(0);
    await eventually('the validators go on', 30_000, async () =>
      (await heightOf(0)) >= before + 3 ? true : undefined,
    );
    // It has signed nothing in all of its life.
    expect(newestSafetyRecord(homeOf(FULL))?.version ?? 0).toBe(0);
    validators.start(FULL);
    await follows(FULL);
    await commit(FULL, 'back=again');
  });
});

describe('a node without a vote that floods', () => {
  it('is put out, and neither validators nor other full nodes are hurt (TP-5, TP-6)', async () => {
    const attacker = await Attacker.create(validators, 3);
    const line = await attacker.connect(0, 'stranger');
    const question = (index: number) => bytesOf({ kind: 'GetBlockHeight', requestId: index });
    const voice = bytesOf({ kind: 'BatchAck', digests: ['ab'.repeat(32) as BatchDigest] });
    await line.flood(3_000, question);
    // What a flood of questions does not earn, words of a validator do.
    for (let sent = 0; sent < 6; sent += 1) line.frame(voice);
    expect(await line.ended()).toBe('BANNED');
    await follows(FULL);
    await commit(FULL, 'after=the flood');
  });
});

describe('the start of a node', () => {
  const refusedBy = (index: number, ...words: readonly string[]) =>
    althing('start', '--home', homeOf(index), ...words.flatMap((word) => ['--set', word]));

  it("as a full node with a validator's keys is refused: exit 3", async () => {
    const { code, stderr } = await refusedBy(0, 'node.mode=full');
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/node\.mode: is "full", and the keys in .* are those of validator/),
    ]);
  });

  it('as a validator with keys that the genesis does not know is refused, and says how to follow: exit 3', async () => {
    const { code, stderr } = await refusedBy(SECOND_FULL, 'node.mode=validator');
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/is no validator in the genesis of .*node\.mode = "full"/),
    ]);
  });

  it('as a full node that knows nobody is refused: exit 3', async () => {
    const { code, stderr } = await refusedBy(SECOND_FULL, 'p2p.peers=');
    expect([code, stderr]).toEqual([3, expect.stringContaining('p2p.peers: is empty')]);
  });
});

describe('a full node with another genesis', () => {
  it('is connected to nobody, and says what its peers refuse it for (TP-1)', async () => {
    const { genesisFile, data } = homePaths(homeOf(SECOND_FULL));
    const genesis = readFileSync(genesisFile, 'utf8');
    const other = JSON.parse(genesis);
    writeFileSync(genesisFile, JSON.stringify({ ...other, genesis_time: '2026-01-01T00:00:00Z' }));
    validators.start(SECOND_FULL);
    const told = await eventually('it says why', 30_000, async () => {
      const text = await fetch(`http://${rpcOf(SECOND_FULL)}/readyz`).then(
        (answer) => answer.text(),
        () => '',
      );
      return text.includes('WRONG_GENESIS') ? text : undefined;
    });
    expect(told).toContain('compare config/genesis.json with theirs');
    await validators.kill(SECOND_FULL);
    writeFileSync(genesisFile, genesis);
    rmSync(data, { recursive: true });
  });
});

describe('a full node that only another full node is left for', () => {
  afterEach(() => validators.kill(SECOND_FULL));

  it('has the whole chain of it, and says that no validator confirms it (SY-1, SY-15)', async () => {
    for (const index of VALIDATORS) await validators.kill(index);
    const height = await heightOf(FULL);
    const id = (await althing('show-node-id', '--home', homeOf(FULL))).stdout.trim();
    ofSecond = ['--set', `p2p.peers=${id}@127.0.0.1:${validators.network.basePort + 10 * FULL}`];
    validators.start(SECOND_FULL);
    await eventually(`it has height ${height}`, 30_000, async () =>
      (await heightOf(SECOND_FULL)) >= height ? true : undefined,
    );
    expect(await appHashAt(SECOND_FULL, height)).toBe(await appHashAt(FULL, height));
    const ready = await fetch(`http://${rpcOf(SECOND_FULL)}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([
      503,
      expect.stringContaining('no validator is connected'),
    ]);
    const answer = await fetch(`http://${rpcOf(SECOND_FULL)}/broadcast_tx_sync?tx="a=b"`);
    expect(await answer.text()).toMatch(/NOT_A_VALIDATOR|PARTITIONED/);
    // With the validators back both follow.
    for (const index of VALIDATORS) validators.start(index);
    await follows(FULL);
    await follows(SECOND_FULL);
  });
});
