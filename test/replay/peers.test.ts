/** The other ends of messages where a validator runs twice. Rules IN-1, SM-1. */
import { expect, it } from 'vitest';
import type { WireEvent } from '../../src/observe/feed/feed.ts';
import { Peers } from '../../src/replay/peers.ts';

// Nodes 0 and 2 are one validator, run twice.
const peers = new Peers(['a', 'b', 'a']);
const row = (id: string, node: number, direction: WireEvent['direction'], peer: string): WireEvent => ({
  ...{ id, node, turn: 1, direction, peer, at: 1, kind: 'Vote' },
});
const endsOf = (...rows: readonly WireEvent[]) =>
  peers.resolve(rows).map(({ node, direction, peer }) => `${node} ${direction} ${peer}`);

it('are where the message arrived, and where it came from', () => {
  expect(endsOf(row('m', 1, 'sent', 'a'), row('m', 2, 'received', 'b'))).toEqual([
    '1 sent 2',
    '2 received 1',
  ]);
  expect(endsOf(row('m', 2, 'sent', 'b'), row('m', 1, 'received', 'a'))).toEqual([
    '2 sent 1',
    '1 received 2',
  ]);
});

it('are both where it arrived at both, and the first where it arrived at none', () => {
  expect(
    endsOf(row('m', 1, 'sent', 'a'), row('m', 0, 'received', 'b'), row('m', 2, 'received', 'b')),
  ).toEqual(['1 sent 0', '1 sent 2', '0 received 1', '2 received 1']);
  expect(endsOf(row('m', 1, 'sent', 'a'), row('n', 2, 'received', 'b'))).toEqual([
    '1 sent 0',
    '2 received 1',
  ]);
});

it('stay ids where the run has no such node', () => {
  expect(endsOf(row('m', 1, 'sent', 'stranger'))).toEqual(['1 sent stranger']);
  expect(peers.first('a')).toBe(0);
});
