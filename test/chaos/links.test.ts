/**
 * A TCP proxy on every link of four validators: it closes, resets in the middle of a frame, delays, stalls one direction,
 * drips, splits the network; then it heals. The well connected go on; after it all are at the tip. More with
 * ALTHING_CHAOS_LINKS. Rules SM-10, TP-1, TP-5.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { homePaths } from '../../src/node/config/home.ts';
import type { Validators } from '../cluster/support/validators.ts';
import { ALL, ChaosNetwork, now, summaryOf } from './support/chaos-network.ts';
import { type Direction, Link, type Weather } from './support/proxy.ts';
import { Choices, countFrom } from './support/settings.ts';

/** @unit faults */
const FAULTS = countFrom('ALTHING_CHAOS_LINKS', 6);
/** Faults between two judgements. @unit faults */
const JUDGED_EVERY = 10;
/** How long a fault lasts. @unit ms */
const FAULT_MS = { from: 800, to: 2_500 } as const;
/** Longest wait of a validator before it dials again: half a minute by default. */
const DIAL_SOON = ['--set', 'p2p.dial_backoff_ms_max=1000'] as const;

const choices = new Choices('links');
/** From the one who dials to the one who listens. */
const links = new Map<string, Link>();
let network: ChaosNetwork | undefined;
afterEach(async () => {
  await network?.remove();
  for (const link of links.values()) link.close();
  links.clear();
});

const others = (gone: number): readonly number[] => ALL.filter((one) => one !== gone);
const isBetween = (a: readonly number[], b: readonly number[]) => (from: number, to: number) =>
  (a.includes(from) && b.includes(to)) || (b.includes(from) && a.includes(to));

/** Every validator dials the others by way of a link of its own. */
async function prepare({ network: { basePort, homeOf } }: Validators, home: typeof homeOf): Promise<void> {
  for (const from of ALL) {
    const { configFile } = homePaths(home(from));
    let config = readFileSync(configFile, 'utf8');
    for (const to of others(from)) {
      const { link, port } = await Link.before(basePort + 10 * to);
      links.set(`${from} ${to}`, link);
      const before = config;
      config = config.replace(new RegExp(`(@127\\.0\\.0\\.1:)${basePort + 10 * to}"`), `$1${port}"`);
      if (config === before) throw new Error(`${configFile} has no peer ${to}`);
    }
    writeFileSync(configFile, config);
  }
}

function forLinks(chosen: (from: number, to: number) => boolean, act: (link: Link) => void): void {
  for (const [name, link] of links) {
    const [from = 0, to = 0] = name.split(' ').map(Number);
    if (chosen(from, to)) act(link);
  }
}

/** Weather on what `sender` says, whoever dialed. */
function onWordsOf(sender: number, weather: Weather): void {
  const set = (direction: Direction) => (link: Link) => link.set(direction, weather);
  forLinks((from) => from === sender, set('there'));
  forLinks((_, to) => to === sender, set('back'));
}

const onWordsTo = (receiver: number, weather: Weather): void => {
  const set = (direction: Direction) => (link: Link) => link.set(direction, weather);
  forLinks((_, to) => to === receiver, set('there'));
  forLinks((from) => from === receiver, set('back'));
};

/** Each gives the validators that must go on meanwhile. */
const faults = {
  close(victim: number) {
    forLinks(isBetween([victim], others(victim)), (link) => link.cut('close'));
    return ALL;
  },
  reset(victim: number) {
    onWordsOf(victim, { delay: 50 });
    return sleep(100).then(() => {
      forLinks(isBetween([victim], others(victim)), (link) => link.cut('reset'));
      return others(victim);
    });
  },
  'reset of all'() {
    forLinks(
      () => true,
      (link) => link.cut('reset'),
    );
    return ALL;
  },
  delay() {
    for (const index of ALL) onWordsOf(index, { delay: choices.between(5, 60) });
    return ALL;
  },
  'dumb validator'(victim: number) {
    onWordsOf(victim, { stalled: true });
    return others(victim);
  },
  'deaf validator'(victim: number) {
    onWordsTo(victim, { stalled: true });
    return others(victim);
  },
  drip(victim: number) {
    onWordsOf(victim, { drip: choices.between(1, 64) });
    onWordsTo(victim, { drip: choices.between(1, 64) });
    return others(victim);
  },
  'cut off'(victim: number) {
    forLinks(isBetween([victim], others(victim)), (link) => {
      link.refuse();
      link.cut(choices.one(['close', 'reset']));
    });
    return others(victim);
  },
  'two halves'(victim: number) {
    const half = [victim, (victim + choices.between(1, 4)) % 4];
    const rest = ALL.filter((one) => !half.includes(one));
    forLinks(isBetween(half, rest), (link) => {
      link.refuse();
      link.cut('reset');
    });
    return [];
  },
} as const;
type Fault = keyof typeof faults;
const FIRST: readonly Fault[] = [
  'dumb validator',
  'reset',
  'two halves',
  'drip',
  'reset of all',
  'deaf validator',
  'delay',
];
const NAMES: readonly [Fault, ...Fault[]] = ['close', 'cut off', ...FIRST];

it(
  `${FAULTS} faults of links: the well connected go on, then all; nobody signs twice, nothing is lost (SM-10)`,
  async () => {
    network = await ChaosNetwork.create({
      prepare: (validators) => prepare(validators, (index) => validators.network.homeOf(index)),
      launch: () => ({ words: DIAL_SOON }),
    });
    const drawn = new Map<Fault, number>();
    for (let cycle = 0; cycle < FAULTS; cycle += 1) {
      const name = FIRST[cycle] ?? choices.one(NAMES);
      drawn.set(name, (drawn.get(name) ?? 0) + 1);
      const goOn = await faults[name](choices.below(4));
      const until = now() + choices.between(FAULT_MS.from, FAULT_MS.to);
      if (goOn.length > 0) await network.progress(goOn);
      await sleep(Math.max(0, until - now()));
      // What was kept passes now, late; or the connection was given up meanwhile.
      for (const link of links.values()) link.calm();
      await network.progress(ALL);
      network.cycles += 1;
      if (network.cycles % JUDGED_EVERY === 0) await network.judge();
    }
    const tally = await network.finish();
    network = undefined;
    const made = [...links.values()].reduce((sum, link) => sum + link.made, 0);
    const ended = [...links.values()].reduce((sum, link) => sum + link.ended, 0);
    const told = [...drawn].map(([name, times]) => `${name} ${times}`).join(', ');
    const counts = `; ${made} connections through the proxy, ${ended} ended by it`;
    console.log(summaryOf(`links (${told})`, [tally], counts));
    expect(made).toBeGreaterThan(5);
    expect(ended).toBeGreaterThan(0);
  },
  90_000 + FAULTS * 90_000,
);
