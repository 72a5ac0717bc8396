import { describe, expect, it } from 'vitest';
import { bridgeLines } from '../../src/cli/commands/bridge.ts';
import { BRIDGE } from '../../src/cli/shapes.ts';
import { bridgeJson } from '../../src/rpc/bridge-shape.ts';
import { IN_TROUBLE, OTHER, PEER } from '../rpc/bridge-report.ts';

const linesOf = (change: object = {}) => bridgeLines(BRIDGE.parse(bridgeJson({ ...IN_TROUBLE, ...change })));

describe('what `bridge` prints', () => {
  it('names the trouble, with the numbers', () => {
    const text = linesOf().join('\n');
    expect(text).toMatch(
      /^reach +partitioned, unreachable: validators with power 2 of 4 can be reached, 3 are needed$/m,
    );
    expect(text).toMatch(/^healthy +no$/m);
    expect(text).toMatch(/^power +2 can be reached, 3 decide$/m);
    expect(text).toMatch(/^operations +9 pending of at most 10, 1 of them overdue$/m);
    expect(text).toMatch(/^since the start +5 committed, 6 expired, 7 rejected$/m);
    expect(text).toMatch(
      /^messages +1 of peers, 8 of them duplicates; 15 operations of nodes that are no validators were too many$/m,
    );
    expect(text).toMatch(
      /^handed again +13 operations, to one more validator each: .*; 14 found no room to be kept for that$/m,
    );
    expect(text).toMatch(/^round trip +81.3 ms to a quorum$/m);
    expect(text).toMatch(/^round timeout +1500 ms \(200 to 30000\)$/m);
    expect(text).toMatch(/^block time +240 ms under load; above 500 ms full blocks shrink$/m);
    expect(text).toMatch(/^block size +34 % \(2 to 100 %\) of what the genesis allows$/m);
    expect(text).toMatch(/^batches +every 60 ms \(10 to 100\)$/m);
    expect(text).toMatch(/^state told +height 7, 13 ms ago; again every 10000 ms$/m);
    expect(text).toMatch(new RegExp(`^breakers +${PEER.slice(0, 8).toUpperCase()} open$`, 'm'));
    const [missing, nameless] = [OTHER, PEER].map((peer) => peer.slice(0, 8).toUpperCase());
    expect(text).toMatch(new RegExp(`^missing +node2 ${missing}, ${nameless}$`, 'm'));
    expect(text).toMatch(
      /^StateDivergence after height 7: ours [0-9A-F]{64}, the certificate of height 9: /m,
    );
    expect(text).toMatch(/^[0-9A-F]{64} +3 +46 ms +height 20 +2 of 3$/m);
    expect(text).toMatch(/ +40 ms +height 21 +\? of 3$/m);
  });

  it('is short where all is well', () => {
    const well = { reach: 'connected', partition: undefined, healthy: true, overdue: 0, divergences: [] };
    const text = linesOf({ ...well, breakers: [], missing: [], operations: [] }).join('\n');
    expect(text).toMatch(/^reach +connected \(the last partition took 1235 ms\)$/m);
    expect(text).toMatch(/^breakers +all closed$/m);
    const quiet = linesOf({ ...well, counts: { ...IN_TROUBLE.counts, handedAgain: 0 } }).join('\n');
    expect(quiet).not.toMatch(/handed again/);
    expect(text).not.toMatch(/Divergence|expires at|overdue|missing/);
    const fresh = {
      ...well,
      healedAfter: undefined,
      stateSync: { ...IN_TROUBLE.stateSync, height: undefined },
    };
    expect(linesOf(fresh).join('\n')).toMatch(/^state told +not yet$/m);
  });

  it('prints no control characters that a peer chose', () => {
    const [divergence] = IN_TROUBLE.divergences;
    const lines = linesOf({ divergences: [{ ...divergence, by: 'x\u001b[2Jy' }] });
    expect(lines.join('\n')).not.toContain('\u001b');
  });
});
