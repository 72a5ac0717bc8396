import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import {
  addressOf,
  boundary,
  child,
  type Delivery,
  handler,
  kind,
  type Message,
  type SupervisorOptions,
  spawn,
  step,
  supervisor,
  types,
} from '../../../src/actors/runtime/index.ts';
import { contextAt, puppet, type Rig, rig } from './harness.ts';

const under = (options: SupervisorOptions): Rig => rig(child('top', supervisor(options)));

describe('a boundary function', () => {
  it('ends normally by returning, and crashes by throwing', async () => {
    const worker = boundary<{ readonly type: 'stop' | 'fail' }>(async ({ inbox }) => {
      for await (const { type } of inbox) {
        if (type === 'fail') throw new Error('failed');
        return;
      }
    });
    const { clock, system, log } = under({ children: [child('w', worker, { restart: 'transient' })] });
    system.ref('top/w').tell({ type: 'fail' });
    await clock.advanceAsync(1);
    expect(log.slice(2)).toEqual(['-top/w crash', '+top/w']);
    system.ref('top/w').tell({ type: 'stop' });
    await clock.advanceAsync(1);
    expect(log.slice(4)).toEqual(['-top/w normal']);
  });

  it('takes messages with their senders, in order, and undefined once it is asked to stop', async () => {
    const taken: (Delivery<Message> | undefined)[] = [];
    const worker = boundary<Message>(async ({ inbox }) => {
      for (;;) {
        const delivery = await inbox.take();
        taken.push(delivery);
        if (delivery === undefined) return;
      }
    });
    const { clock, system, log } = under({ children: [child('p', puppet), child('w', worker)] });
    const tell = { kind: 'tell', to: 'top/w', message: { type: 'from a chart' } } as const;
    system.ref('top/w').tell({ type: 'from outside' });
    system.ref('top/p').tell({ type: 'do', effects: [tell] });
    await clock.advanceAsync(1);
    const stopped = system.stop();
    await clock.advanceAsync(1);
    await stopped;
    expect(taken).toEqual([
      { message: { type: 'from outside' }, from: '@outside' },
      { message: { type: 'from a chart' }, from: 'top/p' },
      undefined,
    ]);
    expect(log).toContain('-top/w shutdown');
  });

  it('hears of a stop by its signal, at once', async () => {
    const worker = boundary<Message>(
      ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    );
    const { clock, system, log } = under({ children: [child('w', worker, { shutdown: 'infinity' })] });
    const stopped = system.stop();
    await clock.advanceAsync(0);
    await stopped;
    expect(log.slice(2)).toEqual(['-top/w shutdown', '-top shutdown']);
  });

  it('cannot take twice at once, which would lose the order', async () => {
    const worker = boundary<Message>(async ({ inbox }) => {
      await Promise.all([inbox.take(), inbox.take()]);
    });
    const { clock, log } = under({ intensity: 0, children: [child('w', worker)] });
    await clock.advanceAsync(1);
    expect(log).toContain('-top/w crash');
  });
});

describe('a boundary handler', () => {
  it('holds messages back until it has started, and until each promise has settled', async () => {
    const seen: string[] = [];
    const steps: (() => void)[] = [];
    const wait = (): Promise<void> => new Promise((resolve) => steps.push(resolve));
    const worker = handler<null, Message>({
      async init() {
        await wait();
        seen.push('open');
        return null;
      },
      async receive({ type }) {
        seen.push(`begin ${type}`);
        await wait();
        seen.push(`end ${type}`);
      },
    });
    const { clock, system, log } = under({ children: [child('w', worker), child('after', puppet)] });
    system.ref('top/w').tell({ type: 'a' });
    system.ref('top/w').tell({ type: 'b' });
    await clock.advanceAsync(1);
    expect([seen, log]).toEqual([[], []]);
    for (let step = 0; step < 3; step += 1) {
      steps.shift()?.();
      await clock.advanceAsync(1);
    }
    expect(seen).toEqual(['open', 'begin a', 'end a', 'begin b', 'end b']);
    expect(log).toEqual(['+top/w', '+top/after', '+top']);
  });

  it('watches, asks, and has timers of its own', async () => {
    const seen: Message[] = [];
    const worker = handler<null, Message>({
      init({ watch, startTimer, cancelTimer, now }) {
        watch('top/p');
        startTimer('kept', 10, { type: 'rang', at: now() });
        startTimer('gone', 5, { type: 'never' });
        cancelTimer('gone');
        return null;
      },
      async receive(message, { ask }) {
        seen.push(message);
        if (message.type === 'question') {
          await ask('top/nobody', { type: 'x' }, 100).catch((error: Error) =>
            seen.push({ type: error.name }),
          );
        }
      },
    });
    const { clock, system } = under({ intensity: 5, children: [child('p', puppet), child('w', worker)] });
    await clock.advanceAsync(9);
    expect(seen).toEqual([]);
    await clock.advanceAsync(1);
    system.ref('top/p').tell({ type: 'throw' });
    system.ref('top/w').tell({ type: 'question' });
    await clock.advanceAsync(1);
    expect(seen).toEqual([
      { type: 'rang', at: 0 },
      { type: 'cell.down', address: 'top/p', reason: { kind: 'crash', error: 'Error: told to throw' } },
      { type: 'question' },
      { type: 'AskDead' },
    ]);
  });

  it('crashes by a throw or a rejection in receive, and the message is not tried again', async () => {
    let received = 0;
    const worker = handler<null, Message>({
      init: () => null,
      receive({ type }) {
        received += 1;
        if (type === 'throw') throw new Error('thrown');
        return Promise.reject(new Error('rejected'));
      },
    });
    const { clock, system, log } = under({ intensity: 5, children: [child('w', worker)] });
    system.ref('top/w').tell({ type: 'throw' });
    await clock.advanceAsync(1);
    system.ref('top/w').tell({ type: 'reject' });
    await clock.advanceAsync(1);
    expect(log.filter((line) => line === '-top/w crash')).toHaveLength(2);
    expect(received).toBe(2);
  });

  it('spawned by a chart is a child like any other, also when provided later', async () => {
    const echo = handler<null, Message, { readonly to: string }>({
      init: ({ input, tell }) => {
        tell(input.to, { type: 'note', value: 5 });
        return null;
      },
      receive: () => undefined,
    });
    const chart = setup({
      types: types<
        { readonly notes: readonly number[] },
        { readonly type: 'note'; readonly value: number }
      >(),
      actors: { echo: kind<{ readonly to: string }>() },
      actions: {
        start: spawn('echo', { id: 'e', input: ({ self }) => ({ to: addressOf({ self }) }) }),
        note: step(({ context, event }) => ({ context: { notes: [...context.notes, event.value] } })),
      },
    }).createMachine({ context: { notes: [] }, entry: 'start', on: { note: { actions: 'note' } } });
    const provided = rig(child('w', chart.provide({ actors: { echo } })));
    expect(provided.system.ref('w/e').info()).toMatchObject({ kind: 'boundary', status: 'running' });
    expect(contextAt(provided.system, 'w').notes).toEqual([5]);
    expect(rig(child('w', chart)).log).toEqual(['-w crash']);
  });
});
