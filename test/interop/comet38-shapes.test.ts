/**
 * The answers of the RPC against the shapes of CometBFT 0.38: its Go types (rpc/core/types/responses.go,
 * types/block.go, abci/types) under its JSON rules: 64-bit integers as strings, hashes upper-case, no other keys.
 */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { base64Of, startTestServer, type TestServer } from '../rpc/server.ts';

const INT64 = z.string().regex(/^-?[0-9]+$/);
const UINT32 = z.int().min(0);
const HASH = z.string().regex(/^[0-9A-F]{64}$/);
const HASH_OR_NONE = z.union([HASH, z.literal('')]);
const ADDRESS = z.string().regex(/^[0-9A-F]{40}$/);
const BASE64 = z.base64();
/** Go's RFC3339Nano. */
const TIME = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{0,8}[1-9])?Z$/);

const BLOCK_ID = z.strictObject({
  hash: HASH_OR_NONE,
  parts: z.strictObject({ total: UINT32, hash: HASH_OR_NONE }),
});
const PUBLIC_KEY = z.strictObject({ type: z.literal('tendermint/PubKeyEd25519'), value: BASE64 });
const HEADER = z.strictObject({
  version: z.strictObject({ block: INT64 }),
  chain_id: z.string().min(1),
  height: INT64,
  time: TIME,
  last_block_id: BLOCK_ID,
  last_commit_hash: HASH_OR_NONE,
  data_hash: HASH,
  validators_hash: HASH,
  next_validators_hash: HASH,
  consensus_hash: HASH_OR_NONE,
  app_hash: HASH,
  last_results_hash: HASH_OR_NONE,
  evidence_hash: HASH,
  proposer_address: ADDRESS,
});
const BLOCK = z.strictObject({
  block_id: BLOCK_ID,
  block: z.strictObject({
    header: HEADER,
    data: z.strictObject({ txs: z.array(BASE64) }),
    evidence: z.strictObject({ evidence: z.array(z.never()) }),
    last_commit: z.strictObject({
      height: INT64,
      round: UINT32,
      block_id: BLOCK_ID,
      signatures: z.array(z.never()),
    }),
  }),
});
const EVENT = z.strictObject({
  type: z.string(),
  attributes: z.array(z.strictObject({ key: z.string(), value: z.string(), index: z.boolean() })),
});
const TX_RESULT = z.strictObject({
  code: UINT32,
  data: BASE64.nullable(),
  log: z.string(),
  info: z.string(),
  gas_wanted: INT64,
  gas_used: INT64,
  events: z.array(EVENT),
  codespace: z.string(),
});
const NODE_INFO = z.strictObject({
  protocol_version: z.strictObject({ p2p: INT64, block: INT64, app: INT64 }),
  id: z.string().regex(/^[0-9a-f]{40}$/),
  listen_addr: z.string().startsWith('tcp://'),
  network: z.string(),
  version: z.string(),
  channels: z.string(),
  moniker: z.string(),
  other: z.strictObject({ tx_index: z.string(), rpc_address: z.string() }),
});
const VALIDATOR = z.strictObject({
  address: ADDRESS,
  pub_key: PUBLIC_KEY,
  voting_power: INT64,
  proposer_priority: INT64,
});
const MONITOR = z.strictObject({
  Start: TIME,
  Bytes: INT64,
  Samples: INT64,
  InstRate: INT64,
  CurRate: INT64,
  AvgRate: INT64,
  PeakRate: INT64,
  BytesRem: INT64,
  Duration: INT64,
  Idle: INT64,
  TimeRem: INT64,
  Progress: UINT32,
  Active: z.boolean(),
});
const BROADCAST = z.strictObject({
  code: UINT32,
  data: z.string(),
  log: z.string(),
  codespace: z.string(),
  hash: HASH,
});
const CONSENSUS_PARAMS = z.strictObject({
  block: z.strictObject({ max_bytes: INT64, max_gas: INT64 }),
  validator: z.strictObject({ pub_key_types: z.array(z.literal('ed25519')) }),
  version: z.strictObject({ app: INT64 }),
  abci: z.strictObject({ vote_extensions_enable_height: INT64 }),
});
const UNCONFIRMED = z.strictObject({
  n_txs: INT64,
  total: INT64,
  total_bytes: INT64,
  txs: z.array(BASE64).nullable(),
});

let rpc: TestServer;
let firstHash = '';
beforeAll(async () => {
  rpc = await startTestServer();
  for (const text of ['name=ada', 'name=bob', 'x=1'])
    await rpc.call('broadcast_tx_commit', { tx: base64Of(text) });
  const { result } = await rpc.call('block', { height: '1' });
  firstHash = BLOCK.parse(result).block_id.hash;
});
afterAll(() => rpc.server.close());

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64');

const SHAPES: readonly (readonly [method: string, params: () => object, shape: z.ZodType])[] = [
  ['health', () => ({}), z.strictObject({})],
  [
    'status',
    () => ({}),
    z.strictObject({
      node_info: NODE_INFO,
      sync_info: z.strictObject({
        latest_block_hash: HASH,
        latest_app_hash: HASH,
        latest_block_height: INT64,
        latest_block_time: TIME,
        earliest_block_hash: HASH,
        earliest_app_hash: HASH_OR_NONE,
        earliest_block_height: INT64,
        earliest_block_time: TIME,
        catching_up: z.boolean(),
      }),
      validator_info: z.strictObject({ address: ADDRESS, pub_key: PUBLIC_KEY, voting_power: INT64 }),
    }),
  ],
  [
    'net_info',
    () => ({}),
    z.strictObject({
      listening: z.boolean(),
      listeners: z.array(z.string()),
      n_peers: INT64,
      peers: z
        .array(
          z.strictObject({
            node_info: NODE_INFO,
            is_outbound: z.boolean(),
            connection_status: z.strictObject({
              Duration: INT64,
              SendMonitor: MONITOR,
              RecvMonitor: MONITOR,
              Channels: z.array(z.never()),
            }),
            remote_ip: z.literal('127.0.0.1'),
          }),
        )
        .length(3),
    }),
  ],
  [
    'genesis',
    () => ({}),
    z.strictObject({
      genesis: z.strictObject({
        genesis_time: TIME,
        chain_id: z.string().min(1),
        initial_height: INT64,
        consensus_params: CONSENSUS_PARAMS,
        validators: z.array(
          z.strictObject({ address: ADDRESS, pub_key: PUBLIC_KEY, power: INT64, name: z.string() }),
        ),
        app_hash: HASH_OR_NONE,
        app_state: z.unknown(),
      }),
    }),
  ],
  [
    'consensus_params',
    () => ({}),
    z.strictObject({ block_height: INT64, consensus_params: CONSENSUS_PARAMS }),
  ],
  ['block', () => ({ height: '1' }), BLOCK],
  ['block', () => ({}), BLOCK],
  ['block_by_hash', () => ({ hash: Buffer.from(firstHash, 'hex').toString('base64') }), BLOCK],
  [
    'block_by_hash',
    () => ({ hash: hashOf('nothing') }),
    z.strictObject({ block_id: BLOCK_ID, block: z.null() }),
  ],
  ['header', () => ({ height: '2' }), z.strictObject({ header: HEADER })],
  ['header_by_hash', () => ({ hash: firstHash }), z.strictObject({ header: HEADER })],
  ['header_by_hash', () => ({ hash: '00' }), z.strictObject({ header: z.null() })],
  [
    'block_results',
    () => ({ height: '1' }),
    z.strictObject({
      height: INT64,
      txs_results: z.array(TX_RESULT).nullable(),
      finalize_block_events: z.array(EVENT).nullable(),
      validator_updates: z.null(),
      consensus_param_updates: z.null(),
      app_hash: BASE64,
    }),
  ],
  [
    'blockchain',
    () => ({ minHeight: '1', maxHeight: '2' }),
    z.strictObject({
      last_height: INT64,
      block_metas: z
        .array(z.strictObject({ block_id: BLOCK_ID, block_size: INT64, header: HEADER, num_txs: INT64 }))
        .length(2),
    }),
  ],
  [
    'validators',
    () => ({ height: '1', page: '2', per_page: '3' }),
    z.strictObject({
      block_height: INT64,
      validators: z.array(VALIDATOR).length(1),
      count: z.literal('1'),
      total: z.literal('4'),
    }),
  ],
  [
    'tx',
    () => ({ hash: hashOf('name=ada'), prove: false }),
    z.strictObject({ hash: HASH, height: INT64, index: UINT32, tx_result: TX_RESULT, tx: BASE64 }),
  ],
  ['num_unconfirmed_txs', () => ({}), UNCONFIRMED],
  ['unconfirmed_txs', () => ({ limit: '3' }), UNCONFIRMED],
  ['broadcast_tx_async', () => ({ tx: base64Of('a=async') }), BROADCAST],
  ['broadcast_tx_sync', () => ({ tx: base64Of('a=sync') }), BROADCAST],
  [
    'broadcast_tx_commit',
    () => ({ tx: base64Of('a=commit') }),
    z.strictObject({ check_tx: TX_RESULT, tx_result: TX_RESULT, hash: HASH, height: INT64 }),
  ],
  [
    'abci_info',
    () => ({}),
    z.strictObject({
      response: z.strictObject({
        data: z.string(),
        version: z.string(),
        last_block_height: INT64,
        last_block_app_hash: BASE64,
      }),
    }),
  ],
  [
    'abci_query',
    () => ({ path: '', data: Buffer.from('name').toString('hex'), height: '0', prove: false }),
    z.strictObject({
      response: z.strictObject({
        code: UINT32,
        log: z.string(),
        info: z.string(),
        index: INT64,
        key: BASE64.nullable(),
        value: BASE64.nullable(),
        proofOps: z.null(),
        height: INT64,
        codespace: z.string(),
      }),
    }),
  ],
];

describe('shapes of CometBFT 0.38', () => {
  it.each(SHAPES)('%s answers in its shape (case %#)', async (method, params, shape) => {
    const { result, error } = await rpc.call(method, params());
    expect(error).toBeUndefined();
    expect(shape.safeParse(result).error?.issues ?? []).toEqual([]);
  });

  it('a block links to its parent, but the first to none', async () => {
    const blockAt = async (height: string): Promise<z.infer<typeof BLOCK>> =>
      BLOCK.parse((await rpc.call('block', { height })).result);
    const [first, second] = [await blockAt('1'), await blockAt('2')];
    const none = { hash: '', parts: { total: 0, hash: '' } };
    expect(first.block.header.last_block_id).toEqual(none);
    expect(first.block.last_commit).toEqual({ height: '0', round: 0, block_id: none, signatures: [] });
    expect(second.block.header.last_block_id.hash).toBe(first.block_id.hash);
    expect(second.block.last_commit).toMatchObject({ height: '1', round: 1 });
    expect(second.block.header.time).toBe('2026-01-31T12:00:00.5Z');
  });

  it('heights outside the chain are refused in its words', async () => {
    const problem = async (height: string): Promise<unknown> => (await rpc.call('block', { height })).error;
    expect(await problem('0')).toEqual({
      code: -32603,
      message: 'Internal error',
      data: 'height must be greater than 0, but got 0',
    });
    expect(await problem('1000')).toMatchObject({
      data: expect.stringMatching(
        /^height 1000 must be less than or equal to the current blockchain height \d+$/,
      ),
    });
  });

  it('blockchain gives at most 20 blocks, the newest first', async () => {
    for (let index = 0; index < 25; index += 1)
      await rpc.call('broadcast_tx_sync', { tx: base64Of(`many=${index}`) });
    const { result } = await rpc.call('blockchain', { minHeight: '1', maxHeight: '24' });
    const metas = z.object({ block_metas: z.array(z.object({ header: HEADER })) }).parse(result).block_metas;
    expect(metas.map(({ header }) => Number(header.height))).toEqual(
      Array.from({ length: 20 }, (_, index) => 24 - index),
    );
  });

  it('an unknown transaction and an impossible page are refused in its words', async () => {
    const missing = Buffer.from(hashOf('missing'), 'base64').toString('hex').toUpperCase();
    expect((await rpc.call('tx', { hash: hashOf('missing') })).error?.data).toBe(`tx (${missing}) not found`);
    const page = await rpc.call('validators', { page: '3', per_page: '2' });
    expect(page.error?.data).toBe('page should be within [1, 2] range, given 3');
  });
});

describe('what becomes of a transaction', () => {
  it('broadcast_tx_commit tells the height at which it committed', async () => {
    rpc.node.hold = true;
    const answer = rpc.call('broadcast_tx_commit', { tx: base64Of('held=1') });
    await expect.poll(() => rpc.node.pending(1).total).toBe(1);
    rpc.node.release();
    const { result } = await answer;
    const found = await rpc.call('tx', { hash: hashOf('held=1') });
    expect(result?.['height']).toBe(found.result?.['height']);
  });

  it('broadcast_tx_commit waits for a transaction that is known already', async () => {
    const again = await rpc.call('broadcast_tx_commit', { tx: base64Of('held=1') });
    expect(again.result).toMatchObject({ hash: expect.any(String), height: expect.stringMatching(/^[1-9]/) });
  });

  it('broadcast_tx_commit says expired, and says when it stops waiting', async () => {
    rpc.node.hold = true;
    const late = await rpc.call('broadcast_tx_commit', { tx: base64Of('late=1') });
    expect(late.error?.data).toMatch(/^timed out waiting for tx to be included in a block/);
    const gone = rpc.call('broadcast_tx_commit', { tx: base64Of('late=1') });
    await new Promise((resolve) => setTimeout(resolve, 20));
    rpc.node.expire();
    expect((await gone).error?.data).toMatch(
      / expired at height \d+: this node's batch .* another validator .* may still commit it; ask tx for it, then send the same bytes/,
    );
    rpc.node.release();
  });

  it('a check that fails is a result with its code, as CometBFT has it', async () => {
    const sync = await rpc.call('broadcast_tx_sync', { tx: base64Of('nonsense') });
    expect(sync.result).toMatchObject({ code: 7, log: 'expected key=value' });
    const commit = await rpc.call('broadcast_tx_commit', { tx: base64Of('nonsense') });
    expect(commit.result).toMatchObject({ check_tx: { code: 7 }, tx_result: { code: 0 }, height: '0' });
  });

  it.each(['unchecked', 'zero'])(
    'a transaction that nobody checked (%s) is an error, never code 0',
    async (text) => {
      for (const method of ['broadcast_tx_sync', 'broadcast_tx_commit']) {
        const { result, error } = await rpc.call(method, { tx: base64Of(text) });
        expect([result, error?.code]).toEqual([undefined, -32603]);
        expect(error?.data).toMatch(/^(NOT_CHECKED: APPLICATION_FAILED: opening failed|CHECK_FAILED)$/);
      }
    },
  );

  it('a refusal of the mempool is an error with the words that clients look for', async () => {
    expect((await rpc.call('broadcast_tx_sync', { tx: base64Of('x=1') })).error?.data).toBe(
      'tx already exists in cache (ALREADY_KNOWN)',
    );
    expect((await rpc.call('broadcast_tx_sync', { tx: base64Of('full') })).error?.data).toBe(
      'mempool is full (MEMPOOL_FULL): 500000 transactions wait',
    );
    expect((await rpc.call('broadcast_tx_commit', {})).error?.data).toMatch(/^EMPTY: /);
  });
});
