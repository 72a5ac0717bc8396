import { describe, expect, it } from 'vitest';
import { offenceLog } from '../../src/node/offence-log.ts';
import type { Misbehavior } from '../../src/protocol/ports/application.ts';
import { GENESIS_EXECUTED, GENESIS_TIME, height, world } from '../protocol/consensus/fixture.ts';

const { addressAt } = world();
const [SELF, OTHER] = [addressAt(0), addressAt(1)];
const executed = { ...GENESIS_EXECUTED, height: height(12) };

const offence = (address: typeof SELF, type: Misbehavior['type']): Misbehavior => ({
  ...{ type, validator: { address, power: 3n }, height: height(9) },
  ...{ time: GENESIS_TIME, totalVotingPower: 7n },
});

function logged(...misbehavior: readonly Misbehavior[]) {
  const lines: [string, object, string][] = [];
  const log = {
    warn: (facts: object, words: string) => lines.push(['warn', facts, words]),
    error: (facts: object, words: string) => lines.push(['error', facts, words]),
  };
  offenceLog(log as never, SELF)({ executed, ...(misbehavior.length === 0 ? {} : { misbehavior }) });
  return lines;
}

describe('the log of offences (CS-14)', () => {
  it('has nothing of a block without evidence', () => {
    expect(logged()).toEqual([]);
  });

  it('names the offender, the offence, its height and the block, a line each', () => {
    expect(logged(offence(OTHER, 'DUPLICATE_VOTE'), offence(OTHER, 'HIDDEN_QC'))).toEqual([
      [
        'warn',
        { validator: OTHER, power: '3', offence: 'DUPLICATE_VOTE' },
        `block 12 proves that validator ${OTHER} signed two votes in one round, at height 9; the application was told`,
      ],
      [
        'warn',
        expect.objectContaining({ offence: 'HIDDEN_QC' }),
        expect.stringContaining('hid a certificate'),
      ],
    ]);
  });

  it('is an error where the offender is this node, and says what to do', () => {
    expect(logged(offence(SELF, 'DUPLICATE_VOTE'))).toEqual([
      [
        'error',
        expect.objectContaining({ validator: SELF }),
        expect.stringMatching(/this validator signed two votes .* stop it, find the other node/),
      ],
    ]);
  });
});
