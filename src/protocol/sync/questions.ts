/**
 * What was asked of whom and is not answered: numbers, places, rates, and the answers that peers still owe. Nobody is
 * hammered, nobody's flood detector trips, and what was not asked for is told apart. Pure. Rules SY-6, TP-5, TP-6, docs/protocol/sync.md.
 */
import type { Millis, Monotonic } from '../../base/units.ts';
import type { Address } from '../chain/types.ts';
import { type Bucket, type BucketRate, fullBucket, takeTokens } from '../transport/bucket.ts';
import { KINDS } from '../transport/kinds.ts';
import type { SyncAnswer, SyncQuestion } from './messages.ts';

export type QuestionKind = SyncQuestion['kind'];

type WithoutNumber<Question> = Question extends unknown ? Omit<Question, 'requestId'> : never;
/** A question before it has its number. */
export type UnaskedQuestion = WithoutNumber<SyncQuestion>;

/** Open at once at one peer, of each kind. @unit questions @source chosen: one is being sent while the next is made */
export const OPEN_PER_PEER_MAX: Readonly<Record<QuestionKind, number>> = {
  GetBlocks: 2,
  GetBlock: 2,
  GetBlockHeight: 1,
  GetGenesisHash: 1,
  GetBlockHash: 1,
  GetChain: 1,
  GetSnapshot: 1,
  GetSnapshotChunk: 1,
  GetEpochs: 1,
};
/** Of what the reader of a kind allows its sender, this share is used. @source a rate halves on the way where frames bunch up */
const RATE_SHARE = 1 / 4;
/** Answers that one peer may still owe after their time and that are of use; of older ones only the number is kept. @unit answers */
export const LATE_PER_PEER_MAX = 8;

const ANSWER_KIND: Readonly<Record<QuestionKind, SyncAnswer['kind']>> = {
  GetBlocks: 'Blocks',
  GetBlock: 'Blocks',
  GetBlockHeight: 'BlockHeight',
  GetGenesisHash: 'GenesisHash',
  GetBlockHash: 'BlockHash',
  GetChain: 'Chain',
  GetSnapshot: 'Snapshot',
  GetSnapshotChunk: 'SnapshotChunk',
  GetEpochs: 'Epochs',
};

export interface OpenQuestion {
  readonly peer: Address;
  readonly message: SyncQuestion;
  readonly askedAt: Monotonic;
  readonly timeout: Millis;
  /** Another was asked because this one took so long; `charged`: the peer was charged for it then, not when its time is over. */
  readonly hurried?: 'noted' | 'charged';
  /** Whose question it is; absent: nobody's in particular. */
  readonly task?: number;
}

/** Bounded by peers, kinds and the constants above. */
export interface QuestionBook {
  /** The newest number. */
  readonly requestId: number;
  /** Numbers up to here are of an earlier life. */
  readonly before: number;
  readonly open: ReadonlyMap<number, OpenQuestion>;
  /** Given up, oldest first. */
  readonly late: ReadonlyMap<number, OpenQuestion>;
  /** By peer: how many older answers it owes, and the number of the newest of these. */
  readonly owed: ReadonlyMap<Address, { readonly answers: number; readonly upTo: number }>;
  /** By peer and kind. */
  readonly buckets: ReadonlyMap<string, Bucket>;
}

/** Numbers go on from the clock, so that answers to an earlier life are told apart. */
export const emptyBook = (now: Monotonic): QuestionBook => ({
  requestId: Math.floor(now),
  before: Math.floor(now),
  open: new Map(),
  late: new Map(),
  owed: new Map(),
  buckets: new Map(),
});

/** Questions of a kind to one peer. */
export const rateOf = (kind: QuestionKind): BucketRate => ({
  ratePerSecond: KINDS[kind].ratePerSecond * RATE_SHARE,
  burst: Math.max(1, Math.floor(KINDS[kind].burst * RATE_SHARE)),
});

export const openAt = ({ open }: QuestionBook, peer: Address): readonly OpenQuestion[] =>
  [...open.values()].filter((question) => question.peer === peer);

/** Questions for blocks share their places. */
const sharesPlaces = (left: QuestionKind, right: QuestionKind): boolean =>
  ANSWER_KIND[left] === ANSWER_KIND[right];

/** Whether the peer has a place for one more question of the kind, and its rate allows it. */
export function mayAsk(book: QuestionBook, peer: Address, kind: QuestionKind, now: Monotonic): boolean {
  const taken = openAt(book, peer).filter(({ message }) => sharesPlaces(message.kind, kind)).length;
  if (taken >= OPEN_PER_PEER_MAX[kind]) return false;
  const rate = rateOf(kind);
  return takeTokens(book.buckets.get(`${peer}/${kind}`) ?? fullBucket(rate, now), rate, now).taken;
}

export interface Asked {
  readonly book: QuestionBook;
  readonly message: SyncQuestion;
}

/** Notes the question under the next number. The caller has asked `mayAsk`. */
export function ask(
  book: QuestionBook,
  peer: Address,
  question: UnaskedQuestion,
  when: { readonly now: Monotonic; readonly timeout: Millis },
  task?: number,
): Asked {
  const requestId = book.requestId + 1;
  const message: SyncQuestion = { ...question, requestId };
  const rate = rateOf(message.kind);
  const key = `${peer}/${message.kind}`;
  const { bucket } = takeTokens(book.buckets.get(key) ?? fullBucket(rate, when.now), rate, when.now);
  const open = new Map(book.open).set(requestId, {
    peer,
    message,
    askedAt: when.now,
    timeout: when.timeout,
    ...(task === undefined ? {} : { task }),
  });
  return { book: { ...book, requestId, open, buckets: new Map(book.buckets).set(key, bucket) }, message };
}

export type Reception =
  | { readonly status: 'open' | 'late'; readonly question: OpenQuestion; readonly book: QuestionBook }
  /** Of a question that is long given up, and of no use: after a link stood still its answers come all at once. */
  | { readonly status: 'outdated'; readonly book: QuestionBook }
  /** Of a question of an earlier life, perhaps. */
  | { readonly status: 'foreign' }
  | { readonly status: 'unrequested' };

/** Whether this answer was asked for, of this peer; it is taken out of the book. */
export function received(book: QuestionBook, from: Address, answer: SyncAnswer): Reception {
  const { requestId } = answer;
  for (const status of ['open', 'late'] as const) {
    const question = book[status].get(requestId);
    if (question?.peer !== from || ANSWER_KIND[question.message.kind] !== answer.kind) continue;
    return { status, question, book: { ...book, [status]: without(book[status], requestId) } };
  }
  if (requestId <= book.before) return { status: 'foreign' };
  const owed = book.owed.get(from);
  if (owed === undefined || requestId > owed.upTo) return { status: 'unrequested' };
  return {
    status: 'outdated',
    book: { ...book, owed: withOwed(book.owed, from, owed.answers - 1, owed.upTo) },
  };
}

function withOwed(
  owed: QuestionBook['owed'],
  peer: Address,
  answers: number,
  upTo: number,
): QuestionBook['owed'] {
  const next = new Map(owed);
  if (answers > 0) next.set(peer, { answers, upTo });
  else next.delete(peer);
  return next;
}

export function hurriedOn(
  book: QuestionBook,
  requestId: number,
  hurried: NonNullable<OpenQuestion['hurried']>,
): QuestionBook {
  const question = book.open.get(requestId);
  if (question === undefined) return book;
  return { ...book, open: new Map(book.open).set(requestId, { ...question, hurried }) };
}

/** Given up: its answer is still taken when it comes. */
export function givenUp(book: QuestionBook, requestId: number): QuestionBook {
  const question = book.open.get(requestId);
  if (question === undefined) return book;
  const late = new Map(book.late).set(requestId, question);
  const { peer } = question;
  const ofPeer = [...late].filter(([, other]) => other.peer === peer);
  let { owed } = book;
  for (const [oldest] of ofPeer.slice(0, Math.max(0, ofPeer.length - LATE_PER_PEER_MAX))) {
    late.delete(oldest);
    const before = owed.get(peer);
    owed = withOwed(owed, peer, (before?.answers ?? 0) + 1, Math.max(before?.upTo ?? 0, oldest));
  }
  return { ...book, open: without(book.open, requestId), late, owed };
}

function without<Value>(map: ReadonlyMap<number, Value>, key: number): ReadonlyMap<number, Value> {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}
