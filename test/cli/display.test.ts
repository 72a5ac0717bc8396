import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { jsonDisplay, plainDisplay } from '../../src/cli/local-network/display.ts';
import { progressEvent, RUNNER_EVENT, type RunnerEvent, readyEvent } from '../../src/cli/node-events.ts';
import { MemoryNode } from '../rpc/memory-node.ts';
import { heightOf, progressOf } from '../rpc/sync-report.ts';

const FACTS = {
  chainId: 'c',
  data: 'd',
  homes: ['node0', 'node1'],
  page: 'http://x/#token=y',
  hints: ['rounds'],
};
const node = new MemoryNode();
const ready = readyEvent(node.status());

/** A validator's progress, as it comes through the channel between the processes. */
function progress(at?: number): RunnerEvent {
  node.syncFacts = at === undefined ? {} : { progress: progressOf({ at: heightOf(at) }) };
  return RUNNER_EVENT.parse(JSON.parse(JSON.stringify(progressEvent(node))));
}

describe('what a local network shows of a validator that catches up (SY-11)', () => {
  let said = '';
  beforeEach(() => {
    said = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
  });
  afterEach(() => vi.restoreAllMocks());

  it('without a terminal a bar as a line, and not one for each word of the validator', () => {
    const display = plainDisplay(FACTS);
    display.event(1, progress());
    expect(said).toBe('');
    display.event(1, progress(8_645));
    display.event(1, progress(8_646));
    expect(said).toMatch(
      /^validator 1: tier 2 \[#+·+\] 63 %, 8645 of 12345, 5,120 blocks\/s, under 1 s left\n$/,
    );
  });

  it('each of two validators has its own', () => {
    const display = plainDisplay(FACTS);
    display.event(0, progress(8_645));
    display.event(1, progress(8_646));
    expect(said.match(/^validator [01]: tier 2/gm)).toHaveLength(2);
  });

  it('a validator that starts anew on a new chain says where it listens, and "all are up" stays said once (SY-9)', () => {
    const display = plainDisplay(FACTS);
    for (const index of [0, 1, 1]) display.event(index, ready);
    expect(said.match(/^validator 1 .* listens/gm)).toHaveLength(2);
    expect(said.match(/^all 2 validators/gm)).toHaveLength(1);
  });

  it('in JSON it is no line of its own: what programs read is as it was', () => {
    const display = jsonDisplay(FACTS);
    for (const index of [0, 1]) display.event(index, ready);
    display.event(1, progress(8_645));
    expect(
      said
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).type),
    ).toEqual(['ready']);
  });
});
