import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { errorNow } from '../../../src/machines/time/time-coordinator.live.ts';
import type { TimeSource } from '../../../src/protocol/time/types.ts';
import { newReach, peerAt, Rig, type ServerModel, silent } from './rig.ts';

const reach = newReach();
const RUNS = 150;

type Act = (rig: Rig) => void;

const index = fc.nat(2);
const acts: fc.Arbitrary<Act> = fc.oneof(
  fc.nat(3_000).map(
    (ms): Act =>
      (rig) =>
        rig.advance(ms),
  ),
  fc.nat(40_000).map(
    (ms): Act =>
      (rig) =>
        rig.advance(ms),
  ),
  index.map(
    (peer): Act =>
      (rig) =>
        rig.send({ type: 'peer.connected', peer: rig.peer(peer) }),
  ),
  index.map(
    (peer): Act =>
      (rig) =>
        rig.send({ type: 'peer.disconnected', peer: rig.peer(peer) }),
  ),
  fc.tuple(index, fc.integer({ min: -8_000, max: 8_000 }), fc.boolean(), fc.nat(400)).map(
    ([peer, offset, isSynchronised, delay]): Act =>
      (rig) => {
        rig.models[peer] = peerAt(offset, isSynchronised, delay);
      },
  ),
  index.map(
    (peer): Act =>
      (rig) => {
        rig.models[peer] = silent;
      },
  ),
  fc.constantFrom(-3_600_000, -100, 40, 5_000).map(
    (ms): Act =>
      (rig) => {
        rig.systemError += ms;
      },
  ),
  fc.constantFrom<ReturnType<ServerModel>>('ntp.failed', 'DENY', { offset: 0 }, { offset: 3_000 }).map(
    (says): Act =>
      (rig) => {
        rig.servers = { a: () => says };
      },
  ),
  fc.tuple(index, fc.nat(40), fc.integer({ min: -10, max: 2_000_000_000_000_000 })).map(
    ([peer, requestId, micros]): Act =>
      (rig) => {
        const times = { receivedMicros: micros, repliedMicros: micros };
        rig.reply(rig.peer(peer), { requestId, ...times, isSynchronised: true });
      },
  ),
  fc.constant((rig: Rig) => void rig.look()),
);
interface Life {
  readonly source: TimeSource;
  readonly follows: boolean;
  readonly acts: readonly Act[];
}
const lifeOf = (all: fc.Arbitrary<Act>): fc.Arbitrary<Life> =>
  fc.record({
    source: fc.constantFrom<TimeSource>('system', 'ntp', 'peers', 'hybrid'),
    follows: fc.boolean(),
    acts: fc.array(all, { minLength: 1, maxLength: 40 }),
  });
const restart: Act = (rig) => rig.restart();
const lives = lifeOf(
  fc.oneof({ weight: 10, arbitrary: acts }, { weight: 1, arbitrary: fc.constant(restart) }),
);

function play({ source, follows, acts: list }: Life, after: Act): Rig {
  const rig = new Rig(reach, { config: { source }, follows, servers: { a: () => ({ offset: 0 }) } });
  rig.advance(0);
  for (const act of list) {
    act(rig);
    after(rig);
  }
  return rig;
}

describe('time-coordinator chart, whatever happens', () => {
  it('has its next poll before it once it has seen the clock', () => {
    fc.assert(
      fc.property(lives, (life) => {
        play(life, (rig) => {
          if (rig.state === 'starting') return;
          const due = rig.timers.get('poll') ?? Number.POSITIVE_INFINITY;
          expect(due - rig.now).toBeLessThanOrEqual(10_000);
        });
      }),
      { numRuns: RUNS },
    );
  });

  it('lets nobody see time fall once it was adjusted (TM-6)', () => {
    fc.assert(
      fc.property(lives, (life) => {
        let shown = Number.NEGATIVE_INFINITY;
        play(life, (rig) => {
          const time = rig.clock.read();
          if (rig.clock.isAdjusted) {
            expect(time).toBeGreaterThanOrEqual(shown);
            shown = time;
          }
        });
      }),
      { numRuns: RUNS },
    );
  });

  it('proposes only while it knows the time to within 10 s, what it still shows counted (TM-7)', () => {
    fc.assert(
      fc.property(lives, (life) => {
        play(life, ({ context, mayPropose, state }) => {
          const seen = context.look?.at ?? monotonic(0);
          // A new life has told nobody anything before it sees the clock.
          if (mayPropose && state !== 'starting') expect(errorNow(context, seen)).toBeLessThanOrEqual(10_000);
        });
      }),
      { numRuns: RUNS },
    );
  });

  it('keeps alerts that were raised and not cleared, each told once (TM-7)', () => {
    fc.assert(
      // One life: the next knows nothing of its alerts.
      fc.property(lifeOf(acts), (life) => {
        const rig = play(life, () => undefined);
        const standing = new Set<string>();
        for (const { alert, change } of rig.alertLog) {
          expect(standing.has(alert)).toBe(change === 'cleared');
          if (change === 'raised') standing.add(alert);
          else standing.delete(alert);
        }
        expect(new Set(rig.context.alerts.keys())).toEqual(standing);
      }),
      { numRuns: RUNS },
    );
  });

  it('holds no more of peers and updates than there may be', () => {
    fc.assert(
      fc.property(lives, (life) => {
        play(life, ({ context, peers }) => {
          expect(context.poll.asked.size).toBeLessThanOrEqual(peers.length);
          expect(context.poll.heard.size).toBeLessThanOrEqual(peers.length);
          expect(context.peers.size).toBe(peers.length);
          expect(context.history.length).toBeLessThanOrEqual(128);
        });
      }),
      { numRuns: RUNS },
    );
  });
});
