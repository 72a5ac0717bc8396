/** Reading the chain: heights, blocks by height and hash, results, validators, pages. CometBFT 0.38's bounds and words. */
import { toHex } from '../base/bytes.ts';
import { parseBlockId, parseHeight } from '../protocol/chain/parse.ts';
import type { Height } from '../protocol/chain/types.ts';
import { type Answer, fail, internalError, invalidParams, type RpcError, succeed } from './json-rpc.ts';
import type { CallContext } from './method.ts';
import type { BlockSelector, NodePort } from './node-port.ts';
import {
  base64OfHex,
  blockJson,
  blockMetaJson,
  eventJson,
  headerJson,
  queryResultJson,
  transactionResultJson,
  validatorJson,
} from './shapes.ts';

/** @unit entries @source CometBFT 0.38, rpc/core/env.go */
const PER_PAGE_DEFAULT = 30;
/** @unit entries @source CometBFT 0.38, rpc/core/env.go */
const PER_PAGE_MAX = 100;
/** @unit blocks @source CometBFT 0.38, rpc/core/blocks.go */
const BLOCKCHAIN_BLOCKS_MAX = 20;

export async function blockchain(
  {
    minHeight,
    maxHeight,
  }: { readonly minHeight: number | undefined; readonly maxHeight: number | undefined },
  { port }: CallContext,
): Promise<Answer> {
  const { earliest, committed, chainId } = port.status();
  if ((minHeight ?? 0) < 0 || (maxHeight ?? 0) < 0) return fail('heights must be non-negative');
  const max = Math.min(committed.height, maxHeight || committed.height);
  const min = Math.max(earliest.height, minHeight || 1, 1, max - BLOCKCHAIN_BLOCKS_MAX + 1);
  if (min > max && committed.height > 0)
    return fail(`min height ${min} can't be greater than max height ${max}`);
  const heights = Array.from({ length: Math.max(0, max - min + 1) }, (_, index) => max - index);
  const blocks = await Promise.all(
    heights.map(async (raw) => {
      const height = parseHeight(raw);
      return height === 'malformed' ? undefined : port.committed({ height });
    }),
  );
  return succeed({
    last_height: String(committed.height),
    block_metas: blocks.flatMap((block) => (block === undefined ? [] : [blockMetaJson(chainId, block)])),
  });
}

export async function blockResults(
  { height }: { readonly height: number | undefined },
  { port }: CallContext,
): Promise<Answer> {
  const chosen = chooseHeight(port, height, port.status().executed.height);
  if ('error' in chosen) return chosen;
  const results = await port.blockResults(chosen.height);
  if (results === undefined) return fail(`could not find results for height #${chosen.height}`);
  return succeed({
    height: String(results.height),
    txs_results: orNull(results.transactions.map(({ result }) => transactionResultJson(result))),
    finalize_block_events: orNull(results.events.map(eventJson)),
    validator_updates: null,
    consensus_param_updates: null,
    app_hash: base64OfHex(results.executed.appHash),
  });
}

export async function validators(
  {
    height,
    page,
    per_page,
  }: {
    readonly height: number | undefined;
    readonly page: number | undefined;
    readonly per_page: number | undefined;
  },
  { port }: CallContext,
): Promise<Answer> {
  const chosen = chooseHeight(port, height, port.status().committed.height + 1);
  if ('error' in chosen) return chosen;
  const set = await port.validators(chosen.height);
  if (set === undefined) return fail(`could not find validator set for height #${chosen.height}`);
  const perPage = perPageOf(per_page);
  const pages = Math.max(1, Math.ceil(set.validators.length / perPage));
  const chosenPage = page ?? 1;
  if (chosenPage < 1 || chosenPage > pages) {
    return fail(`page should be within [1, ${pages}] range, given ${chosenPage}`);
  }
  const shown = set.validators.slice((chosenPage - 1) * perPage, chosenPage * perPage);
  return succeed({
    block_height: String(chosen.height),
    validators: shown.map(validatorJson),
    count: String(shown.length),
    total: String(set.validators.length),
  });
}

export async function abciQuery(
  {
    path,
    data,
    height,
    prove,
  }: {
    readonly path: string | undefined;
    readonly data: Uint8Array | undefined;
    readonly height: number | undefined;
    readonly prove: boolean | undefined;
  },
  { port }: CallContext,
): Promise<Answer> {
  // 0 is CometBFT's word for the newest height.
  const asked = height === undefined || height === 0 ? undefined : parseHeight(height);
  if (asked === 'malformed')
    return { error: invalidParams(`height must not be negative, but got ${height}`) };
  if (prove === true && asked !== undefined)
    return { error: invalidParams('only the newest state can be proven: ask for no height') };
  const question = { path: path ?? '', data: data ?? new Uint8Array() };
  const at = asked === undefined ? {} : { height: asked };
  const answer = await port.query({ ...question, ...at, ...(prove === true ? { prove } : {}) });
  return answer.status === 'answered'
    ? succeed({ response: queryResultJson(answer.result) })
    : fail(answer.detail);
}

export async function blockAt({ height }: HeightAsked, { port }: CallContext): Promise<Answer> {
  const chosen = chooseHeight(port, height);
  if ('error' in chosen) return chosen;
  const stored = await port.block({ height: chosen.height });
  return stored === undefined ? notStored(chosen.height) : succeed(blockJson(port.status().chainId, stored));
}

export async function headerAt({ height }: HeightAsked, { port }: CallContext): Promise<Answer> {
  const chosen = chooseHeight(port, height);
  if ('error' in chosen) return chosen;
  const committed = await port.committed({ height: chosen.height });
  return committed === undefined
    ? notStored(chosen.height)
    : succeed({ header: headerJson(port.status().chainId, committed.block.header) });
}

interface HeightAsked {
  readonly height: number | undefined;
}

const notStored = (height: Height): Answer => fail(`block at height ${height} is not stored here`);

export function selectorOf(hash: Uint8Array | undefined): BlockSelector | undefined {
  const id = parseBlockId(toHex(hash ?? new Uint8Array()));
  return id === 'malformed' ? undefined : { id };
}

/** The asked height, checked against what is stored; the newest without one. */
export function chooseHeight(
  port: NodePort,
  asked: number | undefined,
  newest?: number,
): { readonly height: Height } | { readonly error: RpcError } {
  const { earliest, committed } = port.status();
  const latest = newest ?? committed.height;
  const height = parseHeight(asked ?? latest);
  if (asked !== undefined && asked <= 0)
    return heightError(`height must be greater than 0, but got ${asked}`);
  if (height === 'malformed' || height > latest) {
    return heightError(
      `height ${asked} must be less than or equal to the current blockchain height ${latest}`,
    );
  }
  if (height === 0) return heightError('no block is committed yet');
  if (height < earliest.height) {
    return heightError(`height ${height} is not available, lowest height is ${earliest.height}`);
  }
  return { height };
}

const heightError = (data: string): { readonly error: RpcError } => ({
  error: internalError(data),
});

export function perPageOf(asked: number | undefined): number {
  if (asked === undefined || asked < 1) return PER_PAGE_DEFAULT;
  return Math.min(asked, PER_PAGE_MAX);
}

const orNull = <Entry>(entries: readonly Entry[]): readonly Entry[] | null =>
  entries.length === 0 ? null : entries;
