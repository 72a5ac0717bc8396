/** The bridge and the state: what it tells, what it hears, what a certificate says. BR-4, BR-7. */
import { afterAll, describe, expect, it } from 'vitest';
import { isConsensusHealthy, isDiverged } from '../../../src/machines/bridge/bridge.setup.ts';
import { committedAt, plain, stateAfter } from '../../protocol/bridge/operations-of.ts';
import { height } from '../../protocol/consensus/fixture.ts';
import { A, B, bridgeReach, C, isOfSharing, Rig, type RigOptions, SECOND, STRANGER } from './bridge.rig.ts';

const reach = bridgeReach();
const rig = (options: RigOptions = {}) => new Rig(reach, options);
const many = (count: number) => Array.from({ length: count }, (_, index) => plain(`t${index}`));

/** "After executing this height, my state is yours." */
const syncOf = (at: number) => {
  const { height: sequenceNumber, appHash: stateHash } = stateAfter(at);
  return { kind: 'StateSync', stateHash, sequenceNumber, partialState: [] } as const;
};

describe('state that is told (BR-4)', () => {
  const syncs = (at: Rig) => at.sent().filter(({ message }) => message.kind === 'StateSync');
  const ticks = (at: Rig, count: number): void => {
    for (let tick = 0; tick < count; tick += 1) at.elapse(SECOND);
  };

  it('goes to every peer that listens after the longest interval, when there is little activity', () => {
    const at = rig();
    at.send({ type: 'breaker.changed', peer: B, state: 'open' });
    at.executeTo(1, 3);
    ticks(at, 59);
    expect(syncs(at)).toEqual([]);
    ticks(at, 1);
    expect(syncs(at)).toMatchObject([
      { to: [A], message: { sequenceNumber: 3, partialState: [{ height: 2 }, { height: 1 }] } },
    ]);
    expect(at.context.counts.stateSyncsSent).toBe(1);
  });

  it.each([
    [10, 60],
    [11, 10],
    [100, 10],
    [101, 1],
  ])('after %i operations it goes after %i s', (operations, seconds) => {
    const at = rig();
    at.submit(...many(operations));
    at.executeTo(1, 1);
    ticks(at, seconds - 1);
    expect(syncs(at)).toEqual([]);
    ticks(at, 1);
    expect(syncs(at)).toHaveLength(1);
  });

  it('is told only when it changed: a new height, or the same with another hash', () => {
    const at = rig();
    at.executeTo(1, 1);
    ticks(at, 180);
    expect(syncs(at)).toHaveLength(1);
    at.execute(stateAfter(1, 'replayed'));
    ticks(at, 60);
    expect(syncs(at)).toHaveLength(2);
    ticks(at, 60);
    expect(syncs(at)).toHaveLength(2);
  });

  it('of a node that is no validator is told to nobody: validators would not listen (CS-19)', () => {
    const at = rig({ self: STRANGER, connected: [A, B, C] });
    at.executeTo(1, 3);
    ticks(at, 120);
    expect(syncs(at)).toEqual([]);
  });

  it('is told whole to a newcomer, and to the others from where they were when they told theirs, or were told last', () => {
    const at = rig();
    const heights = (peer: string) =>
      syncs(at)
        .filter(({ to }) => Array.isArray(to) && to.includes(peer))
        .map(({ message }) =>
          message.kind === 'StateSync'
            ? [message.sequenceNumber, ...message.partialState.map((state) => state.height)]
            : [],
        );
    at.executeTo(1, 3);
    ticks(at, 60);
    at.executeTo(4, 5);
    // B is behind: it compares what it executes from here on.
    at.hear(B, syncOf(2));
    at.connect(C);
    ticks(at, 60);
    expect([heights(A), heights(B), heights(C)]).toEqual([
      [
        [3, 2, 1],
        [5, 4],
      ],
      [
        [3, 2, 1],
        [5, 4, 3],
      ],
      [[5, 4, 3, 2, 1]],
    ]);
    at.hear(B, syncOf(5));
    at.disconnect(A);
    at.connect(A);
    at.executeTo(6, 6);
    ticks(at, 60);
    expect([heights(A).at(-1), heights(B).at(-1), heights(C).at(-1)]).toEqual([[6, 5, 4, 3, 2, 1], [6], [6]]);
    expect(at.context.counts.stateSyncsSent).toBe(8);
  });

  it('is told in one message to all who get the same', () => {
    const at = rig({ connected: [A, B, C] });
    at.executeTo(1, 3);
    ticks(at, 60);
    at.executeTo(4, 5);
    ticks(at, 60);
    expect(syncs(at).map(({ to }) => to)).toEqual([[A, B, C].toSorted(), [A, B, C].toSorted()]);
  });

  it('is told anew where the application was replayed: what peers were told before may be wrong', () => {
    const at = rig({ connected: [A, B] });
    at.executeTo(1, 5);
    ticks(at, 60);
    at.execute(stateAfter(3, 'replayed'));
    at.execute(stateAfter(4, 'replayed'));
    ticks(at, 60);
    expect(syncs(at).at(-1)?.message).toMatchObject({
      sequenceNumber: 4,
      partialState: [{ height: 3 }, { height: 2 }, { height: 1 }],
    });
  });

  it('is nothing before the first block, and untold while nobody hears it', () => {
    const at = rig({ connected: [] });
    ticks(at, 60);
    at.executeTo(1, 1);
    ticks(at, 60);
    expect([syncs(at).length, at.context.told]).toEqual([0, undefined]);
    at.connect(A);
    ticks(at, 60);
    expect(syncs(at)).toHaveLength(1);
  });
});

describe('state that is heard (BR-4, BR-7)', () => {
  const stateSync = (at: number, name: string) =>
    ({
      kind: 'StateSync',
      sequenceNumber: height(at),
      stateHash: stateAfter(at, name).appHash,
      partialState: [],
    }) as const;

  it('that differs is told to the alarm once for each who says so, with both hashes', () => {
    const at = rig();
    at.executeTo(1, 5);
    at.hear(A, stateSync(5, 'otherwise'));
    at.hear(A, stateSync(4, 'otherwise'));
    at.hear(B, stateSync(5, 'otherwise'));
    expect(at.toAlarm).toMatchObject([
      {
        type: 'state.diverged',
        divergence: {
          height: 5,
          ours: stateAfter(5).appHash,
          theirs: stateAfter(5, 'otherwise').appHash,
          by: A,
        },
      },
      { divergence: { by: B } },
    ]);
    expect(at.context.divergences.size).toBe(2);
  });

  it('of a peer refuses nothing and stops nothing: it may be the one that lies', () => {
    const at = rig();
    at.executeTo(1, 5);
    for (const peer of [A, B, C]) at.hear(peer, stateSync(5, 'otherwise'));
    expect([isDiverged(at.context), at.toRoundManager.length, isConsensusHealthy(at.context)]).toEqual([
      false,
      0,
      true,
    ]);
    at.submit(plain('one'));
    expect(at.questions()).toHaveLength(1);
  });

  it('of no validator is passed over: anybody can make as many of them as they like', () => {
    const at = rig();
    at.executeTo(1, 5);
    at.hear(STRANGER, stateSync(5, 'otherwise'));
    expect([at.toAlarm.length, at.context.divergences.size, at.context.seen.seen.size]).toEqual([0, 0, 0]);
    expect(at.context.counts.messagesProcessed).toBe(1);
  });

  it('twice is a duplicate, counted; the first is a sign of life for the breaker', () => {
    const at = rig();
    at.hear(A, stateSync(3, 'as all'));
    at.hear(A, stateSync(3, 'as all'));
    expect(at.toBreakers).toEqual([{ peer: A, message: { type: 'peer.spoke' } }]);
    expect([at.context.counts.duplicates, at.context.counts.messagesProcessed, at.context.activity]).toEqual([
      1, 2, 1,
    ]);
    at.now = 300_000;
    at.hear(A, stateSync(3, 'as all'));
    expect(at.context.counts.duplicates).toBe(1);
    at.hear(C, stateSync(3, 'as all'));
    expect(at.toBreakers).toHaveLength(2);
  });
});

describe('a certificate of another state (BR-4)', () => {
  const evidence = committedAt(7, stateAfter(5, 'otherwise'));

  it.each([
    [
      'after it was executed',
      (at: Rig) => {
        at.executeTo(1, 6);
        at.commit(evidence);
      },
    ],
    [
      'before it is executed',
      (at: Rig) => {
        at.commit(evidence);
        at.executeTo(1, 6);
      },
    ],
  ])('stated %s: this node proposes no more, refuses operations, and keeps the evidence', (_, diverge) => {
    const at = rig();
    diverge(at);
    const told = {
      type: 'state.diverged',
      divergence: { height: 5, by: 'the certificate of height 7', evidence },
    };
    expect(at.toAlarm).toMatchObject([told]);
    expect(at.toRoundManager).toMatchObject([told]);
    expect([isDiverged(at.context), isConsensusHealthy(at.context)]).toEqual([true, false]);
    const tag = at.submit(plain('one'));
    expect(at.codes(tag)).toEqual(['STATE_DIVERGED']);
    at.hear(B, { kind: 'SubmitOperations', tag: 2, operations: [plain('x')] });
    expect(at.sent().at(-1)?.message).toMatchObject({ admissions: [{ code: 'STATE_DIVERGED' }] });
  });

  it('is told once, however many follow; to the round-manager with each message of commits, since it may have been restarted', () => {
    const at = rig();
    at.executeTo(1, 9);
    at.commit(evidence);
    at.commit(committedAt(8, stateAfter(6, 'otherwise')), committedAt(9, stateAfter(7, 'otherwise')));
    expect([at.toAlarm.length, at.toRoundManager.length]).toEqual([1, 2]);
  });

  it('is what a client is told of, whatever peers said before', () => {
    const at = rig();
    at.executeTo(1, 9);
    at.hear(A, {
      kind: 'StateSync',
      sequenceNumber: height(2),
      stateHash: stateAfter(2, 'a lie').appHash,
      partialState: [],
    });
    at.commit(evidence);
    expect(at.logs(at.submit(plain('one')))).toEqual([
      "the state of this node is not the chain's since height 5: ask another node",
    ]);
  });
});

afterAll(() => {
  expect(reach.missing().filter(isOfSharing)).toEqual([]);
});
