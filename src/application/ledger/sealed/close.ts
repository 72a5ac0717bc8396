/**
 * The close of sealed sets, before a block's own transactions: what was revealed is executed in the order that no one chose,
 * what was not has lost its deposit. Pure. LG-24, docs/ledger.md; OR-3 and OR-4.
 */
import { invariant } from '../../../base/invariant.ts';
import { digestBytes } from '../../../protocol/chain/parse.ts';
import { accumulated, inOrder, seedOf } from '../../../protocol/ordering/order.ts';
import { isClosedBy } from '../../../protocol/ordering/window.ts';
import type { ApplicationEvent } from '../../../protocol/ports/storage.ts';
import type { BlockContext, StateWriter } from '../../state/rules.ts';
import { credit, debit, moveTotals } from '../accounts.ts';
import { CODES } from '../codes.ts';
import { parametersOf } from '../parameters.ts';
import { sendAll } from '../sending.ts';
import { parseContent, type SealedContent } from './content.ts';
import { sealedEvents } from './events.ts';
import { orderingOf } from './parameters.ts';
import {
  forgetSet,
  idsOf,
  type OpenSeal,
  openSealsOf,
  putSeal,
  putSet,
  queueOf,
  type SealedSet,
  type SealOutcome,
  type SealQueue,
  sealOf,
  setOf,
  setOpenSealsOf,
  setQueue,
} from './records.ts';

/** What became of a seal can be asked for so long. @unit heights @source chosen: that of a transaction (LG-18) */
export const OUTCOME_HEIGHTS = 1_000;

/** An open seal of a set, under its commit id. */
interface Held {
  readonly id: Uint8Array;
  readonly seal: OpenSeal;
}

/** Once a block, first of all: with nothing sealed it costs one reading. */
export function closeDueSets(state: StateWriter, block: BlockContext): readonly ApplicationEvent[] {
  const ordering = orderingOf(state);
  if (ordering === undefined) return [];
  const before = queueOf(state);
  if (before.newest === 0) return [];
  let queue = withRandomness(before, block);
  const events: ApplicationEvent[] = [];
  // A set has no more places than a full block has work; several wait for one another, oldest first (LG-24).
  const most = 2 * parametersOf(state).blockWorkTarget;
  for (let [done, set] = [0, setOf(state, queue.open)]; set !== undefined; set = setOf(state, queue.open)) {
    const opened = { height: queue.open, time: set.time };
    if (!isClosedBy(opened, block, ordering.window) || (done > 0 && done + set.places > most)) break;
    done += set.places;
    const closed = closeSet(state, opened.height, set, queue, block);
    // One by one: a list of arguments has a bound of its own.
    for (const event of closed.events) events.push(event);
    queue = closed.queue;
  }
  queue = forgotten(state, queue, block.height);
  setQueue(state, queue);
  return events;
}

/** Only while a set is open: an idle chain's state stays as it is. */
const withRandomness = (queue: SealQueue, { randomness }: BlockContext): SealQueue =>
  queue.open === 0
    ? queue
    : { ...queue, accumulator: accumulated(queue.accumulator, digestBytes(randomness)) };

function closeSet(
  state: StateWriter,
  height: number,
  set: SealedSet,
  queue: SealQueue,
  block: BlockContext,
): { readonly events: readonly ApplicationEvent[]; readonly queue: SealQueue } {
  const held = idsOf(state, height, set).map((id): Held => {
    const seal = sealOf(state, id);
    invariant(seal !== undefined && 'commitment' in seal, 'the seals of an open set are open');
    return { id, seal };
  });
  const seed = seedOf(queue.accumulator, height);
  const revealed = inOrder(
    held.filter(({ seal }) => seal.status === 'revealed'),
    seed,
    ({ id }) => id,
  );
  const withheld = held.filter(({ seal }) => seal.status === 'sealed');
  let [burned, deposits] = [0n, 0n];
  const events = [...revealed, ...withheld].flatMap(({ id, seal }, place) => {
    const { sender, deposit, nonce } = seal;
    const { outcome, content, sequence } = execute(state, seal);
    if (outcome === 'done' || outcome === 'refused') credit(state, sender, deposit);
    else burned += deposit;
    deposits += deposit;
    setOpenSealsOf(state, sender, openSealsOf(state, sender) - 1);
    putSeal(state, id, { status: outcome, height, sender, nonce, closedAt: block.height, place });
    return sealedEvents(id, { sender, outcome, place, content, sequence, deposit });
  });
  if (burned > 0n) moveTotals(state, { burned });
  putSet(state, height, { ...set, closedAt: block.height });
  return {
    events,
    queue: {
      ...queue,
      open: set.next,
      openSeals: queue.openSeals - held.length,
      deposits: queue.deposits - deposits,
    },
  };
}

/** Others can bring these about between seal and close. */
const NOT_THE_SENDERS: ReadonlySet<number> = new Set([
  CODES.chainHalted,
  CODES.outboxFull,
  CODES.creditExceeded,
]);

interface Execution {
  readonly outcome: SealOutcome;
  readonly content: SealedContent;
  /** Of the first in the outbox, where they have left for another chain. */
  readonly sequence?: bigint;
}

/** All transfers of a seal, or none. */
function execute(state: StateWriter, { status, sender, content: bytes, sizeClass }: OpenSeal): Execution {
  if (status === 'sealed') return { outcome: 'withheld', content: { transfers: [], chain: undefined } };
  const content = parseContent(bytes, sizeClass);
  invariant(!('problem' in content), 'a reveal that was taken can be read');
  const { transfers, chain } = content;
  if (chain !== undefined) {
    const left = sendAll(state, sender, chain, transfers);
    if (!('code' in left)) return { outcome: 'done', content, sequence: left.first };
    return { outcome: NOT_THE_SENDERS.has(left.code) ? 'refused' : 'failed', content };
  }
  const sum = transfers.reduce((total, { amount }) => total + amount, 0n);
  if (debit(state, sender, sum) !== undefined) return { outcome: 'failed', content };
  for (const { to, amount } of transfers) credit(state, to, amount);
  return { outcome: 'done', content };
}

/** One set a block, as one may come a block. */
function forgotten(state: StateWriter, queue: SealQueue, height: number): SealQueue {
  if (queue.remembered === queue.open) return queue;
  const set = setOf(state, queue.remembered);
  if (set === undefined || set.closedAt + OUTCOME_HEIGHTS > height) return queue;
  forgetSet(state, queue.remembered, set);
  return { ...queue, remembered: set.next, newest: set.next === 0 ? 0 : queue.newest };
}
