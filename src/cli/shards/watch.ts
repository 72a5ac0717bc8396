/**
 * Looks whether the nodes of a chain have committed two blocks of one height, and shows both to every ledger that trusts it: then
 * its channels halt, before more is taken that only one of the two chains has given. Boundary: HTTP, timers. LG-37, docs/sharding.md.
 */
import { encodeContradictProof } from '../../application/ledger/proofs-between-chains.ts';
import { equalBytes } from '../../base/bytes.ts';
import { linkIdOf } from '../../protocol/chain/canonical.ts';
import { digestFromBytes } from '../../protocol/chain/parse.ts';
import type { ChainDomain, ProvenHeader } from '../../protocol/chain/types.ts';
import { messageOf } from '../failure.ts';
import type { AccountKey } from '../ledger/client.ts';
import { pause } from '../pause.ts';
import type { ChainView, NodeHeader } from './chain-view.ts';
import type { RelayEvent } from './relayer.ts';

/** Between two looks. @unit ms @source chosen: some blocks; what a fork takes meanwhile `credit_max` bounds (LG-35) */
const LOOK_MS = 5_000;
/** After what a ledger did not take, doubling: a node that lies about its header costs the relayer a fee. @unit ms */
const BACKOFF_MS_MIN = 10_000;
const BACKOFF_MS_MAX = 3_600_000;
/** Shown to one ledger at one look. @unit pairs @source all of four nodes; each that is refused costs a fee */
const PAIRS_MAX = 6;

interface Watching {
  /** Between two looks; LOOK_MS where it is left out. @unit ms */
  readonly lookMs?: number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RelayEvent) => void;
}

/** Until `signal` is aborted. One endpoint contradicts nobody: give several, of different operators. */
export async function watchForks(
  chain: ChainView,
  all: readonly ChainView[],
  key: AccountKey,
  { lookMs = LOOK_MS, signal, onEvent }: Watching,
): Promise<void> {
  if (chain.endpoints.length < 2) return;
  let backoff = BACKOFF_MS_MIN;
  let refusals = 0;
  while (!signal.aborted) {
    await pause(lookMs, signal);
    const pairs = await contradictions(chain, refusals).catch(() => []);
    let isRefused = false;
    for (const to of pairs.length === 0 || signal.aborted ? [] : all) {
      const isTaken = await showAny(chain, to, key, pairs, { signal, onEvent });
      isRefused ||= !isTaken;
    }
    if (!isRefused) continue;
    refusals += 1;
    await pause(backoff, signal);
    backoff = Math.min(2 * backoff, BACKOFF_MS_MAX);
  }
}

type Pair = readonly [ProvenHeader, ProvenHeader];

/**
 * Two endpoints each, whose headers of one height are of different blocks; none: all say the same. Nothing is verified here: which
 * are proven the ledger says. Nodes that lie must not stand before two that have forked: where there are more pairs than are shown at one look,
 * the next ones come when these were refused.
 */
async function contradictions(chain: ChainView, refusals: number): Promise<readonly Pair[]> {
  const genesisHash = digestFromBytes(chain.genesisHash);
  if (genesisHash === 'malformed') return [];
  const domain = { chainId: chain.chainId, genesisHash };
  const heights = await chain.headersOfEach();
  const pairs = differing(heights, domain);
  const from = (refusals * PAIRS_MAX) % Math.max(1, pairs.length);
  return [...pairs.slice(from), ...pairs.slice(0, from)].slice(0, PAIRS_MAX);
}

/**
 * Two nodes are compared once, at the highest height that both give: if they are of one chain there, they are below. Neighbours first, then those
 * that are two apart, and so on: each header is in two of the first pairs at the most.
 */
function differing(heights: readonly (readonly NodeHeader[])[], domain: ChainDomain): readonly Pair[] {
  const compared = new Set<string>();
  return heights.flatMap((headers) => {
    const ids = headers.map(({ header }) => linkIdOf(domain, header.path[0]));
    return headers.flatMap((_, apart) =>
      headers.flatMap((left, at): readonly Pair[] => {
        const right = headers[at + apart];
        const both = `${left.node} ${right?.node}`;
        if (apart === 0 || right === undefined || compared.has(both)) return [];
        compared.add(both);
        return ids[at] === ids[at + apart] ? [] : [[left.header, right.header]];
      }),
    );
  });
}

/** False: that ledger has taken none of them, and each has cost a fee. */
async function showAny(
  chain: ChainView,
  to: ChainView,
  key: AccountKey,
  pairs: readonly Pair[],
  { signal, onEvent }: Pick<Watching, 'signal' | 'onEvent'>,
): Promise<boolean> {
  const names = { from: chain.chainId, to: to.chainId };
  for (const pair of pairs) {
    try {
      if (await show(chain, to, key, pair)) onEvent({ ...names, kind: 'contradict' });
      return true;
    } catch (cause) {
      if (signal.aborted) return true;
      onEvent({ ...names, kind: 'failed', problem: messageOf(cause) });
    }
  }
  return false;
}

/** True: it was shown just now, and taken. False: that ledger does not trust the chain, or has halted. */
async function show(chain: ChainView, to: ChainView, key: AccountKey, [left, right]: Pair): Promise<boolean> {
  if (equalBytes(to.genesisHash, chain.genesisHash)) return false;
  const about = await to.about(chain.chainId);
  if (about.genesis_hash === null || about.halted_at !== null) return false;
  await to.submit(key, {
    ...{ kind: 'contradict', chain: chain.genesisHash },
    proof: encodeContradictProof({ left, right }),
  });
  return true;
}
