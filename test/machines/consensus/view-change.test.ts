import { afterAll, describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { viewChangeMachine } from '../../../src/machines/consensus/view-change.machine.ts';
import { roundsReport } from '../../../src/node/rounds-report.ts';
import { leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { emptyRecord } from '../../../src/protocol/consensus/safety.ts';
import { TIMEOUT_DEFAULTS } from '../../../src/protocol/consensus/timeouts.ts';
import type { SafetyRecord, ViewChangeMessage } from '../../../src/protocol/consensus/types.ts';
import type { StorageReply } from '../../../src/protocol/ports/storage.ts';
import { endingIn, worldIn } from '../../protocol/consensus/epoch-fixture.ts';
import {
  blockOn,
  chainOf,
  epochNumber,
  GENESIS_EXECUTED,
  GENESIS_TIME,
  height,
  qcOf,
  round,
  tcOf,
  timeoutBy,
  voteFor,
  world,
} from '../../protocol/consensus/fixture.ts';
import { ofKind, reachOf, toldTo } from '../reach.ts';

const place = world();
const { epoch, addressAt } = place;
const root = epoch.rootQC;
const SELF = 0;
const STRANGER = world([1n, 1n, 1n, 1n], 'another').addressAt(0);
const at = (ms: number) => ({ now: monotonic(ms) });
const reach = reachOf(viewChangeMachine, 'view-change');
const input = {
  epoch,
  self: addressAt(SELF),
  bls: place.bls,
  timeouts: TIMEOUT_DEFAULTS,
  storage: 'storage',
  router: 'router',
  safety: 'safety',
  roundManager: 'round-manager',
  epochKeeper: 'epoch-keeper',
  observers: ['observer'],
  bridge: 'bridge',
};
const { qcs } = chainOf(
  place,
  Array.from({ length: 12 }, (_, index) => index + 1),
);
const qcAt = (inRound: number) => {
  const qc = qcs[inRound - 1];
  if (qc === undefined) throw new Error(`no round ${inRound}`);
  return qc;
};

const found = (
  record: Partial<SafetyRecord> = {},
  tag = 1,
): Extract<StorageReply, { type: 'recovery.found' }> => ({
  type: 'recovery.found',
  tag,
  recovered: {
    record: { ...emptyRecord(root), ...record },
    recordVersion: 0,
    blocks: [],
    executed: GENESIS_EXECUTED,
    updates: [],
  },
});
const failed = (tag: number) =>
  ({ type: 'storage.failed', tag, request: 'recovery.requested', code: 'IO', detail: 'x' }) as const;
const from = <M>(index: number, message: M) =>
  ({ type: 'message.received', from: addressAt(index), message }) as const;
const condemned = (inRound: number) =>
  ({
    type: 'proposal.condemned',
    epoch: epoch.epoch,
    round: round(inRound),
    reason: 'InvalidProposal',
  }) as const;
const sent = (message: ViewChangeMessage) => ({ type: 'timeout.sent', message }) as const;
const roundOf = (chart: ReturnType<typeof running>) => chart.snapshot.context.live?.pacemaker.round;

function running(record: Partial<SafetyRecord> = {}) {
  const chart = reach.start(input);
  chart.send(found(record));
  return chart;
}

it('the timeout of its set does not grow while as many leaders in a row failed as may be dead (CS-11)', () => {
  const ten = world(Array<bigint>(10).fill(1n));
  const graceOf = (other: typeof input) => reach.start(other, at(0)).snapshot.context.timeouts.grace;
  expect([graceOf(input), graceOf({ ...input, epoch: ten.epoch, self: ten.addressAt(0) })]).toEqual([3, 4]);
});

afterAll(() => expect(reach.missing()).toEqual([]));

describe('view-change chart: recovery (CS-1)', () => {
  it("enters the round after the record's TC, not after its QC alone", () => {
    const tc = tcOf(place, 1, [root, root, root]);
    const chart = running({ lastTC: tc });
    expect(toldTo(chart.effects, 'round-manager')).toMatchObject([
      { type: 'round.entered', round: 2, entry: { by: 'tc' } },
    ]);
    expect(chart.snapshot.value).toEqual({ running: 'completing' });
  });

  it('sends the timeout again that was signed before the crash (CS-6)', () => {
    const lastTimeout = timeoutBy(place, SELF, { round: 1, highQC: root });
    expect(toldTo(running({ lastTimeout, lastVotedRound: round(1) }).effects, 'safety')).toMatchObject([
      { type: 'timeout.requested', round: 1 },
    ]);
  });

  it('keeps certificates and orders for after the recovery; what is repeated or of an earlier life it ignores (RT-8)', () => {
    const chart = reach.start(input);
    const postponed = [{ kind: 'postpone' }];
    expect(chart.send({ type: 'qc.formed', qc: qcAt(1) })).toEqual(postponed);
    expect(chart.send({ type: 'certificates.received', from: addressAt(1), qc: qcAt(1) })).toEqual(postponed);
    expect(chart.send({ type: 'viewChange.ordered' })).toEqual(postponed);
    const message = timeoutBy(place, 1, { round: 1, highQC: root });
    const ignored = [
      from(1, { kind: 'QC', qc: qcAt(1) } as const),
      { type: 'peer.connected', peer: addressAt(1) } as const,
      { type: 'peer.disconnected', peer: addressAt(1) } as const,
      condemned(1),
      sent(message),
      { type: 'timeout.refused', round: round(1), code: 'X', detail: 'x' } as const,
      found({}, 77),
      failed(77),
    ];
    const before = chart.snapshot;
    for (const event of ignored) expect(chart.send(event)).toEqual([]);
    expect(chart.snapshot).toBe(before);
  });

  it('keeps facts that are told once for after the recovery, and asks again when the store fails', () => {
    const chart = reach.start(input);
    const facts = [
      { type: 'work.changed', hasWork: true },
      { type: 'commit.advanced', epoch: epoch.epoch, height: height(1), round: round(1) },
    ] as const;
    for (const fact of facts) expect(ofKind(chart.send(fact), 'postpone')).toHaveLength(1);
    chart.send(failed(1));
    expect(chart.snapshot.value).toBe('waiting');
    for (const fact of facts) expect(ofKind(chart.send(fact), 'postpone')).toHaveLength(1);
    expect(toldTo(chart.elapse(500), 'storage')).toMatchObject([{ type: 'recovery.requested', tag: 2 }]);
  });
});

describe('view-change chart: certificates (CS-2, CS-13)', () => {
  it('enters r+1 on a QC of r from any message, and adopts nothing forged', () => {
    const chart = running();
    chart.send(from(1, { kind: 'QC', qc: qcAt(1) }));
    expect(roundOf(chart)).toBe(2);
    const forged = { ...qcAt(5), signature: qcAt(4).signature };
    const effects = chart.send({ type: 'certificates.received', from: addressAt(1), qc: forged });
    expect(toldTo(effects, 'router')).toMatchObject([{ type: 'peer.misbehaved', code: 'SIGNATURE_INVALID' }]);
    expect(roundOf(chart)).toBe(2);
    chart.send({ type: 'qc.formed', qc: qcAt(2) });
    expect(roundOf(chart)).toBe(3);
  });

  it('verifies no certificate that says nothing new', () => {
    const chart = running();
    chart.send(from(1, { kind: 'QC', qc: qcAt(8) }));
    const before = { ...place.bls.calls };
    for (let inRound = 1; inRound < 8; inRound += 1) {
      const tc = tcOf(place, inRound, [root, root, root]);
      chart.send(
        from(2, {
          kind: 'NewView',
          epoch: epoch.epoch,
          height: height(1),
          round: round(inRound + 1),
          leader: addressAt(1),
          tc,
        }),
      );
      chart.send(from(2, { kind: 'QC', qc: qcAt(inRound) }));
    }
    expect(place.bls.calls).toEqual(before);
  });

  it('tells round-manager of another block certified in the round of the high QC, once its signature holds (SY-5)', () => {
    const chart = running();
    chart.send(from(1, { kind: 'QC', qc: qcAt(2) }));
    const other = qcOf(place, blockOn(place, qcAt(1), 2, { time: GENESIS_TIME + 77 }));
    expect(other.blockId).not.toBe(qcAt(2).blockId);
    const forged = { ...other, signature: qcAt(1).signature };
    expect(toldTo(chart.send(from(1, { kind: 'QC', qc: forged })), 'round-manager')).toEqual([]);
    const told = toldTo(chart.send(from(1, { kind: 'QC', qc: other })), 'round-manager');
    expect(told).toEqual([{ type: 'highQc.adopted', qc: other }]);
    expect(roundOf(chart)).toBe(3);
    expect(toldTo(chart.send(from(1, { kind: 'QC', qc: qcAt(2) })), 'round-manager')).toEqual([]);
  });

  it('tells round-manager of a higher QC that does not move the round', () => {
    const chart = running({ lastTC: tcOf(place, 2, [root, root, root]) });
    const effects = chart.send(from(1, { kind: 'QC', qc: qcAt(2) }));
    expect(toldTo(effects, 'round-manager')).toMatchObject([{ type: 'highQc.adopted' }]);
    expect(chart.snapshot.value).toEqual({ running: 'active' });
  });
});

describe('view-change chart: another epoch begins (CS-16)', () => {
  const ending = endingIn(place, [1, 2], { end: 0 });
  const second = worldIn(place, ending.change);
  const began = { type: 'epoch.began', epoch: second.epoch } as const;
  const last = ending.blocks[0];
  if (last === undefined) throw new Error('a last block');
  const committed = { id: ending.change.qc.blockId, block: last, qc: ending.change.qc };
  const secondFound = (tag: number, record = emptyRecord(second.epoch.rootQC)) => {
    const [, commitProof] = ending.qcs;
    if (commitProof === undefined) throw new Error('a proof');
    const durable = { record, committed: { ...committed, commitProof }, change: ending.change };
    return { ...found({}, tag), recovered: { ...found().recovered, ...durable } };
  };
  function inSecond() {
    const chart = running();
    chart.send(began);
    chart.send(secondFound(2), at(5_000));
    return chart;
  }

  it('leaves its round and its timers, reads what is durable, and enters round 1 on the root', () => {
    for (const chart of [running({ highQC: qcAt(7) }), reach.start(input)]) {
      const effects = chart.send(began);
      expect(chart.snapshot.value).toBe('recovering');
      expect(ofKind(effects, 'cancelTimer').map(({ key }) => key)).toEqual(['deadline', 'resend']);
      const { tag } = chart.snapshot.context;
      const entered = toldTo(chart.send(secondFound(tag)), 'round-manager');
      expect(entered).toMatchObject([
        { type: 'round.entered', epoch: 1, round: 1, entry: { by: 'qc', qc: second.epoch.rootQC } },
      ]);
      expect(chart.snapshot.context.live?.committedHeight).toBe(1);
    }
  });

  it('takes nothing from being told again, nor of an older epoch', () => {
    const chart = inSecond();
    const before = chart.snapshot;
    expect([...chart.send(began), ...chart.send({ ...began, epoch })]).toEqual([]);
    expect(chart.snapshot).toBe(before);
  });

  it('tells of a round that failed before under the epoch that it was of', () => {
    const chart = running();
    for (const index of [1, 2, 3])
      chart.send(from(index, timeoutBy(place, index, { round: 1, highQC: root })));
    chart.send(began);
    chart.send(secondFound(chart.snapshot.context.tag), at(5_000));
    const { live: view } = chart.snapshot.context;
    const report = roundsReport(second.epoch, {
      ...{ view, record: undefined, rounds: [], executionFailure: undefined },
    });
    expect([report.epoch, report.current]).toEqual([1, 1]);
    expect(report.viewChanges).toMatchObject([{ epoch: 0, round: 1 }]);
  });

  it('starts anew by itself in the epoch that is durable', () => {
    const chart = reach.start(input);
    expect(toldTo(chart.send(secondFound(1)), 'round-manager')).toMatchObject([{ epoch: 1, round: 1 }]);
  });

  it('tells the epoch-keeper who speaks in another epoch, and neither blames nor believes', () => {
    const chart = running();
    const later = qcOf(second, blockOn(second, second.epoch.rootQC, 5));
    const timeoutThere = timeoutBy(second, 1, { round: 3, highQC: second.epoch.rootQC });
    const tc = tcOf(second, 3, [second.epoch.rootQC, second.epoch.rootQC, second.epoch.rootQC]);
    const view = {
      kind: 'NewView',
      epoch: tc.epoch,
      height: height(1),
      round: round(4),
      leader: addressAt(1),
      tc,
    };
    for (const message of [
      { kind: 'QC', qc: later } as const,
      timeoutThere,
      { ...view, kind: 'NewView' } as const,
    ]) {
      const effects = chart.send(from(1, message));
      expect(toldTo(effects, 'epoch-keeper')).toEqual([
        { type: 'epoch.met', from: addressAt(1), epoch: second.epoch.epoch },
      ]);
      expect(toldTo(effects, 'router')).toEqual([]);
    }
    expect(roundOf(chart)).toBe(1);
    const behind = inSecond().send(from(2, { kind: 'QC', qc: qcAt(9) }));
    expect(toldTo(behind, 'epoch-keeper')).toMatchObject([{ epoch: 0 }]);
  });

  it('passes over what was on its way when the epoch changed: certificates, commits, condemnations, its own timeout', () => {
    const chart = inSecond();
    const stale = [
      { type: 'certificates.received', from: addressAt(1), qc: qcAt(9) } as const,
      { type: 'qc.formed', qc: qcAt(9) } as const,
      condemned(1),
      { type: 'commit.advanced', epoch: epoch.epoch, height: height(9), round: round(9) } as const,
    ];
    for (const event of stale) expect(chart.send(event)).toEqual([]);
    chart.send({ type: 'round.deadlinePassed', round: round(1) });
    const sentBefore = timeoutBy(place, SELF, { round: 1, highQC: root });
    expect(chart.send(sent(sentBefore))).toEqual([]);
    expect(chart.snapshot.context.live?.timeout?.sent).toBe(false);
    expect([roundOf(chart), chart.snapshot.context.live?.committedHeight]).toEqual([1, 1]);
  });

  it('has no round of an epoch that it has not come to, though its record is of that one (ST-9)', () => {
    const kept = { ...qcAt(9), epoch: epochNumber(5) };
    const lastTC = { ...tcOf(place, 9, [root, root, root]), epoch: epochNumber(5) };
    const lastTimeout = { ...timeoutBy(place, SELF, { round: 1, highQC: root }), epoch: epochNumber(5) };
    const chart = running({ epoch: epochNumber(5), highQC: kept, lastTC, lastTimeout });
    expect([roundOf(chart), chart.snapshot.context.live?.pacemaker.highQC]).toEqual([1, root]);
    expect(toldTo(chart.effects, 'safety')).toEqual([]);
  });
});

describe('view-change chart: timeouts (CS-6, CS-7)', () => {
  it('amplifies at J(W), once, and forms the TC at Q(W)', () => {
    const chart = running();
    expect(toldTo(chart.send(from(1, timeoutBy(place, 1, { round: 1, highQC: root }))), 'safety')).toEqual(
      [],
    );
    const second = chart.send(from(2, timeoutBy(place, 2, { round: 1, highQC: root })));
    expect(toldTo(second, 'safety')).toMatchObject([{ type: 'timeout.requested', round: 1, tick: 1 }]);
    expect(chart.snapshot.value).toEqual({ running: 'viewChanging' });
    const third = chart.send(from(3, timeoutBy(place, 3, { round: 1, highQC: root })));
    expect(toldTo(third, 'observer')).toMatchObject([{ type: 'round.failed', round: 1 }]);
    expect(roundOf(chart)).toBe(2);
  });

  it('asks for no second signature at J(W) when its own timeout is on its way', () => {
    const chart = running();
    chart.send({ type: 'round.deadlinePassed', round: round(1) });
    chart.send(from(1, timeoutBy(place, 1, { round: 1, highQC: root })));
    expect(toldTo(chart.send(from(2, timeoutBy(place, 2, { round: 1, highQC: root }))), 'safety')).toEqual(
      [],
    );
  });

  it('gives a round up once, however often its leader is condemned', () => {
    const chart = running();
    expect(toldTo(chart.send(condemned(1)), 'safety')).toHaveLength(1);
    expect(toldTo(chart.send(condemned(1)), 'safety')).toEqual([]);
    expect(toldTo(chart.send({ type: 'viewChange.ordered' }), 'safety')).toEqual([]);
    expect(chart.send(condemned(9))).toEqual([]);
  });

  it('takes a ViewChange from its signer only: what lies beside the signature could be changed (CS-7)', () => {
    const chart = running();
    const lastVote = { ...voteFor(place, blockOn(place, root, 1), 1), signature: new Uint8Array(32) };
    const message = timeoutBy(place, 1, { round: 1, highQC: root, lastVote });
    const effects = chart.send(from(2, message));
    expect(toldTo(effects, 'round-manager')).toEqual([]);
    expect(toldTo(effects, 'router')).toMatchObject([
      { peer: addressAt(2), code: 'VIEW_CHANGE_NOT_OF_SENDER' },
    ]);
    const own = chart.send(from(1, { ...message, lastVote: voteFor(place, blockOn(place, root, 1), 1) }));
    expect(toldTo(own, 'round-manager')).toMatchObject([
      { type: 'vote.found' },
      { type: 'timeout.seen', timeout: { validator: addressAt(1) }, lastVote: { validator: addressAt(1) } },
    ]);
  });

  it('adopts the certificates of a ViewChange that it does not count (CS-13)', () => {
    const chart = running();
    chart.send(from(2, timeoutBy(place, 1, { round: 6, highQC: qcAt(5) })));
    expect(roundOf(chart)).toBe(6);
  });

  it("re-sends with a growing tick until the round changes, and keeps safety's refusal for readers", () => {
    const chart = running();
    chart.send({ type: 'round.deadlinePassed', round: round(1) });
    const refusal = { code: 'SIGNER_UNAVAILABLE', detail: 'x' };
    chart.send({ type: 'timeout.refused', round: round(1), ...refusal });
    expect(chart.snapshot.context.live?.timeout?.refusal).toEqual(refusal);
    expect(toldTo(chart.send({ type: 'timeout.resendDue', round: round(1) }), 'safety')).toMatchObject([
      { tick: 2 },
    ]);
    const message = timeoutBy(place, SELF, { round: 1, highQC: root });
    expect(toldTo(chart.send(sent(message)), 'round-manager')).toMatchObject([
      { type: 'round.timedOut', round: 1 },
    ]);
    expect(chart.send(sent(message))).toEqual([]);
    const next = chart.send(from(1, { kind: 'QC', qc: qcAt(1) }));
    expect(ofKind(next, 'cancelTimer')).toMatchObject([{ key: 'resend' }]);
    expect(chart.send({ type: 'timeout.resendDue', round: round(1) })).toEqual([]);
    expect(chart.send(sent(message))).toEqual([]);
  });

  it('tells the bridge once of a round whose time is over, whatever safety says of it (BR-10)', () => {
    const chart = running();
    const overdue = toldTo(chart.send({ type: 'round.deadlinePassed', round: round(1) }), 'bridge');
    expect(overdue).toEqual([{ type: 'round.overdue', round: 1 }]);
    expect(toldTo(chart.send({ type: 'timeout.resendDue', round: round(1) }), 'bridge')).toEqual([]);
  });

  it('announces the new view once when it leads the round that a TC opens', () => {
    const led = [1, 2, 3, 4].find((one) => leaderAt(epoch, round(one + 1)) === addressAt(SELF)) ?? 1;
    const highQC = led === 1 ? root : qcAt(led - 1);
    const tc = tcOf(place, led, [highQC, highQC, highQC]);
    const chart = running();
    const message = {
      kind: 'NewView',
      epoch: epoch.epoch,
      height: height(1),
      round: round(led + 1),
      leader: addressAt(SELF),
      tc,
    } as const;
    const first = toldTo(chart.send(from(1, message)), 'router');
    expect(first).toMatchObject([
      { outgoing: [{ to: 'all', message: { kind: 'NewView', round: led + 1 } }] },
    ]);
    expect(chart.send(from(2, message))).toEqual([]);
    expect(chart.snapshot.value).toEqual({ running: 'completing' });
    chart.send({ type: 'round.deadlinePassed', round: round(led + 1) });
    expect(chart.snapshot.value).toEqual({ running: 'viewChanging' });
  });
});

describe('view-change chart: bounds and laggards (CS-7, CS-11, CS-13)', () => {
  it('answers a laggard with the best certificate at a limited rate', () => {
    const chart = running({ highQC: qcAt(5) });
    const late = timeoutBy(place, 1, { round: 2, highQC: qcAt(1) });
    expect(toldTo(chart.send(from(1, late), at(0)), 'router')).toMatchObject([
      { outgoing: [{ to: [addressAt(1)], message: { kind: 'QC', qc: { round: 5 } } }] },
    ]);
    expect(chart.send(from(1, late), at(10))).toEqual([]);
    expect(toldTo(chart.send(from(1, late), at(60)), 'router')).toHaveLength(1);
  });

  it('leaves memory flat under a flood of far rounds, and is still led on by one good certificate', () => {
    const chart = running();
    for (let far = 0; far < 2_000; far += 1) {
      const tc = { ...tcOf(place, 1, [root, root, root]), round: round(10_000 + far) };
      chart.send(from(1, { ...timeoutBy(place, 1, { round: 10_001 + far, highQC: root }), lastTC: tc }));
    }
    const live = chart.snapshot.context.live;
    expect(live?.book.rounds.size).toBe(0);
    expect(live?.verified.digests.length).toBeLessThan(8);
    chart.send(from(1, { kind: 'QC', qc: qcAt(9) }));
    expect(roundOf(chart)).toBe(10);
  });

  it('waits two round trips at least, from the round on in which they are measured (CS-11)', () => {
    const before = reach.start(input);
    const measured = { type: 'roundTrip.measured', roundTripMs: millis(40_000) } as const;
    expect(before.send(measured)).toEqual([]);
    const chart = running();
    chart.send({ type: 'work.changed', hasWork: true });
    expect(ofKind(chart.send(measured), 'startTimer')).toMatchObject([{ key: 'deadline', delayMs: 80_000 }]);
  });

  it('shortens the wait when work appears, and leaves the deadline of a round alone that was given up', () => {
    const chart = running();
    const idle = ofKind(running().effects, 'startTimer')[0]?.delayMs ?? 0;
    const busy = ofKind(chart.send({ type: 'work.changed', hasWork: true }), 'startTimer')[0]?.delayMs ?? 0;
    expect(idle - busy).toBe(TIMEOUT_DEFAULTS.emptyBlockIntervalMs);
    expect(
      ofKind(
        chart.send({ type: 'commit.advanced', epoch: epoch.epoch, height: height(1), round: round(1) }),
        'startTimer',
      ),
    ).toHaveLength(1);
    chart.send({ type: 'round.deadlinePassed', round: round(1) });
    expect(chart.send({ type: 'work.changed', hasWork: false })).toEqual([]);
  });

  it('tells a validator that connects again what it may have missed', () => {
    const chart = running({ highQC: qcAt(3) });
    chart.send({ type: 'peer.connected', peer: addressAt(2) }, at(1_000));
    expect(chart.snapshot.value).toEqual({ running: 'active' });
  });
});

describe('view-change chart: a node that is no validator (CS-19)', () => {
  const following = () => {
    const chart = reach.start({ ...input, self: STRANGER });
    chart.send(found({ lastTimeout: timeoutBy(place, SELF, { round: 1, highQC: root }) }));
    return chart;
  };

  it('is moved by certificates as every node is', () => {
    const chart = following();
    const effects = chart.send(from(1, { kind: 'QC', qc: qcAt(3) }));
    expect([roundOf(chart), chart.snapshot.value]).toEqual([4, { running: 'active' }]);
    expect(toldTo(effects, 'round-manager')).toMatchObject([{ type: 'round.entered', round: 4 }]);
  });

  it('waits for no round, gives none up, asks for no signature, and tells nobody anything', () => {
    const chart = following();
    const effects = [
      ...chart.effects,
      ...chart.send(from(1, { kind: 'QC', qc: qcAt(2) })),
      ...chart.send({ type: 'peer.connected', peer: addressAt(1) }),
      ...chart.send({ type: 'viewChange.ordered' }),
      ...chart.send(condemned(3)),
      ...chart.send({ type: 'work.changed', hasWork: true }),
      ...chart.send({ type: 'commit.advanced', epoch: epoch.epoch, height: height(1), round: round(1) }),
      // J(W) of timeouts, and one of a laggard.
      ...[1, 2].flatMap((index) =>
        chart.send(from(index, timeoutBy(place, index, { round: 3, highQC: qcAt(2) }))),
      ),
      ...chart.send(from(1, timeoutBy(place, 1, { round: 1, highQC: root }))),
    ];
    expect(toldTo(effects, 'safety')).toEqual([]);
    expect(toldTo(effects, 'bridge')).toEqual([]);
    expect(toldTo(effects, 'router')).toEqual([]);
    expect(ofKind(effects, 'startTimer')).toEqual([]);
  });
});
