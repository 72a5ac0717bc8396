/**
 * NTP servers of a simulated run: they know the true time, are wrong as their plans say, and are asked over links of their
 * own. Stands where a node's NTP client stands. Deterministic. Rules SM-2, TM-3.
 */
import {
  type BoundaryLogic,
  handler,
  type RandomStream,
  type VirtualClock,
} from '../actors/runtime/index.ts';
import { type Monotonic, type WallTime, wallTime } from '../base/units.ts';
import type { NtpPollRequested, NtpReply } from '../protocol/ports/time.ts';
import type { NtpAnswer, NtpRefusal } from '../protocol/time/ntp-packet.ts';
import type { NtpServerPlan } from './plan.ts';

/** What every server says that it may be wrong by. @unit ms */
export const ROOT_DISPERSION_MS = 1;
/** What a reading of its clock may be wrong by. @unit ms @source 2^-20 s, as chrony says */
const PRECISION_MS = 0.001;
/** Each way takes so long, and longer by an exponential draw. @unit ms @source chosen: a server of the same country */
const WAY_MS_MIN = 5;
const WAY_MS_MEAN = 5;
/** Share of questions without an answer. */
const LOSS = 0.02;

/** As in `TimeConfig.servers`. */
export const ntpServerName = (index: number): string => `ntp${index}`;

/** It never says more than it knows. */
export const isRight = ({ offsetMs }: NtpServerPlan): boolean => Math.abs(offsetMs) <= ROOT_DISPERSION_MS;

export interface NtpServersOptions {
  readonly servers: readonly NtpServerPlan[];
  /** True time. */
  readonly clock: Pick<VirtualClock, 'now' | 'wall'>;
  readonly draws: RandomStream;
}

type Message = NtpPollRequested | { readonly type: 'reply.due'; readonly question: number };

/** Its time of arrival is when it arrives. */
type ReplyAt = (arrivedAt: Monotonic) => NtpReply;

interface Open {
  readonly to: string;
  readonly reply: ReplyAt;
}

interface State {
  readonly open: Map<number, Open>;
  asked: number;
}

/** Logic of the cell `node/time/ntp-client`. */
export function ntpServers(options: NtpServersOptions): BoundaryLogic<undefined> {
  return handler<State, Message>({
    init: () => ({ open: new Map(), asked: 0 }),
    receive(message, context) {
      const { state } = context;
      if (message.type === 'reply.due') {
        const open = state.open.get(message.question);
        state.open.delete(message.question);
        if (open !== undefined) context.tell(open.to, open.reply(context.now()));
        return;
      }
      state.asked += 1;
      const question = state.asked;
      const { after, reply } = replyTo(options, message, context.now());
      state.open.set(question, { to: message.replyTo, reply });
      context.startTimer(`question ${question}`, after, { type: 'reply.due', question });
    },
  });
}

/** After so long, by the asker's clock; a lost question has its reply too. */
function replyTo(
  { servers, clock, draws }: NtpServersOptions,
  { server, requestId, timeoutMs }: NtpPollRequested,
  sentAt: Monotonic,
): { readonly after: number; readonly reply: ReplyAt } {
  const plan = servers.find((_, index) => ntpServerName(index) === server);
  const way = (): number => WAY_MS_MIN - Math.log(1 - draws.next()) * WAY_MS_MEAN;
  const [there, back, isLost] = [way(), way(), draws.next() < LOSS];
  const at = clock.now() + there;
  if (plan === undefined || isLost || isSilent(plan, at) || there + back >= timeoutMs) {
    const failed = { type: 'ntp.failed', server, requestId, code: 'TIMEOUT', detail: 'simulated' } as const;
    return { after: timeoutMs, reply: () => failed };
  }
  const answer = answerOf(plan, wallTime(clock.wall() + there + errorAt(plan, at)));
  return {
    after: there + back,
    reply: (arrivedAt) => ({ type: 'ntp.answered', server, requestId, sentAt, arrivedAt, answer }),
  };
}

const isSilent = ({ silentFrom, silentUntil }: NtpServerPlan, at: number): boolean =>
  silentFrom !== undefined && at >= silentFrom && at < (silentUntil ?? Number.POSITIVE_INFINITY);

const errorAt = ({ offsetMs, wrongFrom = 0 }: NtpServerPlan, at: number): number =>
  at >= wrongFrom ? offsetMs : 0;

const answerOf = ({ isUnsynchronised }: NtpServerPlan, time: WallTime): NtpAnswer | NtpRefusal =>
  isUnsynchronised === true
    ? { code: 'UNSYNCHRONISED', leap: 3, stratum: 0, reference: 'INIT' }
    : {
        leap: 0,
        stratum: 1,
        reference: 'SIM',
        rootDelay: 0,
        rootDispersion: ROOT_DISPERSION_MS,
        precision: PRECISION_MS,
        receivedAt: time,
        repliedAt: time,
      };
