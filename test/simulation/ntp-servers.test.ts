/** Simulated NTP servers answer as their plans say, within what a question's way allows, and every question once. SM-2, TM-3. */
import { describe, expect, it } from 'vitest';
import {
  child,
  createSystem,
  handler,
  seededRandom,
  supervisor,
  virtualClock,
} from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import type { NtpReply } from '../../src/protocol/ports/time.ts';
import { isRight, ntpServerName, ntpServers, ROOT_DISPERSION_MS } from '../../src/simulation/ntp-servers.ts';
import type { NtpServerPlan } from '../../src/simulation/plan.ts';
import { NTP_CLIENT_EVENTS } from '../../src/time/ntp-client.ts';

const START = 1_700_000_000_000;
const TIMEOUT_MS = 500;

/** Asks each server once a second. */
function asking(servers: readonly NtpServerPlan[], seconds: number) {
  const clock = virtualClock({ startWallMs: START });
  const replies: NtpReply[] = [];
  const asker = handler<undefined, NtpReply>({
    init: () => undefined,
    receive: (reply) => void replies.push(reply),
  });
  const draws = seededRandom('servers').stream('links');
  const system = createSystem({ name: 'asking', clock, random: seededRandom('asking') });
  const client = child('client', ntpServers({ servers, clock, draws }), { publicEvents: NTP_CLIENT_EVENTS });
  system.start(child('node', supervisor({ intensity: 0, children: [child('asker', asker), client] })));
  clock.settle();
  let requestId = 0;
  const ask = (server: string): void => {
    requestId += 1;
    const timeoutMs = millis(TIMEOUT_MS);
    system
      .ref('node/client')
      .tell({ type: 'ntp.pollRequested', replyTo: 'node/asker', server, requestId, timeoutMs });
  };
  for (let second = 0; second < seconds; second += 1) {
    for (const index of servers.keys()) ask(ntpServerName(index));
    clock.advance(1_000);
  }
  const of = (index: number): readonly NtpReply[] =>
    replies.filter(({ server }) => server === ntpServerName(index));
  return { of, ask, replies, clock, asked: () => requestId };
}

/** The server's clock minus true time, of which the way hides so much. */
function errorsIn(replies: readonly NtpReply[]) {
  return replies.flatMap((reply) => {
    if (reply.type !== 'ntp.answered' || !('receivedAt' in reply.answer)) return [];
    const { sentAt, arrivedAt, answer } = reply;
    const middle = START + (sentAt + arrivedAt) / 2;
    return [{ at: sentAt, off: answer.receivedAt - middle, most: (arrivedAt - sentAt) / 2 }];
  });
}

describe('simulated NTP servers', () => {
  it('tell the true time and their own error, within half of the way there and back (TM-1)', () => {
    const { of } = asking([{ offsetMs: 0 }, { offsetMs: -5_000 }], 200);
    for (const [index, offset] of [0, -5_000].entries()) {
      const errors = errorsIn(of(index));
      expect(errors.length).toBeGreaterThan(180);
      for (const { off, most } of errors) expect(Math.abs(off - offset)).toBeLessThanOrEqual(most + 0.001);
      expect(Math.min(...errors.map(({ most }) => most))).toBeGreaterThanOrEqual(5);
      expect(new Set(errors.map(({ off }) => Math.sign(off - offset)))).toEqual(new Set([-1, 1]));
    }
  });

  it('answer every question once, a lost one by its timeout', () => {
    const { replies, asked, ask, clock } = asking([{ offsetMs: 0 }], 300);
    expect(replies.map(({ requestId }) => requestId)).toEqual(
      Array.from({ length: asked() }, (_, id) => id + 1),
    );
    const lost = replies.filter(({ type }) => type === 'ntp.failed').length;
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(20);
    ask('somebody-else');
    clock.advance(TIMEOUT_MS);
    expect(replies.at(-1)).toMatchObject({ type: 'ntp.failed', server: 'somebody-else', code: 'TIMEOUT' });
  });

  it('come to be wrong, fall silent and speak again, when their plans say so', () => {
    const { of } = asking(
      [
        { offsetMs: 900, wrongFrom: 20_000 },
        { offsetMs: 0, silentFrom: 10_000, silentUntil: 30_000 },
        { offsetMs: 0, silentFrom: 10_000 },
      ],
      60,
    );
    for (const { at, off } of errorsIn(of(0))) expect(off > 450).toBe(at >= 20_000);
    const spoke = (index: number) => errorsIn(of(index)).map(({ at }) => at);
    expect(spoke(1).filter((at) => at >= 10_000 && at < 30_000)).toEqual([]);
    expect(spoke(1).filter((at) => at >= 30_000).length).toBeGreaterThan(20);
    expect(spoke(2).filter((at) => at < 10_000).length).toBeGreaterThan(5);
    expect(spoke(2).filter((at) => at >= 10_000)).toEqual([]);
  });

  it('refuse when they do not know the time (TM-3)', () => {
    const { of } = asking([{ offsetMs: 0, isUnsynchronised: true }], 20);
    const codes = of(0).map((reply) =>
      reply.type === 'ntp.answered' && 'code' in reply.answer ? reply.answer.code : reply.type,
    );
    expect(new Set(codes.filter((code) => code !== 'ntp.failed'))).toEqual(new Set(['UNSYNCHRONISED']));
  });

  it('are right when they are wrong by no more than they say', () => {
    expect([0, ROOT_DISPERSION_MS, -ROOT_DISPERSION_MS].map((offsetMs) => isRight({ offsetMs }))).toEqual([
      true,
      true,
      true,
    ]);
    expect(isRight({ offsetMs: ROOT_DISPERSION_MS + 1 })).toBe(false);
  });
});
