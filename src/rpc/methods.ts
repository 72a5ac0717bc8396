/**
 * The methods of the RPC: CometBFT 0.38's by their names, parameters and answers, and Althing's own.
 * `http-server.ts` carries them; docs/operator-guide.md lists them.
 */
import { bridgeJson } from './bridge-shape.ts';
import { broadcastAsync, broadcastCommit, broadcastSync } from './broadcast.ts';
import { fail, invalidParams, succeed } from './json-rpc.ts';
import {
  abciQuery,
  blockAt,
  blockchain,
  blockResults,
  chooseHeight,
  headerAt,
  perPageOf,
  selectorOf,
  validators,
} from './lookups.ts';
import { adminMethod, method, type RpcMethod, submitMethod } from './method.ts';
import { outcomes, submit } from './operations.ts';
import { epochProofs, provenHeader, transactionBy } from './proofs.ts';
import { resync } from './resync.ts';
import { roundsJson } from './rounds-shape.ts';
import {
  base64,
  base64OfHex,
  blockJson,
  consensusParametersJson,
  genesisJson,
  headerJson,
  NO_BLOCK_ID,
  peerJson,
  statusJson,
} from './shapes.ts';
import { syncJson, syncNowJson } from './sync-shape.ts';
import { timeJson } from './time-shape.ts';

const HEIGHT = [{ name: 'height', type: 'integer' }] as const;
const TX = [{ name: 'tx', type: 'bytes' }] as const;

export const METHODS: ReadonlyMap<string, RpcMethod> = new Map([
  method('health', [], async () => succeed({})),
  method('status', [], async (_, { port }) => succeed(statusJson(port.status()))),
  method('net_info', [], async (_, { port, now }) => {
    const status = port.status();
    const peers = port.peers().map((peer) => peerJson(status, peer, now));
    return succeed({
      listening: true,
      listeners: [`Listener(@${status.peerAddress})`],
      n_peers: String(peers.length),
      peers,
    });
  }),
  method('genesis', [], async (_, { port }) => succeed({ genesis: genesisJson(port.genesis()) })),
  method('consensus_params', HEIGHT, async ({ height }, { port }) => {
    const chosen = chooseHeight(port, height);
    if ('error' in chosen) return chosen;
    return succeed({
      block_height: String(chosen.height),
      consensus_params: consensusParametersJson(port.genesis()),
    });
  }),
  method(
    'blockchain',
    [
      { name: 'minHeight', type: 'integer' },
      { name: 'maxHeight', type: 'integer' },
    ],
    blockchain,
  ),
  method('block', HEIGHT, blockAt),
  method('header', HEIGHT, headerAt),
  method('block_by_hash', [{ name: 'hash', type: 'bytes' }], async ({ hash }, { port }) => {
    const selector = selectorOf(hash);
    const stored = selector === undefined ? undefined : await port.block(selector);
    if (stored === undefined) return succeed({ block_id: NO_BLOCK_ID, block: null });
    return succeed(blockJson(port.status().chainId, stored));
  }),
  method('header_by_hash', [{ name: 'hash', type: 'hex' }], async ({ hash }, { port }) => {
    const selector = selectorOf(hash);
    const committed = selector === undefined ? undefined : await port.committed(selector);
    if (committed === undefined) return succeed({ header: null });
    return succeed({ header: headerJson(port.status().chainId, committed.block.header) });
  }),
  method('block_results', HEIGHT, blockResults),
  method(
    'validators',
    [
      { name: 'height', type: 'integer' },
      { name: 'page', type: 'integer' },
      { name: 'per_page', type: 'integer' },
    ],
    validators,
  ),
  method(
    'tx',
    [
      { name: 'hash', type: 'bytes' },
      { name: 'prove', type: 'bool' },
    ],
    transactionBy,
  ),
  method('althing_proven_header', HEIGHT, provenHeader),
  method('althing_epoch_proofs', [{ name: 'from', type: 'integer' }], epochProofs),
  method('num_unconfirmed_txs', [], async (_, { port }) => {
    const { total, totalBytes } = port.pending(0);
    return succeed({
      n_txs: String(total),
      total: String(total),
      total_bytes: String(totalBytes),
      txs: null,
    });
  }),
  method('unconfirmed_txs', [{ name: 'limit', type: 'integer' }], async ({ limit }, { port }) => {
    const { total, totalBytes, transactions } = port.pending(perPageOf(limit));
    return succeed({
      n_txs: String(transactions.length),
      total: String(total),
      total_bytes: String(totalBytes),
      txs: transactions.map(base64),
    });
  }),
  submitMethod('broadcast_tx_async', TX, broadcastAsync),
  submitMethod('broadcast_tx_sync', TX, broadcastSync),
  submitMethod('broadcast_tx_commit', TX, broadcastCommit),
  method('abci_info', [], async (_, { port }) => {
    const { name, version, executed } = await port.applicationInfo();
    return succeed({
      response: {
        data: name,
        version,
        last_block_height: String(executed.height),
        last_block_app_hash: base64OfHex(executed.appHash),
      },
    });
  }),
  method(
    'abci_query',
    [
      { name: 'path', type: 'text' },
      { name: 'data', type: 'hex' },
      { name: 'height', type: 'integer' },
      { name: 'prove', type: 'bool' },
    ],
    abciQuery,
  ),
  submitMethod('althing_submit', [{ name: 'operations', type: 'bytesList' }], submit),
  method(
    'althing_outcomes',
    [
      { name: 'operations', type: 'operations' },
      { name: 'wait_ms', type: 'integer' },
    ],
    outcomes,
  ),
  method('althing_rounds', [], async (_, { port }) => succeed(roundsJson(port.rounds()))),
  method('althing_time', [{ name: 'history', type: 'integer' }], async ({ history }, { port }) =>
    (history ?? 0) < 0
      ? { error: invalidParams(`history must not be negative, but got ${history}`) }
      : succeed(timeJson(port.time(), history)),
  ),
  method('althing_bridge', [{ name: 'limit', type: 'integer' }], async ({ limit }, { port }) => {
    const report = port.bridge(perPageOf(limit));
    return report === undefined ? fail('the bridge is down: ask again') : succeed(bridgeJson(report));
  }),
  method('althing_sync', [], async (_, { port }) => succeed(syncJson(port.sync()))),
  adminMethod('althing_sync_now', [], async (_, { port }) => succeed(syncNowJson(await port.syncNow()))),
  adminMethod(
    'althing_resync',
    [
      { name: 'height', type: 'integer' },
      { name: 'id', type: 'hex' },
    ],
    resync,
  ),
  adminMethod('althing_view_change', [], async (_, { port }) => {
    if (port.status().power === 0n) return fail('this node is no validator: it has no round to give up');
    const { round } = await port.requestViewChange();
    return succeed({ round: String(round) });
  }),
]);
