import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Monotonic, millis, monotonic, wallTime } from '../../src/base/units.ts';
import { initialTime, type TimeCoordinatorContext } from '../../src/machines/time/time-coordinator.setup.ts';
import { timeReport } from '../../src/node/time-report.ts';
import { TIME_DEFAULTS, type TimeConfig } from '../../src/protocol/time/config.ts';
import {
  type Association,
  answered,
  clearSamples,
  failed,
  newAssociation,
  pollSent,
} from '../../src/protocol/time/ntp-association.ts';
import type { NtpAnswer, NtpRefusal } from '../../src/protocol/time/ntp-packet.ts';
import type { Findings } from '../../src/protocol/time/sources.ts';
import { TIME_ALERTS } from '../../src/protocol/time/types.ts';
import { TIME_STATES, type TimeState } from '../../src/rpc/time-port.ts';
import { AdjustedClock } from '../../src/time/adjusted-clock.ts';
import { world } from '../protocol/consensus/fixture.ts';

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/operator-guide.md'), 'utf8');
const START = Date.UTC(2026, 0, 31, 12);
const NOW = monotonic(100_000);
const CONFIG: TimeConfig = { ...TIME_DEFAULTS, servers: ['a.example', 'b.example'] };
const place = world([1n, 1n, 1n, 1n]);
const addresses = place.validators.map(({ address }) => address);
const names = new Map(addresses.map((address, index) => [address, `node${index}`]));

function at<Value>(values: readonly Value[], index: number): Value {
  const value = values[index];
  if (value === undefined) throw new Error(`there is no ${index}`);
  return value;
}

const self = at(addresses, 0);
const initial = initialTime(
  {
    config: CONFIG,
    validators: place.epoch.set,
    self,
    clock: 'clock',
    ntpClient: 'ntp',
    router: 'router',
    listeners: [],
    paced: [],
  },
  monotonic(0),
);

/** Adjusted time is START at NOW, the system clock 7 s ahead of it. */
function reportOf(changes: Partial<TimeCoordinatorContext>, state: TimeState = 'synchronised') {
  const adjusted = new AdjustedClock({ now: () => NOW, wall: () => wallTime(START + 7_000) });
  const discipline = { at: NOW, time: wallTime(START), ratePpm: 0, slewMs: 0 };
  adjusted.discipline(discipline, true);
  const clock = { now: () => NOW, wall: () => wallTime(START + 7_000) };
  const context = { ...initial, discipline, ...changes };
  return timeReport({ clock, adjusted, source: 'hybrid' }, { value: state, context }, names);
}

/** Of adjusted time at NOW. */
const OWN = START - NOW;

describe('the report on time', () => {
  it('has the two clocks and their difference, also while the coordinator is down', () => {
    const clock = { now: () => NOW, wall: () => wallTime(START) };
    const report = timeReport({ clock, adjusted: new AdjustedClock(clock), source: 'ntp' }, undefined, names);
    expect(report).toMatchObject({
      state: 'starting',
      source: 'ntp',
      adjustedTime: START,
      isAdjusted: false,
      systemOffset: 0,
      mayPropose: false,
      error: undefined,
      peers: [],
      history: [],
    });
    expect(reportOf({})).toMatchObject({
      state: 'synchronised',
      source: 'hybrid',
      adjustedTime: START,
      isAdjusted: true,
      systemTime: START + 7_000,
      systemOffset: 7_000,
    });
  });

  it('knows no error bound before the first update, and one that grows with age and slew afterwards (TM-4, TM-6)', () => {
    expect(reportOf({}, 'acquiring')).toMatchObject({ error: undefined, mayPropose: false, updates: 0 });
    const update = {
      updates: 3,
      lastUpdate: monotonic(NOW - 4_000),
      bound: { error: 2, at: monotonic(NOW - 4_000) },
      discipline: { at: NOW, time: wallTime(START), ratePpm: 12, slewMs: -5 },
    };
    expect(reportOf(update)).toMatchObject({
      updates: 3,
      mayPropose: true,
      lastUpdateAge: 4_000,
      error: 2 + (2 * TIME_DEFAULTS.driftPpmMax * 4_000) / 1_000_000 + 5,
      ratePpm: 12,
      slewLeft: -5,
    });
  });

  it('has every other validator by its name, its clock against adjusted time, and none for this node', () => {
    const peer = at(addresses, 2);
    const info = initial.peers.get(peer);
    if (info === undefined) throw new Error('it is a peer');
    const peers = new Map(initial.peers).set(peer, {
      ...info,
      timeOffset: OWN + 3,
      lastUpdate: monotonic(NOW - 250),
      roundTripTime: millis(8),
      reliabilityScore: 0.6,
      isSynchronised: true,
    });
    const report = reportOf({ peers });
    expect(new Set(report.peers.map(({ id }) => id))).toEqual(new Set(addresses.slice(1)));
    expect(report.peers.find(({ id }) => id === peer)).toEqual({
      id: peer,
      name: 'node2',
      offset: 3,
      lastUpdateAge: 250,
      roundTripTime: 8,
      reliabilityScore: 0.6,
      isSynchronised: true,
    });
    expect(report.peers.find(({ id }) => id !== peer)).toMatchObject({ offset: undefined });
  });

  it('has the alerts that stand with their sentences, and how often each was raised', () => {
    const report = reportOf({
      alerts: new Map([['HoldOver', 'no source']]),
      alertCounts: new Map([['HoldOver', 4]]),
    });
    expect(report.alerts).toEqual([{ alert: 'HoldOver', detail: 'no source' }]);
    expect(report.alertCounts.get('HoldOver')).toBe(4);
  });

  it('has the findings relative to adjusted time, and who led last', () => {
    const update = {
      at: wallTime(START),
      by: 'ntp',
      outcome: 'slewed',
      correction: 1,
      error: 2,
      systemOffset: 3,
      peers: [],
    } as const;
    const report = reportOf({ findings: FINDINGS, history: [update] });
    expect(report.ledBy).toBe('ntp');
    expect(report.history[0]).toBe(update);
    expect(report.findings).toEqual({
      peers: { status: 'agreed', lo: -4, hi: 6, offset: 1, error: 5, low: [self], high: [] },
      ntp: { status: 'selected', offset: 2, error: 9, falsetickers: ['b.example'] },
      conflict: true,
      peersAreSynchronised: true,
    });
    const few: Findings = {
      ...FINDINGS,
      peers: { status: 'tooFewAnswers', power: 1n, needed: 3n },
      ntp: { status: 'noMajority', candidates: 2, agreeing: 1 },
    };
    expect(reportOf({ findings: few }).findings).toMatchObject({ peers: few.peers, ntp: few.ntp });
  });
});

const FINDINGS: Findings = {
  estimate: undefined,
  peers: {
    status: 'agreed',
    interval: { lo: OWN - 4, hi: OWN + 6 },
    offset: OWN + 1,
    error: 5,
    low: [self],
    high: [],
  },
  ntp: {
    status: 'selected',
    offset: OWN + 2,
    error: 9,
    survivors: ['a.example'],
    falsetickers: ['b.example'],
    interval: { lo: OWN - 7, hi: OWN + 11 },
  },
  conflict: true,
  peersAreSynchronised: true,
  somebodyHasTime: true,
};

/** One question to a server and what came of it, one second before NOW at the latest. */
function asked(
  server: Association,
  requestId: number,
  answer: Partial<NtpAnswer> | NtpRefusal | undefined,
): Association {
  const sentAt = monotonic(NOW - 90_000 + 2_000 * requestId);
  const sent = pollSent(server, requestId, sentAt, CONFIG);
  const arrivedAt = monotonic(sentAt + 4);
  if (answer === undefined) return failed(sent, { requestId }, arrivedAt, CONFIG);
  const reply = 'code' in answer ? answer : { ...answerAt(monotonic(sentAt + 2)), ...answer };
  return answered(sent, { requestId, sentAt, arrivedAt, answer: reply }, arrivedAt, CONFIG);
}

/** A server that is 2 ms ahead of adjusted time. */
const answerAt = (middle: Monotonic): NtpAnswer => ({
  leap: 0,
  stratum: 2,
  reference: 'GPS',
  rootDelay: 1,
  rootDispersion: 1,
  precision: 0.001,
  receivedAt: wallTime(OWN + 2 + middle),
  repliedAt: wallTime(OWN + 2 + middle),
});

const UNSYNCHRONISED: NtpRefusal = { code: 'UNSYNCHRONISED', leap: 3, stratum: 0, reference: 'INIT' };
const having = (...answers: readonly (Partial<NtpAnswer> | NtpRefusal | undefined)[]): Association =>
  answers.reduce<Association>(
    (server, answer, index) => asked(server, index + 1, answer),
    newAssociation('a.example', monotonic(0)),
  );
const four = [{}, {}, {}, {}];
const serverOf = (server: Association, findings?: Findings) =>
  at(reportOf({ servers: new Map([['a.example', server]]), findings }).servers, 0);

describe('an NTP server in the report (TM-3)', () => {
  it('has its numbers relative to adjusted time', () => {
    const { why, rootDistance, ...server } = serverOf(having(...four), FINDINGS);
    expect([why, (rootDistance ?? 0) > 2]).toEqual(['', true]);
    expect(server).toEqual({
      server: 'a.example',
      status: 'selected',
      reach: 0b1111,
      offset: 2,
      delay: 4,
      stratum: 2,
    });
  });

  const ntp = (changes: object): Findings => ({ ...FINDINGS, ntp: { ...FINDINGS.ntp, ...changes } });
  it.each<[string, Association, Findings | undefined, RegExp]>([
    ['selected', having(...four), FINDINGS, /^$/],
    ['agreeing', having(...four), ntp({ survivors: ['b.example'], falsetickers: [] }), /steadier/],
    ['falseticker', having(...four), ntp({ survivors: [], falsetickers: ['a.example'] }), /majority/],
    [
      'undecided',
      having(...four),
      { ...FINDINGS, ntp: { status: 'noMajority', candidates: 2, agreeing: 1 } },
      /contradict each other/,
    ],
    ['undecided', having(...four), { ...FINDINGS, ntp: { status: 'noCandidates' } }, /no update yet/],
    ['undecided', having(...four), undefined, /no update yet/],
    ['waiting', newAssociation('a.example', monotonic(0)), undefined, /first answers/],
    ['waiting', having({}, {}), undefined, /first answers/],
    ['waiting', having({}, {}, undefined), undefined, /more answers/],
    ['waiting', clearSamples(having({}, {}, {}, {}, {}), NOW), undefined, /first answers/],
    ['unreachable', having(undefined), undefined, /after the last question:/],
    ['unreachable', having(undefined, undefined, UNSYNCHRONISED), undefined, /after the last 3 questions:/],
    ['unusable', having(...four, UNSYNCHRONISED), undefined, /not synchronised itself/],
    ['unusable', having({ code: 'KISS', kiss: 'RATE' }), undefined, /less often/],
    ['unusable', having(...four.map(() => ({ rootDelay: 9_000 }))), undefined, /more than 1500 ms/],
    ['denied', having({ code: 'KISS', kiss: 'DENY' }), undefined, /DENY/],
  ])('is %s: %#', (status, server, findings, why) => {
    const shown = serverOf(server, findings);
    expect([shown.status, shown.why]).toEqual([status, expect.stringMatching(why)]);
  });
});

describe('the operator guide', () => {
  it.each([...TIME_ALERTS, ...TIME_STATES])('says what %s means', (word) => {
    expect(GUIDE).toMatch(new RegExp(`^\\| \`${word}\` \\| .{20}`, 'm'));
  });
});
