import { describe, expect, it } from 'vitest';
import { child, handler, type Message, millis, supervisor } from '../../../src/actors/runtime/index.ts';
import { contextAt, endPuppet, puppet, type Rig, rig } from './harness.ts';

const timeout = millis(100);

function pool(): Rig {
  const templates = [
    child('worker', puppet, { restart: 'transient' }),
    child('once', puppet, { restart: 'temporary' }),
  ];
  const fixed = child('fixed', puppet, { restart: 'transient' });
  return rig(child('pool', supervisor({ intensity: 5, children: [fixed], templates })));
}

async function ask({ clock, system }: Rig, message: Message): Promise<Message> {
  const answer = system.ref('pool').ask(message, { timeout });
  clock.settle();
  return answer;
}

describe('children on request', () => {
  it('start from a template under an id of their own, and restart by its type', async () => {
    const it = pool();
    const start = { type: 'child.start', template: 'worker', id: 'worker/7' };
    expect(await ask(it, start)).toEqual({ type: 'child.accepted', id: 'worker/7' });
    it.system.ref('pool/worker/7').tell({ type: 'note', value: 1 });
    endPuppet(it.system, 'pool/worker/7', { kind: 'crash', error: 'x' });
    it.system.ref('pool/worker/7').tell({ type: 'note', value: 2 });
    it.clock.settle();
    expect(contextAt(it.system, 'pool/worker/7').notes).toEqual([2]);
    endPuppet(it.system, 'pool/worker/7', { kind: 'normal' });
    it.clock.settle();
    expect(it.system.ref('pool/worker/7').info()).toBeUndefined();
    expect(await ask(it, start)).toMatchObject({ type: 'child.accepted' });
  });

  it('are refused with a code when they cannot be', async () => {
    const it = pool();
    const codes: [Message, string][] = [
      [{ type: 'child.start', template: 'nothing', id: 'a' }, 'NO_SUCH_TEMPLATE'],
      [{ type: 'child.start', template: 'once', id: 'fixed' }, 'ID_IN_USE'],
      [{ type: 'child.start', template: 'once', id: '' }, 'ID_INVALID'],
      [{ type: 'child.start', template: 'once', id: '/a' }, 'ID_INVALID'],
      [{ type: 'child.start', id: 'fixed' }, 'ID_IN_USE'],
      [{ type: 'child.start', id: 'unknown' }, 'NO_SUCH_CHILD'],
      [{ type: 'child.stop', id: 'unknown' }, 'NO_SUCH_CHILD'],
    ];
    for (const [message, code] of codes)
      expect(await ask(it, message)).toMatchObject({ type: 'child.refused', code });
    expect(it.log).toEqual(['+pool/fixed', '+pool']);
  });

  it('stop on request; a fixed one can be started again', async () => {
    const it = pool();
    await ask(it, { type: 'child.start', template: 'once', id: 'a' });
    await ask(it, { type: 'child.stop', id: 'a' });
    await ask(it, { type: 'child.stop', id: 'fixed' });
    it.clock.settle();
    expect(it.log.slice(2)).toEqual(['+pool/a', '-pool/a shutdown', '-pool/fixed shutdown']);
    expect(await ask(it, { type: 'child.start', id: 'fixed' })).toMatchObject({ type: 'child.accepted' });
    it.clock.settle();
    expect(it.log.at(-1)).toBe('+pool/fixed');
  });

  it('can be stopped while they wait for a restart, or have ended already', async () => {
    const backoff = { min: millis(50), max: millis(50), factor: 1, jitter: 0, resetAfter: millis(1) };
    const children = [child('slow', puppet, { backoff }), child('done', puppet, { restart: 'transient' })];
    const it = rig(child('pool', supervisor({ intensity: 5, children })));
    endPuppet(it.system, 'pool/slow', { kind: 'crash', error: 'x' });
    endPuppet(it.system, 'pool/done', { kind: 'normal' });
    it.clock.settle();
    for (const id of ['slow', 'done']) {
      expect(await ask(it, { type: 'child.stop', id })).toMatchObject({ type: 'child.accepted' });
    }
    it.clock.advance(1_000);
    expect(it.log.slice(3)).toEqual(['-pool/slow crash', '-pool/done normal']);
    expect(await ask(it, { type: 'child.start', id: 'slow' })).toMatchObject({ type: 'child.accepted' });
    it.clock.settle();
    expect(it.log.at(-1)).toBe('+pool/slow');
  });

  it('whose first start fails are forgotten, and do not count as restarts', () => {
    let tries = 0;
    const broken = handler<null, Message>({
      init() {
        tries += 1;
        throw new Error('never starts');
      },
      receive: () => undefined,
    });
    const it = rig(child('pool', supervisor({ intensity: 0, templates: [child('broken', broken)] })));
    for (const id of ['a', 'b']) it.system.ref('pool').tell({ type: 'child.start', template: 'broken', id });
    it.clock.settle();
    expect(tries).toBe(2);
    expect(it.log).toEqual(['+pool', '-pool/a crash', '-pool/b crash']);
    expect(it.system.cells().map(({ address }) => address)).toEqual(['pool']);
  });

  it('stop in reverse with their supervisor, and wait while it is busy', () => {
    const it = pool();
    for (const id of ['a', 'b', 'c'])
      it.system.ref('pool').tell({ type: 'child.start', template: 'once', id });
    it.system.ref('pool').tell({ type: 'child.stop', id: 'b' });
    it.clock.settle();
    expect(it.log.slice(2)).toEqual(['+pool/a', '+pool/b', '+pool/c', '-pool/b shutdown']);
    void it.system.stop();
    it.clock.settle();
    expect(it.log.slice(-4)).toEqual([
      '-pool/c shutdown',
      '-pool/a shutdown',
      '-pool/fixed shutdown',
      '-pool shutdown',
    ]);
  });
});
