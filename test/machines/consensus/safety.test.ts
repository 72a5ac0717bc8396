import { afterAll, describe, expect, it } from 'vitest';
import { safetyMachine } from '../../../src/machines/consensus/safety.machine.ts';
import { vrfInputOf } from '../../../src/protocol/chain/canonical.ts';
import { validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import { leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { emptyRecord } from '../../../src/protocol/consensus/safety.ts';
import type {
  ProposalRequested,
  TimeoutRequested,
  VoteRequested,
} from '../../../src/protocol/ports/consensus.ts';
import type { StorageReply } from '../../../src/protocol/ports/storage.ts';
import { endingIn, updateOf, worldIn } from '../../protocol/consensus/epoch-fixture.ts';
import {
  blockOn,
  epochNumber,
  GENESIS_EXECUTED,
  height,
  idOf,
  round,
  world,
} from '../../protocol/consensus/fixture.ts';
import { ofKind, reachOf, toldTo } from '../reach.ts';

const place = world();
const { epoch } = place;
const root = epoch.rootQC;
const reach = reachOf(safetyMachine, 'safety');
const input = {
  epoch,
  signer: place.signer(0),
  storage: 'storage',
  router: 'router',
};
const entry = { by: 'qc', qc: root } as const;
const LEAVING = { height: height(0), updates: [updateOf(place, 0, 0n)] };

const found = (tag: number, recordVersion = 0): Extract<StorageReply, { type: 'recovery.found' }> => ({
  type: 'recovery.found',
  tag,
  recovered: {
    record: emptyRecord(root),
    recordVersion,
    blocks: [],
    executed: GENESIS_EXECUTED,
    updates: [],
  },
});
const failed = (tag: number, code: 'IO' | 'CORRUPT' | 'VERSION_CONFLICT' = 'IO') =>
  ({ type: 'storage.failed', tag, request: 'record.persistRequested', code, detail: 'x' }) as const;
const voteFor = (inRound: number): VoteRequested => {
  const block = blockOn(place, root, inRound, { time: 2_000_000 + inRound });
  const sendTo = [leaderAt(epoch, round(inRound + 1))];
  return { type: 'vote.requested', replyTo: 'round', block, blockId: idOf(place, block), entry, sendTo };
};
const timeoutOf = (inRound: number, tick = 1): TimeoutRequested => ({
  type: 'timeout.requested',
  replyTo: 'view-change',
  round: round(inRound),
  highQC: root,
  reason: 'LeaderTimeout',
  height: height(0),
  tick,
});
const ownProposal = (): ProposalRequested => {
  const leader = leaderAt(epoch, round(1));
  const block = blockOn(place, root, 1);
  return { type: 'proposal.requested', replyTo: 'round', block, blockId: idOf(place, block), entry, leader };
};

function ready() {
  const chart = reach.start(input);
  chart.send(found(1));
  return chart;
}

afterAll(() => expect(reach.missing()).toEqual([]));

describe('safety chart: one signature, durable before it leaves (CS-3)', () => {
  it('sends a vote only inside the request that makes its record durable', () => {
    const chart = ready();
    const effects = chart.send(voteFor(1));
    expect(toldTo(effects, 'router')).toEqual([]);
    expect(toldTo(effects, 'round')).toEqual([]);
    expect(toldTo(effects, 'storage')).toMatchObject([
      {
        type: 'record.persistRequested',
        tag: 2,
        expectedVersion: 0,
        record: { lastVotedRound: 1 },
        thenSend: [{}],
      },
    ]);
    expect(chart.snapshot.value).toBe('persisting');
    const done = chart.send({ type: 'record.persisted', tag: 2, version: 1 });
    expect(toldTo(done, 'round')).toMatchObject([{ type: 'vote.cast' }]);
    expect(chart.snapshot.value).toBe('ready');
  });

  it('postpones every request while one is on its way to the disk, and while the record is read', () => {
    for (const chart of [reach.start(input), failedRecovery(), busy()]) {
      for (const request of [voteFor(2), timeoutOf(2), ownProposal()]) {
        expect(ofKind(chart.send(request), 'postpone')).toHaveLength(1);
      }
    }
  });

  it('refuses a second block in one round, and sends the identical vote again (CS-3)', () => {
    const chart = ready();
    chart.send(voteFor(1));
    chart.send({ type: 'record.persisted', tag: 2, version: 1 });
    const again = chart.send(voteFor(1));
    expect(toldTo(again, 'storage')).toEqual([]);
    expect(toldTo(again, 'router')).toHaveLength(1);
    const other = blockOn(place, root, 1, { time: 3_000_000 });
    const refused = chart.send({ ...voteFor(1), block: other });
    expect(toldTo(refused, 'round')).toMatchObject([{ type: 'vote.refused', code: 'ROUND_ALREADY_VOTED' }]);
  });

  it('reads its record again after a failed write: the write may have reached the disk', () => {
    const chart = busy();
    const effects = chart.send(failed(2));
    expect(toldTo(effects, 'round')).toMatchObject([{ type: 'vote.refused', code: 'STORAGE_FAILED' }]);
    expect(chart.snapshot.value).toBe('waiting');
    expect(toldTo(chart.elapse(500), 'storage')).toMatchObject([{ type: 'recovery.requested', tag: 3 }]);
    chart.send(found(2));
    expect(chart.snapshot.value).toBe('recovering');
    chart.send(found(3, 7));
    expect(toldTo(chart.send(voteFor(1)), 'storage')).toMatchObject([{ expectedVersion: 7 }]);
  });

  it('passes over the answer to an earlier request', () => {
    const chart = busy();
    chart.send({ type: 'record.persisted', tag: 1, version: 9 });
    chart.send(failed(1));
    expect(chart.snapshot.value).toBe('persisting');
  });
});

describe('safety chart: timeouts and proposals (CS-6, CS-9)', () => {
  it('re-sends a timeout unchanged but for its tick, without a write', () => {
    const chart = ready();
    chart.send(timeoutOf(1));
    expect(toldTo(chart.send({ type: 'record.persisted', tag: 2, version: 1 }), 'view-change')).toMatchObject(
      [{ type: 'timeout.sent', message: { tick: 1 } }],
    );
    const again = chart.send(timeoutOf(1, 2));
    expect(toldTo(again, 'storage')).toEqual([]);
    expect(toldTo(again, 'router')).toMatchObject([{ outgoing: [{ to: 'all', message: { tick: 2 } }] }]);
    expect(toldTo(chart.send(timeoutOf(0)), 'view-change')).toMatchObject([{ type: 'timeout.refused' }]);
  });

  it('signs its own block once', () => {
    const own = { ...input, signer: place.signer(place.indexOf(leaderAt(epoch, round(1)))) };
    const chart = reach.start(own);
    chart.send(found(1));
    expect(toldTo(chart.send(ownProposal()), 'storage')).toHaveLength(1);
    expect(toldTo(chart.send({ type: 'record.persisted', tag: 2, version: 1 }), 'round')).toMatchObject([
      { type: 'proposal.sent' },
    ]);
    expect(toldTo(chart.send(ownProposal()), 'router')).toHaveLength(1);
    const other = blockOn(place, root, 1, { time: 3_000_000 });
    expect(toldTo(chart.send({ ...ownProposal(), block: other }), 'round')).toMatchObject([
      { type: 'proposal.refused', code: 'ROUND_ALREADY_VOTED' },
    ]);
  });
});

describe('safety chart: several consensus keys (CS-16)', () => {
  it('signs with the one that the set of the epoch names, and with no other', () => {
    const asked: Uint8Array[] = [];
    const { sign: signed } = place.signer(0);
    const sign = (message: Uint8Array, consensusKey: Uint8Array) => {
      asked.push(consensusKey);
      return signed(message);
    };
    const chart = reach.start({ ...input, signer: { ...input.signer, sign } });
    chart.send(found(1));
    chart.send(voteFor(1));
    const own = epoch.set.validators.find(({ address }) => address === input.signer.address);
    expect(asked).toEqual([own?.consensusKey]);
  });

  it('signs nothing where it has not got that one, and says so', () => {
    const chart = reach.start({ ...input, signer: { ...input.signer, sign: () => undefined } });
    chart.send(found(1));
    expect(toldTo(chart.send(voteFor(1)), 'round')).toMatchObject([
      { type: 'vote.refused', code: 'SIGNER_UNAVAILABLE' },
    ]);
    expect(chart.snapshot.value).toBe('ready');
  });
});

describe('safety chart: VRF proofs (CS-17)', () => {
  const proofOf = (inRound: number, replyTo?: string) =>
    ({
      type: 'proof.requested',
      epoch: epoch.epoch,
      round: round(inRound),
      ...(replyTo === undefined ? {} : { replyTo }),
    }) as const;
  const made = (inRound: number) => ({
    type: 'proof.made',
    round: inRound,
    proof: input.signer.prove(vrfInputOf(epoch.domain, epoch.epoch, round(inRound))),
  });

  it('makes one without a write, also while a signature is on its way to the disk', () => {
    const chart = ready();
    expect(toldTo(chart.send(proofOf(1, 'round')), 'round')).toEqual([made(1)]);
    chart.send(voteFor(1));
    expect(chart.snapshot.value).toBe('persisting');
    const effects = chart.send(proofOf(2, 'round'));
    expect(toldTo(effects, 'round')).toEqual([made(2)]);
    expect(toldTo(effects, 'storage')).toEqual([]);
    expect(chart.snapshot.value).toBe('persisting');
  });

  it('makes that of a round once, though it was asked for ahead', () => {
    let proofs = 0;
    const prove: typeof input.signer.prove = (alpha) => {
      proofs += 1;
      return input.signer.prove(alpha);
    };
    const chart = reach.start({ ...input, signer: { ...input.signer, prove } });
    chart.send(found(1));
    expect(chart.send(proofOf(7))).toEqual([]);
    expect(toldTo(chart.send(proofOf(7, 'round')), 'round')).toEqual([made(7)]);
    expect(proofs).toBe(1);
    expect(toldTo(chart.send(proofOf(8, 'round')), 'round')).toEqual([made(8)]);
    expect(proofs).toBe(2);
  });

  it('says that the signer is not there, and answers later what it cannot answer yet', () => {
    const absent = reach.start({ ...input, signer: { ...input.signer, prove: () => undefined } });
    absent.send(found(1));
    expect(toldTo(absent.send(proofOf(1, 'round')), 'round')).toMatchObject([
      { type: 'proof.refused', round: 1, code: 'SIGNER_UNAVAILABLE' },
    ]);
    const recovering = reach.start(input);
    expect(ofKind(recovering.send(proofOf(1, 'round')), 'postpone')).toHaveLength(1);
    recovering.send(failed(1));
    expect(recovering.snapshot.value).toBe('waiting');
    expect(ofKind(recovering.send(proofOf(1, 'round')), 'postpone')).toHaveLength(1);
  });

  it('makes none where it would sign nothing', () => {
    const halted = reach.start({ ...input, isForked: true });
    expect(toldTo(halted.send(proofOf(1, 'round')), 'round')).toMatchObject([
      { type: 'proof.refused', code: 'SAFETY_HALTED' },
    ]);
    expect(halted.send(proofOf(1))).toEqual([]);
  });
});

describe('safety chart: a node that is no validator (CS-19)', () => {
  const others = validatorSet(epoch.set.validators.filter(({ address }) => address !== input.signer.address));

  it('signs nothing that it is asked for, says why, and writes nothing', () => {
    if ('code' in others) throw new Error(others.code);
    let signatures = 0;
    const sign: typeof input.signer.sign = (message) => {
      signatures += 1;
      return input.signer.sign(message);
    };
    const chart = reach.start({
      ...input,
      epoch: { ...epoch, set: others },
      signer: { ...input.signer, sign },
    });
    chart.send(found(1));
    expect(chart.snapshot.value).toBe('following');
    const proof = { type: 'proof.requested', replyTo: 'round', epoch: epoch.epoch, round: round(1) } as const;
    const answers = [voteFor(1), ownProposal(), timeoutOf(1), proof].map((request) => {
      const effects = chart.send(request);
      expect([...toldTo(effects, 'storage'), ...toldTo(effects, 'router')]).toEqual([]);
      return [...toldTo(effects, 'round'), ...toldTo(effects, 'view-change')];
    });
    expect(answers.map(([answer]) => answer)).toMatchObject([
      { type: 'vote.refused', code: 'NOT_A_VALIDATOR' },
      { type: 'proposal.refused', code: 'NOT_A_VALIDATOR' },
      { type: 'timeout.refused', code: 'NOT_A_VALIDATOR' },
      { type: 'proof.refused', code: 'NOT_A_VALIDATOR' },
    ]);
    expect(signatures).toBe(0);
  });
});

describe('safety chart: another epoch begins (CS-16)', () => {
  const ending = endingIn(place, [1, 2], { end: 0 });
  const second = worldIn(place, ending.change);
  const began = { type: 'epoch.began', epoch: second.epoch } as const;
  /** What is durable once the epoch has ended. */
  const secondFound = (tag: number, recordVersion = 1, record = emptyRecord(second.epoch.rootQC)) => {
    const { recovered } = found(tag, recordVersion);
    return { ...found(tag), recovered: { ...recovered, record, recordVersion, change: ending.change } };
  };
  const voteIn = (where: typeof place, inRound: number): VoteRequested => {
    const block = blockOn(where, where.epoch.rootQC, inRound);
    return { ...voteFor(inRound), block, blockId: idOf(where, block) };
  };

  it('reads its record again wherever it stands, and votes in the next epoch from round 1 on', () => {
    const charts = [ready(), reach.start(input), failedRecovery(), busy()];
    for (const chart of charts) {
      const asked = toldTo(chart.send(began), 'storage').at(-1);
      expect(chart.snapshot.value).toBe('recovering');
      const { tag } = chart.snapshot.context;
      expect(asked).toMatchObject({ type: 'recovery.requested', tag });
      chart.send(secondFound(tag));
      expect(chart.snapshot.value).toBe('ready');
      const effects = chart.send(voteIn(second, 1));
      expect(toldTo(effects, 'storage')).toMatchObject([
        { expectedVersion: 1, record: { epoch: 1, lastVotedRound: 1 } },
      ]);
    }
  });

  it('never signs for the epoch that has ended, though the round is free', () => {
    const chart = ready();
    chart.send(began);
    chart.send(secondFound(chart.snapshot.context.tag));
    const effects = [...chart.send(voteIn(place, 7)), ...chart.send(timeoutOf(7))];
    expect(toldTo(effects, 'round')).toMatchObject([{ type: 'vote.refused', code: 'WRONG_EPOCH' }]);
    expect(toldTo(effects, 'view-change')).toMatchObject([{ type: 'timeout.refused', code: 'WRONG_EPOCH' }]);
    expect([...toldTo(effects, 'storage'), ...toldTo(effects, 'router')]).toEqual([]);
  });

  it('answers no to what is on its way to the disk, and passes over what becomes of it', () => {
    const chart = busy();
    const effects = chart.send(began);
    expect(toldTo(effects, 'round')).toMatchObject([{ type: 'vote.refused', code: 'STORAGE_FAILED' }]);
    expect(chart.send({ type: 'record.persisted', tag: 2, version: 1 })).toEqual([]);
    expect(chart.snapshot.context.record?.lastVotedRound).toBe(0);
    chart.send(secondFound(3, 2));
    expect(toldTo(chart.send(voteIn(second, 1)), 'storage')).toMatchObject([{ expectedVersion: 2 }]);
  });

  it('takes nothing from being told again, which a round-manager does that starts anew', () => {
    const chart = reach.start(input);
    chart.send(secondFound(1));
    const before = chart.snapshot;
    expect([...chart.send(began), ...chart.send({ ...began, epoch })]).toEqual([]);
    expect(chart.snapshot).toBe(before);
  });

  it('goes from following to voting and back, as the set of the epoch has it (CS-19)', () => {
    const left = worldIn(place, endingIn(place, [1, 2], { end: 0, updates: [LEAVING] }).change);
    const chart = ready();
    chart.send({ ...began, epoch: left.epoch });
    const gone = endingIn(place, [1, 2], { end: 0, updates: [LEAVING] }).change;
    const { tag } = chart.snapshot.context;
    chart.send({ ...secondFound(tag), recovered: { ...secondFound(tag).recovered, change: gone } });
    expect(chart.snapshot.value).toBe('following');
    expect(toldTo(chart.send(voteIn(place, 3)), 'round')).toMatchObject([{ code: 'NOT_A_VALIDATOR' }]);
    const back = { ...second.epoch, epoch: epochNumber(2) };
    chart.send({ ...began, epoch: back });
    expect(chart.snapshot.value).toBe('recovering');
    chart.send(secondFound(chart.snapshot.context.tag));
    expect(chart.snapshot.value).toBe('ready');
  });

  it('follows epoch by epoch with a record of a later one, signs nothing before it is there, and knows it then (ST-9)', () => {
    const kept = { ...emptyRecord({ ...root, epoch: epochNumber(1) }), lastVotedRound: round(4) };
    const chart = reach.start(input);
    const { recovered } = found(1);
    chart.send({ ...found(1), recovered: { ...recovered, record: kept } });
    expect(toldTo(chart.send(voteIn(place, 7)), 'round')).toMatchObject([{ code: 'WRONG_EPOCH' }]);
    chart.send(began);
    expect(chart.snapshot.value).toBe('recovering');
    chart.send(secondFound(2, 0, kept));
    expect(chart.snapshot.context.epoch.epoch).toBe(1);
    expect(toldTo(chart.send(voteIn(second, 1)), 'round')).toMatchObject([{ code: 'ROUND_ALREADY_VOTED' }]);
  });
});

describe('safety chart: halted', () => {
  it('stays so in every epoch that follows (CS-16)', () => {
    const chart = reach.start({ ...input, isForked: true });
    const later = { ...epoch, epoch: epochNumber(1) };
    expect(chart.send({ type: 'epoch.began', epoch: later })).toEqual([]);
    expect(chart.snapshot.value).toBe('halted');
  });

  it('never signs on a damaged record', () => {
    const chart = reach.start(input);
    chart.send(failed(1, 'CORRUPT'));
    expect(chart.snapshot.value).toBe('halted');
    const writing = busy();
    expect(toldTo(writing.send(failed(2, 'CORRUPT')), 'round')).toHaveLength(1);
    expect(writing.snapshot.value).toBe('halted');
  });

  it('signs nothing from the start where a fork was proved in an earlier life (SY-5)', () => {
    const chart = reach.start({ ...input, isForked: true });
    expect(chart.snapshot.value).toBe('halted');
    chart.send(found(1));
    expect(toldTo(chart.send(voteFor(1)), 'round')).toMatchObject([{ code: 'SAFETY_HALTED' }]);
  });

  it('answers every request with a refusal once safety was violated, also the one on its way (CS-3)', () => {
    const chart = busy();
    const effects = chart.send({ type: 'safety.violated', detail: 'x' });
    expect(toldTo(effects, 'round')).toMatchObject([{ type: 'vote.refused' }]);
    for (const request of [voteFor(2), ownProposal()]) {
      expect(toldTo(chart.send(request), 'round')).toMatchObject([{ code: 'SAFETY_HALTED' }]);
    }
    expect(toldTo(chart.send(timeoutOf(2)), 'view-change')).toMatchObject([{ code: 'SAFETY_HALTED' }]);
  });
});

function busy() {
  const chart = ready();
  chart.send(voteFor(1));
  return chart;
}

function failedRecovery() {
  const chart = reach.start(input);
  chart.send(failed(1));
  return chart;
}
