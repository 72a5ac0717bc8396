/** What is refused at the door is what hands operations in: the list of methods says so, and nobody else. BR-2. */
import { describe, expect, it } from 'vitest';
import { methodIn, shedAtTheDoor } from '../../src/rpc/door.ts';
import { METHODS } from '../../src/rpc/methods.ts';
import type { NodePort } from '../../src/rpc/node-port.ts';

type Port = Pick<NodePort, 'refusalOfSubmissions'>;
const FULL: Port = { refusalOfSubmissions: () => ({ code: 'QUEUE_FULL', log: 'Queue full' }) };
const FREE: Port = { refusalOfSubmissions: () => undefined };

describe('the door (BR-2)', () => {
  it.each([...METHODS])(
    'while no operation is taken refuses %s if it takes transactions, and only then',
    (name, { parameters }) => {
      const takes = parameters.some(
        ({ name: parameter, type }) => parameter === 'tx' || type === 'bytesList',
      );
      expect(shedAtTheDoor(name, FULL)?.method).toBe(takes ? name : undefined);
      expect(shedAtTheDoor(name, FREE)).toBeUndefined();
    },
  );

  it('knows the methods that hand operations in', () => {
    const submitting = [...METHODS].flatMap(([name, { submits }]) => (submits ? [name] : []));
    expect(submitting.sort()).toEqual([
      'althing_submit',
      'broadcast_tx_async',
      'broadcast_tx_commit',
      'broadcast_tx_sync',
    ]);
  });

  it('lets through what it cannot see or does not know: that is answered further in', () => {
    expect(methodIn('{"method":"no_such"}')).toBe('no_such');
    expect([shedAtTheDoor(undefined, FULL), shedAtTheDoor('no_such', FULL)]).toEqual([undefined, undefined]);
  });
});
