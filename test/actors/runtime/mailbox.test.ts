import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  child,
  handler,
  type Message,
  type Overflow,
  supervisor,
  type TellOutcome,
} from '../../../src/actors/runtime/index.ts';
import {
  type Envelope,
  MAILBOX_DEFAULTS,
  Mailbox,
  type MailboxLane,
} from '../../../src/actors/runtime/mailbox.ts';
import { contextAt, puppet, rig } from './harness.ts';

const envelope = (lane: MailboxLane, value: number, from = 'a'): Envelope => ({
  message: { type: 'note', value },
  from,
  fromIncarnation: 1,
  forIncarnation: 0,
  timer: undefined,
  lane,
  queuedAt: -1,
});
const noteOf = ({ message }: Envelope): unknown => ('value' in message ? message['value'] : undefined);
const policies = fc.constantFrom<Overflow>('drop_newest', 'drop_oldest', 'reject', 'stop_actor');

describe('a mailbox', () => {
  it('keeps its lanes in order, each first in first out, within its bounds (RT-7, RT-9)', () => {
    const operation = fc.oneof(
      fc.record({ admit: fc.constantFrom<MailboxLane>('supervision', 'control', 'user', 'user') }),
      fc.constantFrom('next', 'postpone', 'restore', 'drop oldest'),
    );
    fc.assert(
      fc.property(
        fc.nat({ max: 6 }),
        fc.nat({ max: 3 }),
        fc.nat({ max: 3 }),
        fc.array(operation),
        (capacity, control, postponed, operations) => {
          const mailbox = new Mailbox({ ...MAILBOX_DEFAULTS, capacity, control, postponed });
          const lanes: Record<MailboxLane, number[]> = { supervision: [], control: [], user: [] };
          let later: { lane: MailboxLane; value: number }[] = [];
          let current: { lane: MailboxLane; value: number; envelope: Envelope } | undefined;
          const users = (): number => lanes.user.length + later.filter(({ lane }) => lane === 'user').length;
          operations.forEach((name, value) => {
            if (typeof name === 'object') {
              const { admit } = name;
              const room = {
                user: users() < capacity,
                control: lanes.control.length < control,
                supervision: true,
              };
              const expected = room[admit] ? 'admitted' : admit === 'user' ? 'full' : 'control_full';
              expect(mailbox.admit(envelope(admit, value))).toBe(expected);
              if (expected === 'admitted') lanes[admit].push(value);
            } else if (name === 'next') {
              const lane = (['supervision', 'control', 'user'] as const).find((one) => lanes[one].length > 0);
              const expected = lane === undefined ? undefined : lanes[lane].shift();
              const taken = mailbox.next();
              expect(taken === undefined ? undefined : noteOf(taken)).toBe(expected);
              current =
                taken === undefined || lane === undefined || expected === undefined
                  ? undefined
                  : { lane, value: expected, envelope: taken };
            } else if (name === 'postpone') {
              if (current === undefined) return;
              // A message is postponed in the step that took it, so its room is still its own.
              if (current.lane === 'user' && users() >= capacity) return;
              expect(mailbox.postpone(current.envelope)).toBe(later.length < postponed);
              if (later.length < postponed) later.push(current);
              current = undefined;
            } else if (name === 'restore') {
              for (const { lane, value: back } of later.toReversed()) lanes[lane].unshift(back);
              later = [];
              mailbox.restorePostponed();
            } else {
              let expected = lanes.user.shift();
              if (expected === undefined) {
                const index = later.findIndex(({ lane }) => lane === 'user');
                if (index >= 0) expected = later.splice(index, 1)[0]?.value;
              }
              const oldest = mailbox.dropOldest();
              expect(oldest === undefined ? undefined : noteOf(oldest)).toBe(expected);
            }
            expect(mailbox.queued).toBe(lanes.supervision.length + lanes.control.length + lanes.user.length);
            expect(mailbox.postponed).toBe(later.length);
            expect(mailbox.size).toBe(users());
            expect(mailbox.size).toBeLessThanOrEqual(capacity);
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it('holds no more of one sender than its share, whatever others do, and however often it comes again (RT-7)', () => {
    const sends = fc.array(fc.constantFrom('a', 'b#1', 'b#2', 'b#3', 'take'), { maxLength: 80 });
    const whose = (sender: string): string => sender.slice(0, 1);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), sends, (perSender, names) => {
        const mailbox = new Mailbox({ ...MAILBOX_DEFAULTS, capacity: 1_000, perSender });
        const held = new Map<string, number>();
        names.forEach((name, value) => {
          if (name === 'take') {
            const from = mailbox.next()?.from;
            if (from !== undefined) held.set(whose(from), (held.get(whose(from)) ?? 0) - 1);
            return;
          }
          const has = held.get(whose(name)) ?? 0;
          expect(mailbox.hasRoomFor(name)).toBe(has * 2 <= perSender);
          expect(mailbox.admit(envelope('user', value, name))).toBe(
            has < perSender ? 'admitted' : 'sender_quota',
          );
          if (has < perSender) held.set(whose(name), has + 1);
        });
      }),
    );
  });
});

describe('a full mailbox of a cell', () => {
  it('keeps a prefix under drop_newest and reject, a suffix under drop_oldest, with one outcome each (RT-7, RT-9)', () => {
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 1, max: 20 }),
        fc.nat({ max: 60 }),
        (overflow, capacity, sent) => {
          const mailbox = { capacity, overflow };
          const tree = supervisor({ children: [child('w', puppet, { mailbox, restart: 'temporary' })] });
          const { clock, system, dead } = rig(child('top', tree));
          const ref = system.ref('top/w');
          const values = Array.from({ length: sent }, (_, value) => value);
          const outcomes = values.map((value) => ref.tell({ type: 'note', value }));
          const lost = Math.max(0, sent - capacity);
          const kept = overflow === 'drop_oldest' ? values.slice(lost) : values.slice(0, capacity);
          const refusal: Record<Overflow, TellOutcome> = {
            drop_newest: 'dropped',
            drop_oldest: 'accepted',
            reject: 'full',
            stop_actor: 'dropped',
          };
          expect(outcomes).toEqual(
            values.map((value) => (value < capacity ? 'accepted' : refusal[overflow])),
          );
          clock.settle();
          if (overflow === 'stop_actor' && lost > 0) {
            expect(ref.info()).toBeUndefined();
            expect(dead).toHaveLength(sent);
            expect(ref.tell({ type: 'note', value: 0 })).toBe('dead');
            return;
          }
          expect(contextAt(system, 'top/w').notes).toEqual(kept);
          expect(dead).toHaveLength(lost);
        },
      ),
    );
  });

  it('lets the control lane pass a flood of users (RT-7)', () => {
    const tree = supervisor({
      children: [child('w', puppet, { controlEvents: ['go'], mailbox: { capacity: 50 } })],
    });
    const { clock, system } = rig(child('top', tree));
    const ref = system.ref('top/w');
    for (let value = 0; value < 200; value += 1) ref.tell({ type: 'later', value });
    expect(ref.tell({ type: 'go', to: 'right' })).toBe('accepted');
    clock.settle();
    // In 'right' the first 'later' is handled, not postponed: so 'go' came before all fifty.
    expect(ref.info()?.counters).toMatchObject({ processed: 51, postponed: 0 });
    expect(contextAt(system, 'top/w').notes).toHaveLength(50);
  });

  it('is passed by a stop: what was queued before it is lost, and accounted for (RT-7, RT-8)', () => {
    const { clock, system, dead, log } = rig(
      child('top', supervisor({ children: [child('w', puppet, { controlEvents: ['go'] })] })),
    );
    const ref = system.ref('top/w');
    for (let value = 0; value < 50; value += 1) ref.tell({ type: 'note', value });
    ref.tell({ type: 'go', to: 'right' });
    void system.stop();
    clock.settle();
    expect(log.slice(-2)).toEqual(['-top/w shutdown', '-top shutdown']);
    // The cell had one turn before its supervisor had the one that stops it.
    const notes = Array.from({ length: 50 }, (_, value) => ({
      reason: 'terminated',
      message: { type: 'note', value },
    }));
    expect(dead).toMatchObject(notes);
    expect(system.counters()).toMatchObject({ queued: 0, cells: 0 });
  });

  it('keeps the order of each sender, however the senders take turns (RT-9)', () => {
    const senders = ['a', 'b', 'c'];
    const plan = fc.array(fc.record({ who: fc.nat({ max: 2 }), count: fc.nat({ max: 4 }) }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(plan, fc.boolean(), (list, isBatch) => {
        const children = [...senders, 'w'].map((id) => child(id, puppet));
        const { clock, system } = rig(child('top', supervisor({ children })));
        const sent = new Map<number, number[]>(senders.map((_, who) => [who, []]));
        let value = 0;
        for (const { who, count } of list) {
          const effects = Array.from({ length: count }, () => {
            value += 3;
            sent.get(who)?.push(value + who);
            return { kind: 'tell', to: 'top/w', message: { type: 'note', value: value + who } };
          });
          system.ref(`top/${senders[who]}`).tell({ type: 'do', effects });
          if (!isBatch) clock.settle();
        }
        clock.settle();
        const { notes } = contextAt(system, 'top/w');
        for (const [who, values] of sent) expect(notes.filter((one) => one % 3 === who)).toEqual(values);
      }),
    );
  });

  it('refuses a sender above its quota, and nobody else (RT-7)', () => {
    const noisy = child('noisy', puppet);
    const w = child('w', puppet, { mailbox: { capacity: 100, perSender: 3 } });
    const { clock, system, dead } = rig(child('top', supervisor({ children: [w, noisy] })));
    const effects = Array.from({ length: 10 }, (_, value) => ({
      kind: 'tell',
      to: 'top/w',
      message: { type: 'note', value },
    }));
    system.ref('top/noisy').tell({ type: 'do', effects });
    const outcomes = [101, 102, 103, 104].map((value) => system.ref('top/w').tell({ type: 'note', value }));
    expect(outcomes).toEqual(['accepted', 'accepted', 'accepted', 'dropped']);
    clock.settle();
    expect(contextAt(system, 'top/w').notes).toHaveLength(6);
    expect(dead.map(({ reason }) => reason)).toEqual(Array.from({ length: 8 }, () => 'sender_quota'));
    expect(system.ref('top/w').tell({ type: 'note', value: 105 })).toBe('accepted');
  });

  it('tells a boundary actor when there is room again, so that none is lost (RT-7)', async () => {
    const flooder = handler<null, { type: 'flood'; count: number }>({
      init: () => null,
      async receive({ count }, { tell, ready }) {
        for (let value = 0; value < count; value += 1) {
          await ready('top/w');
          tell('top/w', { type: 'note', value });
        }
      },
    });
    const tree = supervisor({
      children: [child('w', puppet, { mailbox: { capacity: 4 } }), child('f', flooder)],
    });
    const { clock, system, dead } = rig(child('top', tree));
    system.ref('top/f').tell({ type: 'flood', count: 50 });
    for (let wait = 0; wait < 60; wait += 1) await clock.advanceAsync(1);
    expect(dead).toEqual([]);
    expect(contextAt(system, 'top/w').notes).toEqual(Array.from({ length: 50 }, (_, value) => value));
  });
});

describe('accounting', () => {
  it('every message accepted is processed, queued, postponed or a dead letter (RT-8)', () => {
    const messages: fc.Arbitrary<Message> = fc.oneof(
      fc.record({ type: fc.constant('note' as const), value: fc.nat({ max: 9 }) }),
      fc.record({ type: fc.constant('later' as const), value: fc.nat({ max: 9 }) }),
      fc.record({ type: fc.constant('go' as const), to: fc.constantFrom('left', 'right') }),
      fc.constant({ type: 'throw' }),
      fc.constant({ type: 'unheard of' }),
      fc.constant({ type: 'xstate.stop' }),
      fc.record({
        type: fc.constant('do' as const),
        effects: fc.array(
          fc.oneof(
            fc.constant({ kind: 'tell', to: 'top/b', message: { type: 'later', value: 1 } }),
            fc.constant({ kind: 'tell', to: 'nowhere', message: { type: 'note', value: 1 } }),
            fc.constant({ kind: 'reply', message: { type: 'note', value: 2 } }),
            fc.constant({ kind: 'watch', address: 'top/b' }),
            fc.constant({ kind: 'unwatch', address: 'top/b' }),
            fc.record({
              kind: fc.constant('startTimer'),
              key: fc.constantFrom('k', 'l'),
              delayMs: fc.nat({ max: 5 }),
              message: fc.constant({ type: 'note', value: 3 }),
            }),
            fc.constant({ kind: 'cancelTimer', key: 'k' }),
            fc.constant({ kind: 'spawn', logic: 'idle', id: 'x' }),
            fc.constant({ kind: 'stop', id: 'x' }),
            fc.constant({ kind: 'exit', reason: { kind: 'normal' } }),
          ),
          { maxLength: 4 },
        ),
      }),
    );
    const action = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ to: fc.constantFrom('top/a', 'top/b', 'top/c', 'top'), message: messages }),
      },
      fc.record({ advance: fc.nat({ max: 4 }) }),
    );
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 60 }),
        policies,
        fc.integer({ min: 1, max: 8 }),
        (actions, overflow, capacity) => {
          const mailbox = { capacity, overflow, postponed: 2, control: 1 };
          const children = ['a', 'b', 'c'].map((id) => child(id, puppet, { mailbox, controlEvents: ['go'] }));
          const tree = supervisor({ strategy: 'rest_for_one', intensity: 20, children });
          const { clock, system, dead } = rig(child('top', tree));
          const check = (): void => {
            for (const { counters, address } of system.cells()) {
              const lost = [...counters.lost.values()].reduce((sum, count) => sum + count, 0);
              expect(counters.processed + counters.queued + counters.postponed + lost, address).toBe(
                counters.accepted,
              );
            }
            const all = system.counters();
            expect(all.processed + all.queued + all.postponed + all.lost).toBe(all.accepted);
            const counted = [...system.deadLetters.counts().values()].reduce((sum, count) => sum + count, 0);
            expect(counted).toBe(dead.length);
            expect(system.deadLetters.recent()).toEqual(dead.slice(-64));
          };
          for (const one of actions) {
            if ('advance' in one) clock.advance(one.advance);
            else {
              const before = { accepted: system.counters().accepted, dead: dead.length };
              const outcome = system.ref(one.to).tell(one.message);
              const entered = system.counters().accepted - before.accepted;
              const lost = dead.length - before.dead;
              // drop_oldest accepts one and loses another.
              expect([entered, outcome === 'accepted' ? 1 : lost]).toEqual([
                outcome === 'accepted' ? 1 : 0,
                1,
              ]);
            }
            check();
          }
          clock.advance(100);
          check();
          expect(system.counters().queued).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });
});
