/** Batches that somebody waits for: looked for in storage, then asked of holders in turn. Pure. MP-9, MP-10. */
import { type Monotonic, monotonic } from '../../base/units.ts';
import { batchDigestOf, parseBatch } from '../chain/batch.ts';
import type { Address, BatchDigest, BatchReference } from '../chain/types.ts';
import type { MempoolReply, MempoolRequest } from '../ports/mempool.ts';
import type { Effect } from '../supervision/effect.ts';
import { type BatchFacts, referenceProblem } from './payload.ts';
import { holds, lookup, valuesOf, withEntry, withoutEntry } from './sharded-map.ts';
import {
  type Fetch,
  type FoundBatch,
  type MempoolState,
  others,
  type Step,
  sending,
  tell,
  unchanged,
  type Want,
  withErrand,
} from './state.ts';

type Wanted = Extract<MempoolRequest, { readonly type: 'batches.wanted' }>;
type Refused = Omit<Extract<MempoolReply, { readonly type: 'batches.refused' }>, 'type' | 'tag'>;

/**
 * Answers at once when all are durable here; else waits, and fetches what is not on its way. A repetition changes
 * nothing, unless something of it got lost (MP-9).
 */
export function want(state: MempoolState, request: Wanted, now: Monotonic): Step {
  const before = state.wants.find((waiting) => isOf(waiting, request.replyTo, request.tag));
  const step = wanted(
    withoutWant(state, request.replyTo, request.tag),
    request,
    openOf(before, request),
    now,
  );
  return { ...step, state: prunedFetches(step.state) };
}

function wanted(state: MempoolState, request: Wanted, open: readonly BatchReference[], now: Monotonic): Step {
  const missing = new Map<BatchDigest, BatchReference>();
  const unknown: BatchDigest[] = [];
  for (const reference of open) {
    const entry = lookup(state.batches, reference.digest);
    const problem = entry === undefined ? undefined : problemOf(state, request.height, reference, entry);
    if (problem !== undefined) return { state, effects: [refusal(request, problem)] };
    if (entry?.storage.status === 'durable') continue;
    missing.set(reference.digest, reference);
    if (entry === undefined && !holds(state.fetches, reference.digest)) unknown.push(reference.digest);
  }
  if (missing.size === 0) return { state, effects: [held(request)] };
  const relieved = withoutOldest(state, request.replyTo);
  const tooMany = overload(relieved.state, [...missing.keys()], unknown.length);
  if (tooMany !== undefined)
    return { ...relieved, effects: [...relieved.effects, refusal(request, tooMany)] };
  const { replyTo, tag, height, references, holders } = request;
  const added: Want = { replyTo, tag, missing, references, ...(height === undefined ? {} : { height }) };
  const waiting: MempoolState = { ...relieved.state, wants: [...relieved.state.wants, added] };
  if (unknown.length === 0) return { ...relieved, state: waiting };
  const dueAt = monotonic(now + state.config.storagePatience);
  const fetches = unknown.reduce(
    (map, digest) => withEntry(map, digest, { digest, holders, stage: { status: 'looking', dueAt } }),
    waiting.fetches,
  );
  const asked = withErrand({ ...waiting, fetches }, { kind: 'look', digests: unknown });
  const { storage, self } = state.addresses;
  const look = tell(storage, { type: 'batches.requested', replyTo: self, tag: asked.tag, digests: unknown });
  return { state: asked.state, effects: [...relieved.effects, look] };
}

/** The asker does not wait any more; what only it wanted is fetched no longer. */
export function unwant(state: MempoolState, replyTo: string, tag: number): MempoolState {
  return prunedFetches(withoutWant(state, replyTo, tag));
}

/** What storage had, and what must be asked of others: a committed block's batches at once, others a little later. */
export function looked(
  state: MempoolState,
  found: readonly FoundBatch[],
  missing: readonly BatchDigest[],
  now: Monotonic,
): Step {
  const effects: Effect[] = [];
  let next = state;
  for (const { digest, bytes } of found) {
    const view = parseBatch(bytes, state.config);
    // A disk that gives another batch has none: a holder has.
    if (view === 'malformed' || batchDigestOf(bytes) !== digest) {
      next = asking(next, digest, now);
      continue;
    }
    const { count, expiresAtHeight } = view;
    const step = arrived(next, digest, { count, expiresAtHeight, bytes: bytes.byteLength });
    const done = satisfied(step.state, digest);
    next = done.state;
    effects.push(...step.effects, ...done.effects);
  }
  for (const digest of missing) next = asking(next, digest, now);
  return { state: next, effects };
}

/** A batch's facts are known: those whose block names it wrongly are told (MP-7). */
export function arrived(state: MempoolState, digest: BatchDigest, facts: BatchFacts): Step {
  const effects: Effect[] = [];
  const wants = state.wants.filter((waiting) => {
    const reference = waiting.missing.get(digest);
    const problem = reference && problemOf(state, waiting.height, reference, facts);
    if (problem === undefined) return true;
    effects.push(refusal(waiting, problem));
    return false;
  });
  return effects.length === 0 ? unchanged(state) : { state: prunedFetches({ ...state, wants }), effects };
}

/** A batch is durable here: whoever waited for nothing else is told. */
export function satisfied(state: MempoolState, digest: BatchDigest): Step {
  const effects: Effect[] = [];
  const wants = state.wants.flatMap((waiting) => {
    if (!waiting.missing.has(digest)) return [waiting];
    const missing = new Map(waiting.missing);
    missing.delete(digest);
    if (missing.size > 0) return [{ ...waiting, missing }];
    effects.push(held(waiting));
    return [];
  });
  return { state: { ...state, wants, fetches: withoutEntry(state.fetches, digest) }, effects };
}

/**
 * Asks the next holder of each batch that is due, one message a holder (MP-10). For a committed block each turn ends with one of the connected
 * peers that are no validators, as the router knows them: all who hold its batches may have left the set (CS-16).
 */
export function askHolders(state: MempoolState, now: Monotonic): Step {
  const due = valuesOf(state.fetches)
    .filter(({ stage }) => stage.dueAt <= now)
    .sort((left, right) => (left.digest < right.digest ? -1 : 1));
  if (due.length === 0) return unchanged(state);
  const byHolder = new Map<Address, BatchDigest[]>();
  const byTurn = new Map<number, BatchDigest[]>();
  const fetches = due.reduce((map, fetch) => {
    const attempts = fetch.stage.status === 'asking' ? fetch.stage.attempts : 0;
    const candidates = candidatesOf(state, fetch);
    const asksGuest = isCommitted(state, fetch.digest);
    const places = Math.max(1, candidates.length + Number(asksGuest));
    const turn = Math.floor(attempts / places);
    const holder = candidates[attempts % places];
    if (holder !== undefined) byHolder.set(holder, [...(byHolder.get(holder) ?? []), fetch.digest]);
    else if (asksGuest) byTurn.set(turn, [...(byTurn.get(turn) ?? []), fetch.digest]);
    const pause = Math.min(state.config.fetchRetryMax, state.config.fetchRetryMin * 2 ** turn);
    const dueAt = monotonic(now + pause);
    return withEntry(map, fetch.digest, {
      ...fetch,
      stage: { status: 'asking', attempts: attempts + 1, dueAt },
    });
  }, state.fetches);
  const size = state.config.digestsPerMessageMax;
  const asking = (digests: readonly BatchDigest[]) => {
    return { kind: 'GetBatch' as const, digests: digests.slice(0, size) };
  };
  const outgoing = [...byHolder].map(([holder, digests]) => ({ to: [holder], message: asking(digests) }));
  const toGuests = [...byTurn].map(([turn, digests]) =>
    tell(state.addresses.network, { type: 'guest.askRequested', message: asking(digests), turn }),
  );
  return { state: { ...state, fetches }, effects: [...sending(state, outgoing), ...toGuests] };
}

/** When the first fetch is due; infinity when there is none. @unit ms */
export function nextFetchDue({ fetches }: MempoolState): number {
  let due = Number.POSITIVE_INFINITY;
  for (const { stage } of valuesOf(fetches)) due = Math.min(due, stage.dueAt);
  return due;
}

/** Storage could not keep what was fetched: it is asked for again later. */
export function refetch(state: MempoolState, digest: BatchDigest, now: Monotonic): MempoolState {
  if (!state.wants.some(({ missing }) => missing.has(digest))) return state;
  const dueAt = monotonic(now + state.config.fetchRetryMax);
  const fetch: Fetch = {
    digest,
    holders: lookup(state.fetches, digest)?.holders ?? [],
    stage: { status: 'asking', attempts: 0, dueAt },
  };
  return { ...state, fetches: withEntry(state.fetches, digest, fetch) };
}

function asking(state: MempoolState, digest: BatchDigest, now: Monotonic): MempoolState {
  const fetch = lookup(state.fetches, digest);
  if (fetch?.stage.status !== 'looking') return state;
  const dueAt = isCommitted(state, digest) ? now : monotonic(now + state.config.fetchDelay);
  const next: Fetch = { ...fetch, stage: { status: 'asking', attempts: 0, dueAt } };
  return { ...state, fetches: withEntry(state.fetches, digest, next) };
}

function candidatesOf(state: MempoolState, { holders }: Fetch): readonly Address[] {
  const first = holders.filter((address) => address !== state.author);
  return [...new Set([...first, ...others(state)])];
}

const isCommitted = ({ wants }: MempoolState, digest: BatchDigest): boolean =>
  wants.some(({ height, missing }) => height === undefined && missing.has(digest));

function problemOf(
  state: MempoolState,
  height: Want['height'],
  reference: BatchReference,
  facts: BatchFacts,
): Refused | undefined {
  if (height === undefined) return undefined;
  return referenceProblem(reference, facts, height, state.config.batchTtlHeights);
}

function overload(
  state: MempoolState,
  [digest]: readonly BatchDigest[],
  unknown: number,
): Refused | undefined {
  const { wantsMax, fetchesMax } = state.config;
  const fetches = state.fetches.size + unknown;
  if (digest === undefined || (state.wants.length < wantsMax && fetches <= fetchesMax)) return undefined;
  const detail = `${state.wants.length} askers of at most ${wantsMax} wait, ${fetches} fetches of at most ${fetchesMax}`;
  return { code: 'TOO_MANY_WANTED', digest, detail };
}

const isOf = (waiting: Want, replyTo: string, tag: number): boolean =>
  waiting.replyTo === replyTo && waiting.tag === tag;

/** What a request still lacks: of a repetition, what the first time left open. */
function openOf(before: Want | undefined, request: Wanted): readonly BatchReference[] {
  const { references, height } = request;
  const repeats =
    before !== undefined &&
    before.height === height &&
    before.references.length === references.length &&
    before.references.every((reference, index) => {
      const other = references[index];
      return (
        reference.digest === other?.digest &&
        reference.count === other.count &&
        reference.bytes === other.bytes
      );
    });
  return repeats ? [...before.missing.values()] : references;
}

/** Room for another want of this asker: who asks so much has forgotten its oldest (MP-10). */
function withoutOldest(state: MempoolState, replyTo: string): Step {
  const { wantsPerAskerMax } = state.config;
  const own = state.wants.filter((waiting) => waiting.replyTo === replyTo);
  const [oldest] = own;
  const [digest] = oldest?.missing.keys() ?? [];
  if (oldest === undefined || digest === undefined || own.length < wantsPerAskerMax) return unchanged(state);
  const detail = `${own.length} wants of at most ${wantsPerAskerMax} of this asker wait`;
  const told = refusal(oldest, { code: 'TOO_MANY_WANTED', digest, detail });
  return { state: withoutWant(state, replyTo, oldest.tag), effects: [told] };
}

function withoutWant(state: MempoolState, replyTo: string, tag: number): MempoolState {
  const wants = state.wants.filter((waiting) => !isOf(waiting, replyTo, tag));
  return wants.length === state.wants.length ? state : { ...state, wants };
}

function prunedFetches(state: MempoolState): MempoolState {
  let { fetches } = state;
  for (const { digest } of valuesOf(state.fetches)) {
    if (!state.wants.some(({ missing }) => missing.has(digest))) fetches = withoutEntry(fetches, digest);
  }
  return { ...state, fetches };
}

const held = (asker: Pick<Want, 'replyTo' | 'tag'>) =>
  tell(asker.replyTo, { type: 'batches.held', tag: asker.tag });

const refusal = (asker: Pick<Want, 'replyTo' | 'tag'>, problem: Refused) =>
  tell(asker.replyTo, { type: 'batches.refused', tag: asker.tag, ...problem });
