/** What a relayer does next. docs/sharding.md. */
import { describe, expect, it } from 'vitest';
import {
  ACKNOWLEDGED_MIN,
  type DestinationFacts,
  nextRelayStep,
  type SourceFacts,
} from '../../../src/protocol/bridge/relay.ts';

const source: SourceFacts = {
  ...{ epoch: 2, isOpen: true, isHalted: false, nextToSend: 10n, firstUnacknowledged: 3n },
};
const destination: DestinationFacts = { isOpen: true, isHalted: false, trustedEpoch: 2, nextToReceive: 5n };

describe('a relayer', () => {
  it('opens a chain before all else, and then follows its epochs', () => {
    expect(nextRelayStep(source, { ...destination, isOpen: false, trustedEpoch: 0 })).toEqual({
      kind: 'open',
    });
    expect(nextRelayStep(source, { ...destination, trustedEpoch: 1 })).toEqual({ kind: 'follow', from: 1 });
  });

  it('carries what has not come, from the next one on', () => {
    expect(nextRelayStep(source, destination)).toEqual({ kind: 'receive', first: 5n });
  });

  it('acknowledges when it pays, also while more is to be carried: a full outbox would take nothing', () => {
    const nextToReceive = source.firstUnacknowledged + ACKNOWLEDGED_MIN;
    const many = { ...source, nextToSend: 1_000n };
    expect(nextRelayStep(many, { ...destination, nextToReceive })).toEqual({ kind: 'acknowledge' });
    const fewer = { ...destination, nextToReceive: nextToReceive - 1n };
    expect(nextRelayStep(many, fewer)).toEqual({ kind: 'receive', first: nextToReceive - 1n });
  });

  it('carries nothing from a chain that contradicted itself, neither transfers nor epochs nor acknowledgements (LG-37)', () => {
    const nextToReceive = source.firstUnacknowledged + ACKNOWLEDGED_MIN;
    const many = { ...source, nextToSend: 1_000n };
    const halted = { ...destination, isHalted: true };
    expect(nextRelayStep(many, halted)).toEqual({ kind: 'rest' });
    expect(nextRelayStep(many, { ...halted, trustedEpoch: 1 })).toEqual({ kind: 'rest' });
    // What it has credited before is still true of the other one.
    expect(nextRelayStep(many, { ...halted, nextToReceive })).toEqual({ kind: 'acknowledge' });
    expect(nextRelayStep({ ...many, isHalted: true }, { ...destination, nextToReceive })).toEqual({
      ...{ kind: 'receive', first: nextToReceive },
    });
  });

  it('rests where nothing is left, and where the source knows no such chain yet', () => {
    expect(nextRelayStep(source, { ...destination, nextToReceive: 10n })).toEqual({ kind: 'rest' });
    expect(
      nextRelayStep({ ...source, isOpen: false, nextToSend: 1n }, { ...destination, nextToReceive: 1n }),
    ).toEqual({ kind: 'rest' });
  });
});
