/**
 * Whom state-sync asks, and what becomes of a question that nobody answers. Pure. Rules SY-4, SY-6, SY-8, docs/protocol/sync.md; the
 * choice is in protocol/sync/peers.ts, the bounds in protocol/sync/questions.ts.
 */
import { type Millis, type Monotonic, millis } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { BlocksQuery } from '../../protocol/ports/sync.ts';
import { telling } from '../../protocol/supervision/effect.ts';
import { HURRY_MS } from '../../protocol/sync/patience.ts';
import { connectedOf, selectBestSyncPeer } from '../../protocol/sync/peers.ts';
import {
  ask,
  givenUp,
  hurriedOn,
  mayAsk,
  type OpenQuestion,
  openAt,
  type QuestionBook,
  type UnaskedQuestion,
} from '../../protocol/sync/questions.ts';
import type { SyncErrorCode } from '../../protocol/sync/types.ts';
import {
  change,
  count,
  type FetchTask,
  startTimer,
  tellAsker,
  type Work,
  withoutTask,
  withTask,
} from './state-sync.live.ts';
import { blame, chargeFailure, recordGone } from './state-sync.standing.ts';
import { endAwaiting } from './state-sync.tasks.ts';

/** How long an answer is waited for of a peer that may not be there at all. @unit ms @source chosen: two round trips around the earth, a lost packet */
const ROLL_CALL_MS = millis(2_000);
/** When nobody has a place for a question, it is tried again after so long. @unit ms @source chosen */
const ASK_AGAIN_MS = 50;

/** Asks the peer, unless it has no place for the question or its rate is reached. */
export function askPeer(
  work: Work,
  peer: Address,
  question: UnaskedQuestion,
  timeout: Millis,
  task?: number,
): boolean {
  const { book, router, peers } = work.context;
  const { now } = work.clock;
  if (!mayAsk(book, peer, question.kind, now)) return false;
  const isThere = peers.get(peer)?.presence === 'connected';
  const wait = isThere ? timeout : millis(Math.min(timeout, ROLL_CALL_MS));
  const asked = ask(book, peer, question, { now, timeout: wait }, task);
  const { requestId } = asked.message;
  change(work, { book: asked.book });
  const outgoing = [{ to: [peer], message: asked.message }];
  work.effects.push(telling(router, { type: 'network.sendRequested', outgoing }));
  startTimer(work, `question/${requestId}`, wait, { type: 'question.expired', requestId });
  return true;
}

/** Seed 002. False: its answer is not to be waited for. */
export function queryPeerState(work: Work, peer: Address, timeout: Millis): boolean {
  const isAsked = openAt(work.context.book, peer).some(({ message }) => message.kind === 'GetBlockHeight');
  return isAsked || askPeer(work, peer, { kind: 'GetBlockHeight' }, timeout);
}

/** Whatever they have claimed before is not known any more. */
export function queryConnected(work: Work): void {
  for (const { peer } of connectedOf(work.context.peers))
    queryPeerState(work, peer, work.context.config.peerQueryTimeout);
}

/** After a start nobody says who is connected already: whichever validator answers is. Nobody is waited for. */
export function callRoll(work: Work): void {
  for (const [peer, { presence, state }] of work.context.peers) {
    if (presence !== 'connected' && state.power > 0n) queryPeerState(work, peer, millis(ROLL_CALL_MS));
  }
}

const isForBlocks = ({ message }: OpenQuestion): boolean =>
  message.kind === 'GetBlocks' || message.kind === 'GetBlock';

/**
 * No answer came in time: another peer is asked. What was cancelled costs nobody anything, unless it was because the peer took
 * so long; nor does what was sent to whom we cannot reach.
 */
export function expire(work: Work, requestId: number): void {
  const question = work.context.book.open.get(requestId);
  if (question === undefined) return;
  const { peer, task, hurried } = question;
  const known = work.context.peers.get(peer);
  if (known?.presence === 'unknown') recordGone(work, peer);
  const isWaitedFor = task === undefined || work.context.tasks.has(task);
  const isOwed = hurried === undefined ? isWaitedFor : hurried === 'noted';
  if (known?.presence === 'connected' && isOwed)
    chargeFailure(work, peer, isForBlocks(question) ? 'blocks' : 'words');
  if (known?.presence === 'connected' && isWaitedFor) {
    count(work, 'timeouts');
    blame(work, peer, 'REQUEST_TIMEOUT');
  }
  const isThere = known?.presence === 'connected';
  giveUp(
    work,
    requestId,
    isThere ? 'Timeout' : 'NoPeersAvailable',
    `no answer of ${peer} in ${question.timeout} ms`,
  );
}

/** The peer has gone: nobody's fault. */
export function giveUpOn(work: Work, peer: Address): void {
  for (const [requestId, question] of work.context.book.open) {
    if (question.peer === peer) giveUp(work, requestId, 'NoPeersAvailable', `${peer} disconnected`);
  }
}

/** It was tried in vain because it was not there. */
export function forgetTried(work: Work, peer: Address): void {
  for (const [id, task] of work.context.tasks) {
    if (task.kind !== 'fetch' || !task.tried.includes(peer)) continue;
    withTask(work, id, { ...task, tried: task.tried.filter((one) => one !== peer) });
  }
}

/** Questions to peers that may not be there are not waited for when one comes that is. */
export function giveUpOnAbsent(work: Work): void {
  for (const [requestId, { peer, task }] of work.context.book.open) {
    const isThere = work.context.peers.get(peer)?.presence === 'connected';
    if (!isThere && task !== undefined)
      giveUp(work, requestId, 'NoPeersAvailable', `${peer} is not connected`);
  }
}

/** The question's answer is only taken, not waited for. */
function giveUp(
  work: Work,
  requestId: number,
  code: Exclude<SyncErrorCode, 'SyncGapTooLarge'>,
  detail: string,
): void {
  const question = work.context.book.open.get(requestId);
  if (question === undefined) return;
  change(work, { book: givenUp(work.context.book, requestId) });
  endQuestion(work, question, { code, detail });
}

/** What waits for this question goes on without it. */
export function endQuestion(
  work: Work,
  { task: id, peer, message }: OpenQuestion,
  error?: FetchTask['error'],
): void {
  const task = id === undefined ? undefined : work.context.tasks.get(id);
  if (id !== undefined && task?.kind === 'fetch' && error !== undefined)
    withTask(work, id, { ...task, error });
  if (id !== undefined && (task?.kind === 'chunk' || task?.kind === 'epochs') && error !== undefined) {
    withoutTask(work, id);
    tellAsker(work, task, { type: 'fetch.failed', tag: task.tag, error, tried: [peer] });
  }
  if (message.kind === 'GetGenesisHash' && error !== undefined) askAnotherGenesis(work);
  endAwaiting(work, peer, message.kind, id);
}

/** SY-4: for one that did not answer, another is asked, while there is one. */
function askAnotherGenesis(work: Work): void {
  for (const [id, task] of work.context.tasks) {
    if (task.kind !== 'genesis') continue;
    const [next] = genesisCandidates(work, task.asked);
    if (next !== undefined) askGenesisFor(work, id, next);
  }
}

/** SY-4: one differs, so it matters how many do. */
export function askEveryGenesis(work: Work): void {
  for (const [id, task] of work.context.tasks) {
    if (task.kind !== 'genesis') continue;
    for (const peer of genesisCandidates(work, task.asked)) askGenesisFor(work, id, peer);
  }
}

function askGenesisFor(work: Work, id: number, peer: Address): void {
  const task = work.context.tasks.get(id);
  if (task?.kind !== 'genesis' || !askGenesis(work, peer)) return;
  withTask(work, id, {
    ...task,
    asked: [...task.asked, peer],
    awaiting: new Set(task.awaiting).add(peer),
  });
}

/** Connected peers that were not asked: who was silent lately comes last, who has most power first. */
export const genesisCandidates = (work: Work, asked: readonly Address[]): readonly Address[] =>
  connectedOf(work.context.peers)
    .filter(({ peer }) => !asked.includes(peer))
    .sort((left, right) => {
      if (left.failures !== right.failures) return left.failures - right.failures;
      return left.power === right.power ? 0 : left.power > right.power ? -1 : 1;
    })
    .map(({ peer }) => peer);

/** Several are tried within the time of one check. */
export function askGenesis(work: Work, peer: Address): boolean {
  const { book, config } = work.context;
  const isAsked = openAt(book, peer).some(({ message }) => message.kind === 'GetGenesisHash');
  const timeout = millis(config.peerQueryTimeout / config.fetchAttempts);
  return isAsked || askPeer(work, peer, { kind: 'GetGenesisHash' }, timeout);
}

/** Seed 002: whatever is not asked of as many peers as it should be is asked of another, oldest first. */
export function retryPendingBlocks(work: Work): void {
  for (const [id, task] of work.context.tasks) if (task.kind === 'fetch') requestBlocksRedundant(work, id);
}

/** Seed 002: of `copies` peers at once; of others when some fail, up to `attempts` in all beyond the first. */
export function requestBlocksRedundant(work: Work, id: number): void {
  for (;;) {
    const task = work.context.tasks.get(id);
    if (task?.kind !== 'fetch') return;
    const { copies, attempts, query, holders, avoid, timeout } = task.request;
    if (task.answered >= copies) {
      withoutTask(work, id);
      return;
    }
    const open = [...work.context.book.open.values()].filter((question) => question.task === id);
    if (open.length >= copies - task.answered + task.hurried) return;
    if (task.tried.length >= copies + attempts - 1 + task.hurried) {
      endFetch(work, id, open.length);
      return;
    }
    const kind = query.by === 'height' ? 'GetBlocks' : 'GetBlock';
    const { book } = work.context;
    const { now, wall, draw } = work.clock;
    const choice = selectBestSyncPeer(
      work.context.peers,
      { query, holders, avoid, tried: task.tried, isUrgent: task.hurried > 0 },
      {
        ...{ now, wall, drawn: draw() },
        placesTaken: (peer) => (mayAsk(book, peer, kind, now) ? openAt(book, peer).length : undefined),
        owing: (peer) => owedFor(book, peer, now),
      },
    );
    if (choice.status === 'nobody') {
      endFetch(work, id, open.length);
      return;
    }
    if (choice.status === 'busy') {
      startTimer(work, 'asking', ASK_AGAIN_MS, { type: 'asking.due' });
      return;
    }
    const { peer } = choice;
    withTask(work, id, { ...task, tried: [...task.tried, peer] });
    askPeer(work, peer, questionFor(query), timeout, id);
    tellAsker(work, task, { type: 'fetch.started', tag: task.tag, peer });
  }
}

/** How long the oldest question for blocks is open at the peer. @unit ms */
const owedFor = (book: QuestionBook, peer: Address, now: Monotonic): number =>
  openAt(book, peer)
    .filter(isForBlocks)
    .reduce((most, { askedAt }) => Math.max(most, now - askedAt), 0);

const questionFor = (query: BlocksQuery): UnaskedQuestion =>
  query.by === 'height'
    ? { kind: 'GetBlocks', from: query.from, limit: query.limit, withBatches: true }
    : { kind: 'GetBlock', id: query.id, ancestors: query.ancestors };

/** Nobody is left to ask: it has failed when nobody is waited for either. */
function endFetch(work: Work, id: number, open: number): void {
  const task = work.context.tasks.get(id);
  if (task?.kind !== 'fetch' || open > 0) return;
  const { tag, error, tried } = task;
  withoutTask(work, id);
  tellAsker(work, task, { type: 'fetch.failed', tag, error, tried });
}

/** SY-8: one more peer for a leading gap, each once; whoever kept it waiting so long is charged for it now. */
export function hurry(work: Work, replyTo: string, tag: number): void {
  for (const [id, task] of work.context.tasks) {
    if (task.kind !== 'fetch' || task.replyTo !== replyTo || task.tag !== tag) continue;
    chargeSilent(work, id);
    if (task.hurried >= work.context.peers.size) continue;
    withTask(work, id, { ...task, hurried: task.hurried + 1 });
    requestBlocksRedundant(work, id);
  }
}

/** After 3 s at once; for less only if no answer comes at all. By id the first hurries come within a round trip: nobody pays. */
function chargeSilent(work: Work, task: number): void {
  for (const [requestId, question] of work.context.book.open) {
    const { peer, message, askedAt, hurried } = question;
    if (question.task !== task || message.kind !== 'GetBlocks' || hurried === 'charged') continue;
    if (work.context.peers.get(peer)?.presence !== 'connected') continue;
    const isLong = work.clock.now - askedAt >= HURRY_MS;
    change(work, { book: hurriedOn(work.context.book, requestId, isLong ? 'charged' : 'noted') });
    if (isLong) chargeFailure(work, peer, 'blocks');
  }
}

/** Its answers are still taken, and cost nobody anything. */
export function cancel(work: Work, replyTo: string, tag: number): void {
  for (const [id, task] of work.context.tasks) {
    if (task.kind === 'fetch' && task.replyTo === replyTo && task.tag === tag) withoutTask(work, id);
  }
}
