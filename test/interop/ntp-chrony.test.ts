/** Our NTP client and a real NTP server, chrony: right, wrong, not synchronised and rate-limited. Rule TM-3. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NtpReply } from '../../src/protocol/ports/time.ts';
import { type ChronyServer, chronyServer } from '../chaos/support/chrony.ts';
import { startClient, type TestClient } from '../time/support/ntp-client.ts';

interface Servers {
  readonly right: ChronyServer;
  readonly wrong: ChronyServer;
  readonly unsynchronised: ChronyServer;
  readonly limited: ChronyServer;
}

let servers: Servers;
let client: TestClient;

beforeAll(async () => {
  client = await startClient();
  const [right, wrong, unsynchronised, limited] = await Promise.all([
    chronyServer(),
    chronyServer({ offset: '+5s' }),
    chronyServer({ local: false }),
    chronyServer({ ratelimit: true }),
  ]);
  servers = { right, wrong, unsynchronised, limited };
}, 120_000);

afterAll(async () => {
  await client?.stop();
  await Promise.all(Object.values(servers ?? {}).map((server: ChronyServer) => server.stop()));
});

/** What the server's clock is ahead of this machine's, by the best of some exchanges (TM-1). @unit ms */
async function aheadOf(server: string): Promise<{ readonly ahead: number; readonly delay: number }> {
  const exchanges = [];
  for (let index = 0; index < 8; index += 1) exchanges.push(measured(await client.ask(server)));
  const [best] = exchanges.sort((left, right) => left.delay - right.delay);
  if (best === undefined) throw new Error('no exchange');
  return best;
}

function measured(reply: NtpReply): { readonly ahead: number; readonly delay: number } {
  if (reply.type !== 'ntp.answered' || 'code' in reply.answer) throw new Error(JSON.stringify(reply));
  const { sentAt, arrivedAt, answer } = reply;
  const offset = (answer.receivedAt - sentAt + (answer.repliedAt - arrivedAt)) / 2;
  const own = Date.now() - performance.now();
  return { ahead: offset - own, delay: arrivedAt - sentAt - (answer.repliedAt - answer.receivedAt) };
}

describe('the NTP client and chrony (TM-3)', () => {
  it('finds a right server within 10 ms of this machine', async () => {
    const { ahead, delay } = await aheadOf(servers.right.server);
    expect(Math.abs(ahead)).toBeLessThan(10);
    // Negative: a server that claims more time than has passed here.
    expect(delay).toBeGreaterThan(-1);
    expect(delay).toBeLessThan(20);
  });

  it('reads what it says of itself: stratum 1, its own reference, next to no dispersion', async () => {
    const reply = await client.ask(servers.right.server);
    expect(reply).toMatchObject({ answer: { leap: 0, stratum: 1, rootDelay: 0 } });
    if (reply.type !== 'ntp.answered' || 'code' in reply.answer) throw new Error(JSON.stringify(reply));
    expect(reply.answer.rootDispersion).toBeLessThan(1);
    expect(reply.answer.precision).toBeLessThan(1);
  });

  it('finds a server that is 5 s fast 5,000 ms ahead', async () => {
    const { ahead } = await aheadOf(servers.wrong.server);
    expect(Math.abs(ahead - 5_000)).toBeLessThan(10);
  });

  it('takes a server that is not synchronised at its word: no kiss, no time', async () => {
    const reply = await client.ask(servers.unsynchronised.server);
    expect(reply).toMatchObject({ type: 'ntp.answered', answer: { code: 'UNSYNCHRONISED', leap: 3 } });
  });

  it('hears nothing, or a kiss, from a server that it asks too often, and an answer before that', async () => {
    const replies: NtpReply[] = [];
    // All at once: one after the other, the pauses of 200 ms would give the server's bucket time to fill.
    for (let burst = 0; burst < 2; burst += 1) {
      const ids = Array.from({ length: 12 }, () => client.tell(servers.limited.server, 200));
      replies.push(...(await Promise.all(ids.map((id) => client.replyTo(id)))));
    }
    const kinds = replies.map(kindOf);
    expect(kinds).toContain('time');
    const [refused, other] = [
      kinds.filter((kind) => kind === 'TIMEOUT' || kind === 'KISS RATE'),
      kinds.filter((kind) => kind !== 'time' && kind !== 'TIMEOUT' && kind !== 'KISS RATE'),
    ];
    expect(other).toEqual([]);
    // Of 24, 5 are in its bucket and one in 16 of the others is let through.
    expect(refused.length).toBeGreaterThan(8);
  });

  it('finds nobody once the server has gone', async () => {
    const gone = await chronyServer();
    measured(await client.ask(gone.server));
    await gone.stop();
    expect(await client.ask(gone.server)).toMatchObject({ type: 'ntp.failed', code: 'UNREACHABLE' });
  });
});

function kindOf(reply: NtpReply): string {
  if (reply.type === 'ntp.failed') return reply.code;
  const { answer } = reply;
  if (!('code' in answer)) return 'time';
  return answer.code === 'KISS' ? `KISS ${answer.kiss}` : answer.code;
}
