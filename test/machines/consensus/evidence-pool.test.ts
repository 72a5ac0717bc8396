import { afterAll, describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { evidencePoolMachine } from '../../../src/machines/consensus/evidence-pool.machine.ts';
import type { EvidencePoolInput } from '../../../src/machines/consensus/evidence-pool.setup.ts';
import type { Evidence } from '../../../src/protocol/chain/types.ts';
import { offenceOf } from '../../../src/protocol/consensus/evidence.ts';
import { endingIn, worldIn } from '../../protocol/consensus/epoch-fixture.ts';
import { chainOf, GENESIS_TIME, height, present, world } from '../../protocol/consensus/fixture.ts';
import { forged, hiddenQc, twoVotes } from '../../protocol/consensus/offences.ts';
import { reachOf, toldTo } from '../reach.ts';

const place = world();
const { epoch, bls, addressAt } = place;
const reach = reachOf(evidencePoolMachine, 'evidence-pool');
const input: EvidencePoolInput = {
  rules: { epoch, bls, ageHeights: 20, ageMax: millis(60_000) },
  self: addressAt(0),
  deduplication: { entries: 100, ttl: millis(1_000) },
  ...{ storage: 'storage', router: 'router', roundManager: 'round-manager' },
};
const evidence = twoVotes(place, 3);
const at = { height: height(3), time: GENESIS_TIME };
const recovered = { type: 'chainEvidence.found', tag: 1, base: height(0), blocks: [], moments: [] } as const;
const told = (one: Evidence, from = 1) =>
  ({
    type: 'message.received',
    from: addressAt(from),
    message: { kind: 'Evidence', evidence: one },
  }) as const;
const asked = { type: 'evidence.requested', replyTo: 'round', tag: 3, at, named: [] } as const;
const postponed = [{ kind: 'postpone' }];
const { blocks, qcs } = chainOf(place, [1, 2]);
const carrying = {
  type: 'blocks.committed',
  blocks: [
    {
      block: { ...present(blocks[0], 'a block'), evidence: [evidence] as const },
      ...{ qc: present(qcs[0], 'a QC'), id: present(qcs[0], 'a QC').blockId },
      commitProof: present(qcs[1], 'a QC'),
    },
  ],
} as const;
function running(change: Partial<EvidencePoolInput> = {}) {
  const chart = reach.start({ ...input, ...change });
  chart.send(recovered);
  return chart;
}

afterAll(() => expect(reach.missing()).toEqual([]));

describe('evidence-pool chart: another epoch begins (CS-16)', () => {
  it('keeps what was done in the epoch before, drops what is older, and takes nothing from being told again', () => {
    const second = worldIn(place, endingIn(place, [1, 2], { end: 0 }).change);
    const third = worldIn(second, endingIn(second, [1, 2], { end: 0 }).change);
    const chart = running();
    chart.send({ type: 'evidence.found', evidence });
    expect(chart.snapshot.context.pool.pending.size).toBe(1);
    expect(chart.send({ type: 'epoch.began', epoch })).toEqual([]);
    expect(chart.snapshot.context.pool.pending.size).toBe(1);
    chart.send({ type: 'epoch.began', epoch: second.epoch });
    expect(chart.snapshot.context.pool.pending.size).toBe(1);
    expect(chart.snapshot.context.rules.epoch).toEqual(second.epoch);
    chart.send({ type: 'epoch.began', epoch: third.epoch });
    expect(chart.snapshot.context.pool.pending.size).toBe(0);
  });
});

describe('evidence-pool chart: recovery', () => {
  it('asks storage what the chain carries, again after a failure, and judges nothing before (CS-14)', () => {
    const chart = reach.start(input);
    expect(toldTo(chart.effects, 'storage')).toMatchObject([
      { type: 'chainEvidence.requested', tag: 1, heights: 20, stride: 1 },
    ]);
    const questions = [
      asked,
      { type: 'evidence.judgeRequested', replyTo: 'round', tag: 3, evidence: [evidence], at, named: [] },
      { type: 'evidence.found', evidence },
      carrying,
    ] as const;
    for (const question of questions) expect(chart.send(question)).toEqual(postponed);
    for (const ignored of [told(evidence), { type: 'peer.connected', peer: addressAt(1) } as const]) {
      expect(chart.send(ignored)).toEqual([]);
    }
    chart.send({
      type: 'storage.failed',
      tag: 1,
      request: 'chainEvidence.requested',
      code: 'IO',
      detail: 'x',
    });
    for (const question of questions) expect(chart.send(question)).toEqual(postponed);
    chart.elapse();
    chart.send({ ...recovered, tag: 2 });
    expect(chart.snapshot.value).toBe('running');
    for (const late of [
      { ...recovered, tag: 2 },
      {
        type: 'storage.failed',
        tag: 2,
        request: 'chainEvidence.requested',
        code: 'IO',
        detail: 'x',
      } as const,
      { type: 'peer.disconnected', peer: addressAt(1) } as const,
    ]) {
      expect(chart.send(late)).toEqual([]);
    }
  });
});

describe('evidence-pool chart: gossip (CS-14, BR-7)', () => {
  it('tells all of what was found here, once, and round-manager that it waits', () => {
    const chart = running();
    const effects = chart.send({ type: 'evidence.found', evidence });
    const message = { kind: 'Evidence', evidence };
    expect(toldTo(effects, 'router')).toEqual([
      { type: 'network.sendRequested', outgoing: [{ to: 'all', message }] },
    ]);
    expect(toldTo(effects, 'round-manager')).toEqual([{ type: 'evidence.waits', waits: true }]);
    expect(chart.send({ type: 'evidence.found', evidence })).toEqual([]);
    // Its own, by its own mailbox.
    expect(chart.send(told(evidence, 0))).toEqual([]);
    expect(chart.snapshot.context.dropped).toEqual({ useless: 2, refused: 0 });
    expect(toldTo(chart.send({ type: 'peer.connected', peer: addressAt(2) }), 'router')).toEqual([
      { type: 'network.sendRequested', outgoing: [{ to: [addressAt(2)], message }] },
    ]);
  });

  it('passes on what a peer tells once it is verified, and blames whoever tells what proves nothing', () => {
    const chart = running();
    const false_ = forged(evidence);
    expect(toldTo(chart.send(told(false_)), 'router')).toEqual([
      { type: 'peer.misbehaved', peer: addressAt(1), code: 'SIGNATURE_INVALID' },
    ]);
    // Seen: it is not looked into twice.
    expect(chart.send(told(false_, 2))).toEqual([]);
    // And keeps the true one out of nothing.
    expect(toldTo(chart.send(told(evidence, 2)), 'router')).toMatchObject([
      { type: 'network.sendRequested' },
    ]);
    expect(chart.send(told(evidence, 1))).toEqual([]);
    expect(chart.snapshot.context.dropped).toEqual({ useless: 2, refused: 1 });
    expect(chart.send({ type: 'evidence.found', evidence: forged(twoVotes(place, 2)) })).toEqual([]);
  });

  it('is of no use to a node without a voice (CS-19)', () => {
    const stranger = 'ab'.repeat(20) as EvidencePoolInput['self'];
    expect(running({ self: stranger }).send(told(evidence), { now: monotonic(1) })).toEqual([]);
  });
});

describe('evidence-pool chart: blocks (CS-9, CS-14)', () => {
  it('gives a leader what waits, and says of a block whether it may carry what it does', () => {
    const chart = running();
    chart.send({ type: 'evidence.found', evidence });
    expect(toldTo(chart.send(asked), 'round')).toEqual([
      { type: 'evidence.selected', tag: 3, evidence: [evidence] },
    ]);
    const question = { type: 'evidence.judgeRequested', replyTo: 'round', tag: 3, at } as const;
    const other = hiddenQc(place, 2);
    expect(toldTo(chart.send({ ...question, evidence: [evidence, other], named: [] }), 'round')).toEqual([
      { type: 'evidence.judged', tag: 3, verdict: 'valid' },
    ]);
    const named = [offenceOf(other)];
    expect(toldTo(chart.send({ ...question, evidence: [other], named }), 'round')).toMatchObject([
      { type: 'evidence.judged', tag: 3, verdict: { code: 'EVIDENCE_REPEATED' } },
    ]);
  });

  it('has nothing to do any more when a block carries it', () => {
    const chart = running();
    chart.send({ type: 'evidence.found', evidence });
    expect(toldTo(chart.send(carrying), 'round-manager')).toEqual([{ type: 'evidence.waits', waits: false }]);
    expect(toldTo(chart.send(asked), 'round')).toEqual([{ type: 'evidence.selected', tag: 3, evidence: [] }]);
    expect(chart.send({ type: 'evidence.found', evidence })).toEqual([]);
  });
});
