/** Scenario files: every plan goes there and back, and what is wrong in one is told with path, value and remedy. SM-6. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readScenario, type ScenarioReading, writeScenario } from '../../src/simulation/scenario.ts';
import { planForLiveness, planOf } from '../../src/simulation/swarm.ts';

const read = (scenario: object): ScenarioReading => readScenario(JSON.stringify(scenario));
const problems = (scenario: object): readonly string[] => {
  const reading = read(scenario);
  return reading.status === 'read' ? [] : reading.problems.map(({ path, message }) => `${path}: ${message}`);
};
const SMALL = { version: 1, validators: 4, durationMs: 1_000 };

describe('a scenario file', () => {
  it('holds any plan that a seed draws (SM-6)', () => {
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), (seed, liveness) => {
        const plan = liveness ? planForLiveness(seed) : planOf(seed);
        expect(readScenario(writeScenario(plan, 'a note'))).toEqual({ status: 'read', plan });
      }),
      { numRuns: 200 },
    );
  });

  it('needs no more than validators and a duration: all else is calm', () => {
    expect(read(SMALL)).toMatchObject({
      status: 'read',
      plan: { seed: 1, twins: [], acts: [], signatures: 'keyed-hash', ending: { kind: 'heal-all' } },
    });
  });

  it.each<readonly [string, object, string]>([
    ['of a newer version', { ...SMALL, version: 2 }, 'version: '],
    ['with a field that nobody knows', { ...SMALL, valdators: 4 }, '"valdators"'],
    [
      'with an act that nobody knows',
      { ...SMALL, acts: [{ at: 1, act: { kind: 'burn' } }] },
      'acts[0].act.kind: ',
    ],
    [
      'with an act on a node that is not there',
      { ...SMALL, twins: [1], acts: [{ at: 1, act: { kind: 'crash', node: 5 } }] },
      'acts[0].act: 5 is no node: 5 of them, numbered from 0',
    ],
    [
      'with acts out of order',
      {
        ...SMALL,
        acts: [
          { at: 5, act: { kind: 'heal' } },
          { at: 2, act: { kind: 'heal' } },
        ],
      },
      'acts[1].at: 2 is before the act above it: put acts in order of time',
    ],
    ['with powers for others', { ...SMALL, powers: [1, 2] }, 'powers: 2 powers for 4 validators'],
    ['with a share above one', { ...SMALL, links: { drop: 1.5 } }, 'links.drop: '],
    [
      'with a round for a node that is not there',
      { ...SMALL, rounds: [{ groups: [[0, 9]] }] },
      'rounds[0].groups: 9',
    ],
    [
      'with a wall to a node that is not there',
      { ...SMALL, rounds: [{ firewall: [{ from: 0, to: 7 }] }] },
      'rounds[0].firewall: 7',
    ],
    ['with a twin named twice', { ...SMALL, twins: [0, 0] }, 'twins: '],
    [
      'with a core of twins and too few others',
      { ...SMALL, twins: [0], ending: { kind: 'heal-core', core: [0, 4, 1] } },
      'ending.core: power 1 of honest validators is no quorum, which needs 3',
    ],
    [
      'with rounds without an end',
      { ...SMALL, timeouts: { roundTimeoutMsMin: 0 } },
      'timeouts.roundTimeoutMsMin: ',
    ],
    ['with a source of time that there is not', { ...SMALL, time: { source: 'sundial' } }, 'time.source: '],
    [
      'with a server that answers in some other way',
      { ...SMALL, time: { servers: [{ offsetMs: 5, stratum: 3 }] } },
      'time.servers[0]: ',
    ],
    ['with a leader that is no validator', { ...SMALL, leaders: [4] }, 'leaders[0]: 4 is no validator'],
  ])('%s is refused with the place and the value', (_, scenario, words) => {
    expect(problems(scenario).join('\n')).toContain(words);
  });

  it('that is no JSON is refused in one sentence', () => {
    expect(readScenario('{ "version": 1,')).toMatchObject({
      status: 'refused',
      problems: [{ path: '', message: expect.stringContaining('is not JSON') }],
    });
  });
});
