/**
 * The boundary actor that asks NTP servers: each question gets exactly one reply, in time.
 * Touches sockets and the resolver; decides nothing about what servers say. Rules TM-1, TM-3, docs/protocol/time.md.
 */
import { type BoundaryLogic, declare, type HandlerContext, handler } from '../actors/runtime/index.ts';
import type { WallTime } from '../base/units.ts';
import type { NtpFailure, NtpPollRequested, NtpReply } from '../protocol/ports/time.ts';
import { type NtpServer, parseServer } from '../protocol/time/ntp-server.ts';
import { type Lookup, NameCache } from './name-cache.ts';
import { NtpExchange } from './ntp-exchange.ts';

export interface NtpClientOptions {
  /** Tells NTP's eras apart, of 136 years each; nothing else. */
  readonly wall: () => WallTime;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup;
}

/** One more is answered UNREACHABLE. @unit questions @source more servers than anybody configures */
export const QUESTIONS_MAX = 16;

/** What the cell lets in (RT-16). */
export const NTP_CLIENT_EVENTS = declare<NtpPollRequested>()('ntp.pollRequested');

type NtpClientMessage = NtpPollRequested | { readonly type: 'question.due'; readonly question: number };

interface Question {
  readonly request: NtpPollRequested;
  readonly host: string;
  /** Undefined while the name is looked up. */
  exchange: NtpExchange | undefined;
}

interface NtpClientState {
  readonly names: NameCache;
  /** Those without a reply yet, by a number of our own: askers may use one request id twice. */
  readonly open: Map<number, Question>;
  asked: number;
}

type Context = HandlerContext<NtpClientState, undefined>;

/** Logic of the cell `node/time/ntp-client`. Questions that are open when it ends are not replied to. */
export function ntpClientLogic(options: NtpClientOptions): BoundaryLogic<undefined> {
  return handler<NtpClientState, NtpClientMessage>({
    init({ signal }) {
      const open = new Map<number, Question>();
      signal.addEventListener('abort', () => {
        for (const { exchange } of open.values()) exchange?.close();
        open.clear();
      });
      return { names: new NameCache(options.lookup), open, asked: 0 };
    },
    receive(message, context) {
      if (message.type === 'ntp.pollRequested') ask(options, context, message);
      else giveUp(context, message.question);
    },
  });
}

function ask(options: NtpClientOptions, context: Context, request: NtpPollRequested): void {
  const { state } = context;
  const server = parseServer(request.server);
  if (server === 'malformed') {
    context.tell(request.replyTo, failure(request, 'UNRESOLVED', 'neither host nor host:port'));
    return;
  }
  if (state.open.size >= QUESTIONS_MAX) {
    const detail = `too many questions: ${QUESTIONS_MAX} are open already`;
    context.tell(request.replyTo, failure(request, 'UNREACHABLE', detail));
    return;
  }
  state.asked += 1;
  const key = state.asked;
  state.open.set(key, { request, host: server.host, exchange: undefined });
  context.startTimer(timerOf(key), request.timeoutMs, { type: 'question.due', question: key });
  state.names.resolve(server.host, context.now()).then(
    ({ address, family }) => exchange(options, context, key, { ...server, address, family }),
    (error: unknown) => settle(context, key, failure(request, 'UNRESOLVED', textOf(error))),
  );
}

function exchange(
  { wall }: NtpClientOptions,
  context: Context,
  key: number,
  to: NtpServer & { readonly address: string; readonly family: number },
): void {
  const question = context.state.open.get(key);
  if (question === undefined) return;
  const { request } = question;
  const { server, requestId } = request;
  question.exchange = new NtpExchange({
    to,
    now: () => context.now(),
    near: wall,
    onEnd(end) {
      if (end.outcome === 'answered') {
        const { sentAt, arrivedAt, answer } = end;
        settle(context, key, { type: 'ntp.answered', server, requestId, sentAt, arrivedAt, answer });
        return;
      }
      context.state.names.forget(to.host);
      settle(context, key, failure(request, 'UNREACHABLE', end.detail));
    },
  });
}

function giveUp(context: Context, key: number): void {
  const question = context.state.open.get(key);
  if (question === undefined) return;
  const { request, host } = question;
  const waited = `${request.timeoutMs} ms`;
  if (question.exchange === undefined) {
    settle(context, key, failure(request, 'UNRESOLVED', `the resolver did not answer in ${waited}`));
    return;
  }
  context.state.names.forget(host);
  const { ignored } = question.exchange;
  settle(context, key, failure(request, 'TIMEOUT', `no answer in ${waited}${ignored}`));
}

/** The one reply to a question; whatever comes later finds it gone. */
function settle(context: Context, key: number, reply: NtpReply): void {
  const question = context.state.open.get(key);
  if (question === undefined) return;
  context.state.open.delete(key);
  context.cancelTimer(timerOf(key));
  question.exchange?.close();
  context.tell(question.request.replyTo, reply);
}

const timerOf = (key: number): string => `question/${key}`;

const failure = ({ server, requestId }: NtpPollRequested, code: NtpFailure, detail: string): NtpReply => ({
  type: 'ntp.failed',
  server,
  requestId,
  code,
  detail,
});

/** `getaddrinfo ENOTFOUND time.example`: the resolver's code and the name. */
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
