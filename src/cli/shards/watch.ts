/**
 * Looks whether the nodes of a chain have committed two blocks of one height, and shows both to every ledger that trusts it: then
 * its channels halt, before more is taken that only one of the two chains has given. Boundary: HTTP, timers. LG-37, docs/sharding.md.
 */
import { encodeContradictProof } from '../../application/ledger/proofs-between-chains.ts';
import { equalBytes } from '../../base/bytes.ts';
import { linkIdOf } from '../../protocol/chain/canonical.ts';
import { digestFromBytes } from '../../protocol/chain/parse.ts';
import type { ProvenHeader } from '../../protocol/chain/types.ts';
import { messageOf } from '../failure.ts';
import type { AccountKey } from '../ledger/client.ts';
import { pause } from '../pause.ts';
import type { ChainView } from './chain-view.ts';
import type { RelayEvent } from './relayer.ts';

/** Between two looks. @unit ms @source chosen: some blocks; what a fork takes meanwhile `credit_max` bounds (LG-35) */
const LOOK_MS = 5_000;
/** After what a ledger did not take, doubling: a node that lies about its header costs the relayer a fee. @unit ms */
const BACKOFF_MS_MIN = 10_000;
const BACKOFF_MS_MAX = 3_600_000;

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
  while (!signal.aborted) {
    await pause(lookMs, signal);
    const pair = await contradiction(chain).catch(() => undefined);
    let hasFailed = false;
    for (const to of pair === undefined || signal.aborted ? [] : all) {
      const names = { from: chain.chainId, to: to.chainId };
      try {
        const isShown = pair !== undefined && (await show(chain, to, key, pair));
        if (isShown) onEvent({ ...names, kind: 'contradict' });
      } catch (cause) {
        hasFailed = true;
        if (!signal.aborted) onEvent({ ...names, kind: 'failed', problem: messageOf(cause) });
      }
    }
    if (!hasFailed) continue;
    await pause(backoff, signal);
    backoff = Math.min(2 * backoff, BACKOFF_MS_MAX);
  }
}

type Pair = readonly [ProvenHeader, ProvenHeader];

/** Two headers of one height that two endpoints have proven; undefined: all say the same. */
async function contradiction(chain: ChainView): Promise<Pair | undefined> {
  const genesisHash = digestFromBytes(chain.genesisHash);
  if (genesisHash === 'malformed') return undefined;
  const domain = { chainId: chain.chainId, genesisHash };
  const [first, ...others] = await chain.headersOfEach();
  if (first === undefined) return undefined;
  const id = linkIdOf(domain, first.path[0]);
  const other = others.find(({ path: [link] }) => linkIdOf(domain, link) !== id);
  return other === undefined ? undefined : [first, other];
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
