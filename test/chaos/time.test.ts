/**
 * Real validators with wrong clocks and real NTP servers: adjusted times agree, a clock that is set moves nothing, a leader
 * far off is not voted for. Rules TM-1 to TM-8, docs/protocol/time.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../cluster/support/local-network.ts';
import type { Validators } from '../cluster/support/validators.ts';
import { ALL } from './support/chaos-network.ts';
import { type ChronyServer, chronyServer } from './support/chrony.ts';
import { CLOCK_LOOKED_AT_MS } from './support/faketime.ts';
import { spreadOf, type Time, TimeNetwork } from './support/time-network.ts';

const QUICK = { ALTHING_TIME__UPDATE_INTERVAL_MS: '1000', ALTHING_TIME__NTP_POLL_INTERVAL_MS: '1000' };
const HOUR_S = 3_600;
/** What they agree within: on a machine that hardly runs them, what the two least sure say of their error. @unit ms */
const agreementOf = (times: readonly Time[], least = 20): number =>
  Math.max(least, 2 * Math.max(...times.map(({ error_ms: error }) => error ?? 0)));

let network: TimeNetwork | undefined;
const servers: ChronyServer[] = [];
afterEach(async () => {
  await network?.remove();
  network = undefined;
  for (const server of servers.splice(0)) await server.stop();
});

/** A clock moves no further between an update and its being asked about. @unit ms */
const NEAR_MS = 50;

const raised = ({ alerts }: Time): readonly string[] => alerts.map(({ alert }) => alert);

describe('four validators with clocks at −10 s, −1 s, 0 and +10 s', () => {
  it('agree within 20 ms after three updates and commit meanwhile; a clock set by ±1 h moves nothing (TM-1, TM-4, TM-6)', async () => {
    const run = await TimeNetwork.create([-10, -1, 0, 10], () => QUICK);
    network = run;
    const times = await run.until('three updates', ({ updates }) => updates >= 3);
    const errors = times.map((time, index) => run.errorOf(index, time));
    console.log(`adjusted minus true time: ${errors.map((error) => error.toFixed(2)).join(', ')} ms`);
    expect(spreadOf(errors)).toBeLessThan(agreementOf(times));
    expect(await run.heightOf(0)).toBeGreaterThan(0);
    // Who is heard first decides where the middle is, from −1 s to 0: each says of its own clock what that is.
    for (const time of [times[0], times[3]]) {
      const off = Math.abs(time?.system_offset_ms ?? 0);
      expect(off).toBeGreaterThan(8_900);
      // The alert is of an update, a moment ago: about 10 s either may be right.
      const alerts = [
        ...(off < 10_000 + NEAR_MS ? ['ClockDriftSevere'] : []),
        ...(off > 10_000 - NEAR_MS ? ['ClockDriftCritical'] : []),
      ];
      expect(alerts).toContain(time?.alerts[0]?.alert);
    }

    const victim = 2;
    for (const seconds of [HOUR_S, -HOUR_S]) {
      const before = await run.roundsOf(victim);
      const { alert_counts: counts } = await run.timeOf(victim);
      run.setClock(victim, seconds);
      const stepped = (time: Time): boolean =>
        (time.alert_counts['SystemClockStepped'] ?? 0) > (counts['SystemClockStepped'] ?? 0);
      const seen = await run.until(
        'the step is seen, and over',
        (time) => stepped(time) && !raised(time).includes('SystemClockStepped'),
        [victim],
      );
      expect(seen[0]?.state).toBe('synchronised');
      await sleep(CLOCK_LOOKED_AT_MS);
      const after = await Promise.all(ALL.map((index) => run.timeOf(index)));
      const now = after.map((time, index) => run.errorOf(index, time));
      console.log(`${seconds} s: ${now.map((error) => error.toFixed(2)).join(', ')} ms`);
      expect(spreadOf(now)).toBeLessThan(agreementOf(after));
      expect(spreadOf([...now, ...errors])).toBeLessThan(100);
      const lost = (await run.roundsOf(victim)).view_changes.filter(
        ({ round }) => !before.view_changes.some((known) => known.round === round),
      );
      expect(lost).toEqual([]);
      expect(await run.blocksWithin(victim, 3_000)).toBeGreaterThan(0);
    }
  });
});

describe('NTP servers (chrony)', () => {
  const withServers = (given: readonly ChronyServer[], source: string) => () => ({
    ...QUICK,
    ALTHING_TIME__SOURCE: source,
    ALTHING_TIME__SERVERS: given.map(({ server }) => server).join(','),
  });

  it('of three, one 5 s wrong: all validators are right to 10 ms, and name the wrong one (TM-3)', async () => {
    servers.push(await chronyServer(), await chronyServer(), await chronyServer({ offset: '+5s' }));
    const run = await TimeNetwork.create([-10, -1, 0, 10], withServers(servers, 'ntp'));
    network = run;
    const times = await run.until('three updates', ({ updates }) => updates >= 3);
    const errors = times.map((time, index) => run.errorOf(index, time));
    console.log(`adjusted minus true time: ${errors.map((error) => error.toFixed(2)).join(', ')} ms`);
    for (const error of errors) expect(Math.abs(error)).toBeLessThan(agreementOf(times, 10));
    for (const { servers: told } of times) {
      expect(told.map(({ status }) => status)).toEqual(['selected', 'selected', 'falseticker']);
    }
    expect(await run.blocksWithin(0, 3_000)).toBeGreaterThan(0);
  });

  it('of two that contradict each other neither is believed: NoMajority, the peers lead, nothing steps (TM-3, TM-5)', async () => {
    servers.push(await chronyServer(), await chronyServer({ offset: '+5s' }));
    const run = await TimeNetwork.create([0, 0, 0, 0], withServers(servers, 'hybrid'));
    network = run;
    const times = await run.until(
      'NoMajority',
      (time) => raised(time).includes('NoMajority') && time.updates > 3,
    );
    for (const [index, time] of times.entries()) {
      expect(Math.abs(run.errorOf(index, time))).toBeLessThan(agreementOf(times));
      expect(time.led_by).toBe('peers');
    }
    expect(await run.blocksWithin(0, 3_000)).toBeGreaterThan(0);
  });
});

describe('a leader whose clock is ten minutes off, and who believes it', () => {
  const TEN_MINUTES_S = 600;
  /** Older than any clock here shows: else the one that is behind would not start. */
  const makeGenesisOlder = ({ network: { directory } }: Validators): void => {
    const genesisTime = new Date(Date.now() - 2 * HOUR_S * 1_000).toISOString();
    for (const index of ALL) {
      const path = join(directory, `node${index}`, 'config', 'genesis.json');
      const genesis: object = JSON.parse(readFileSync(path, 'utf8'));
      writeFileSync(path, JSON.stringify({ ...genesis, genesis_time: genesisTime }));
    }
  };

  for (const [name, seconds] of [
    ['ahead', TEN_MINUTES_S],
    ['behind', -TEN_MINUTES_S],
  ] as const) {
    it(`${name}: is not voted for, the refusal is visible, and the next leader commits (TM-8)`, async () => {
      const liar = 3;
      const run = await TimeNetwork.create(
        [0, 0, 0, seconds],
        (index) => ({ ...QUICK, ALTHING_TIME__SOURCE: index === liar ? 'system' : 'peers' }),
        makeGenesisOlder,
      );
      network = run;
      await run.until('three updates', ({ updates }) => updates >= 3);
      const sighting = await eventually('a refusal', 60_000, async () => {
        const seenBy = seconds > 0 ? 0 : liar;
        const { rounds } = await run.roundsOf(seenBy);
        return rounds.find(({ refusal }) => refusal?.startsWith('TIME_TOO_EARLY'));
      });
      console.log(`${name}: round ${sighting.round}: ${sighting.refusal}`);
      expect(await run.blocksWithin(0, 10_000)).toBeGreaterThan(0);
      const { alerts } = await run.timeOf(liar);
      expect(alerts.map(({ alert }) => alert)).toContain('PeersDisagree');
    });
  }
});
