/**
 * Carries transfers between chains, all pairs of them: looks what both say of each other, and does the one next step. It keeps
 * nothing, so that it may be killed at any time and begun again, here or elsewhere, also beside another one. Boundary: HTTP, timers.
 * docs/sharding.md.
 */
import { inboxKey, readInbox } from '../../application/ledger/chains.ts';
import { bytesOf } from '../../application/ledger/pairs.ts';
import {
  encodeAcknowledgeProof,
  encodeOpenProof,
  encodeReceiveProof,
} from '../../application/ledger/proofs-between-chains.ts';
import type { Payload } from '../../application/ledger/transaction.ts';
import { toHex } from '../../base/bytes.ts';
import { nextRelayStep, type RelayStep } from '../../protocol/bridge/relay.ts';
import { encodeEpochProof } from '../../protocol/light/encoding.ts';
import { messageOf, runtimeFailure } from '../failure.ts';
import type { AccountKey } from '../ledger/client.ts';
import { pause } from '../pause.ts';
import type { ChainView, OtherChain } from './chain-view.ts';
import { watchForks } from './watch.ts';

/** What was done, for whoever watches. */
export interface RelayEvent {
  readonly from: string;
  readonly to: string;
  /** `halted`: of `from` nothing is taken any more (LG-37); told once. `contradict`: that was shown just now. */
  readonly kind: RelayStep['kind'] | 'failed' | 'halted' | 'contradict';
  /** Transfers that came, of a `receive`. */
  readonly transfers?: number;
  /** Of a failure: it is tried again. */
  readonly problem?: string;
}

/** Where nothing is to be done, until the next look. @unit ms @source chosen: a fraction of a block interval */
const REST_MS = 200;
/** After a failure, doubling. @unit ms */
const BACKOFF_MS_MIN = 250;
const BACKOFF_MS_MAX = 10_000;

/** Runs until `signal` is aborted. Every ordered pair of the chains is carried by itself; one that fails does not hold up the others. */
export async function relay(
  chains: readonly ChainView[],
  key: AccountKey,
  signal: AbortSignal,
  onEvent: (event: RelayEvent) => void,
): Promise<void> {
  const pairs = chains.flatMap((from) => chains.filter((to) => to !== from).map((to) => ({ from, to })));
  const watched = chains.map((chain) => watchForks(chain, chains, key, { signal, onEvent }));
  await Promise.all([...pairs.map(({ from, to }) => carry(from, to, key, { signal, onEvent })), ...watched]);
}

async function carry(
  from: ChainView,
  to: ChainView,
  key: AccountKey,
  { signal, onEvent }: { readonly signal: AbortSignal; readonly onEvent: (event: RelayEvent) => void },
): Promise<void> {
  const names = { from: from.chainId, to: to.chainId };
  let backoff = BACKOFF_MS_MIN;
  let isTold = false;
  while (!signal.aborted) {
    try {
      const { isHalted, ...done } = await oneStep(from, to, key);
      backoff = BACKOFF_MS_MIN;
      if (isHalted && !isTold) onEvent({ ...names, kind: 'halted' });
      isTold = isHalted;
      if (done.kind === 'rest') await pause(REST_MS, signal);
      else onEvent({ ...names, ...done });
    } catch (cause) {
      if (signal.aborted) return;
      onEvent({ ...names, kind: 'failed', problem: messageOf(cause) });
      await pause(backoff, signal);
      backoff = Math.min(2 * backoff, BACKOFF_MS_MAX);
    }
  }
}

type Done = Pick<RelayEvent, 'transfers'> & { readonly kind: RelayStep['kind']; readonly isHalted: boolean };

async function oneStep(from: ChainView, to: ChainView, key: AccountKey): Promise<Done> {
  const [source, destination] = await Promise.all([from.about(to.chainId), to.about(from.chainId)]);
  const isOpen = destination.genesis_hash !== null;
  const isHalted = destination.halted_at !== null;
  requireSame(from, destination);
  requireSame(to, source);
  const { current } = await from.epochs(destination.trusted_epoch);
  const step = nextRelayStep(
    {
      ...{ epoch: current, isOpen: source.genesis_hash !== null, isHalted: source.halted_at !== null },
      ...{ nextToSend: source.next_to_send, firstUnacknowledged: source.first_unacknowledged },
    },
    {
      ...{ isOpen, isHalted, trustedEpoch: destination.trusted_epoch },
      nextToReceive: destination.next_to_receive,
    },
  );
  switch (step.kind) {
    case 'rest':
      break;
    case 'open':
      await to.submit(key, await openPayload(from, destination));
      break;
    case 'follow':
      await to.submit(key, await followPayload(from, step.from));
      break;
    case 'receive': {
      const { payload, transfers } = await receivePayload(from, to, step.first);
      await to.submit(key, payload);
      return { kind: step.kind, transfers, isHalted };
    }
    case 'acknowledge':
      await from.submit(key, await acknowledgePayload(from, to));
  }
  // Nothing else of a step: its `from` is an epoch, an event's is a chain.
  return { kind: step.kind, isHalted };
}

/** Two chains of one id: nothing of the one can be carried to whoever knows the other. */
function requireSame(chain: ChainView, named: OtherChain): void {
  if (named.genesis_hash === null || named.genesis_hash === toHex(chain.genesisHash)) return;
  throw runtimeFailure(
    `${chain.chainId} at ${chain.endpoints.join(', ')} has the genesis ${toHex(chain.genesisHash)}, and the other chain knows one of ${named.genesis_hash}`,
  );
}

async function openPayload(from: ChainView, { slot }: OtherChain): Promise<Payload> {
  const proof = encodeOpenProof({ slot, header: await from.firstHeader() });
  return { kind: 'open', chain: from.genesisHash, proof };
}

async function followPayload(from: ChainView, epoch: number): Promise<Payload> {
  const [proof] = (await from.epochs(epoch)).proofs;
  if (proof === undefined)
    throw runtimeFailure(`${from.chainId} does not prove how its epoch ${epoch} ended`);
  return { kind: 'follow', chain: from.genesisHash, proof: encodeEpochProof(proof) };
}

async function receivePayload(
  from: ChainView,
  to: ChainView,
  first: bigint,
): Promise<{ readonly payload: Payload; readonly transfers: number }> {
  const { transfers, lastKey } = await from.outbox(to.genesisHash, first);
  if (lastKey === undefined) throw runtimeFailure(`${from.chainId} does not show its transfer ${first}`);
  const { header, state } = await from.shown(lastKey);
  const proof = encodeReceiveProof({ firstSequence: first, transfers, header, state });
  return { payload: { kind: 'receive', chain: from.genesisHash, proof }, transfers: transfers.length };
}

/** What the destination shows of its inbox, which may be further by now than it was when the step was chosen. */
async function acknowledgePayload(from: ChainView, to: ChainView): Promise<Payload> {
  const { header, state, value } = await to.shown(toHex(bytesOf(inboxKey(from.genesisHash))));
  const { nextSequence } = readInbox(value);
  const proof = encodeAcknowledgeProof({ nextSequence, header, state });
  return { kind: 'acknowledge', chain: to.genesisHash, proof };
}
