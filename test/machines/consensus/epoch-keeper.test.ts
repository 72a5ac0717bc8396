import { afterAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { monotonic, wallTime } from '../../../src/base/units.ts';
import { epochKeeperMachine } from '../../../src/machines/consensus/epoch-keeper.machine.ts';
import type { Address, EpochChange } from '../../../src/protocol/chain/types.ts';
import { addressOf } from '../../../src/protocol/chain/validator-set.ts';
import type { EpochContext } from '../../../src/protocol/consensus/epoch.ts';
import { encodeEpochProof } from '../../../src/protocol/light/encoding.ts';
import { endingIn, worldIn } from '../../protocol/consensus/epoch-fixture.ts';
import { epochNumber, present, qcOf, world } from '../../protocol/consensus/fixture.ts';
import { reachOf, toldTo } from '../reach.ts';

const place = world();
const { epoch, addressAt } = place;
const ending = endingIn(place, [1, 2, 3], { end: 1 });
const { change } = ending;
const second = worldIn(place, change);
const laterEnding = endingIn(second, [1, 2], { end: 0 });
const third = worldIn(second, laterEnding.change);
const reach = reachOf(epochKeeperMachine, 'epoch-keeper');
const input = {
  epoch,
  self: addressAt(0),
  bls: place.bls,
  storage: 'storage',
  router: 'router',
  roundManager: 'round-manager',
  blockSync: 'block-sync',
};
const PEER = addressAt(1);
const at = (ms: number) => ({ now: monotonic(ms) });
const met = (inEpoch: number, from: Address = PEER) =>
  ({ type: 'epoch.met', from, epoch: epochNumber(inEpoch) }) as const;
const telling = ({ qc, proof }: EpochChange) =>
  ({ kind: 'EpochChange', qc, proof: encodeEpochProof(proof) }) as const;
const told = (one: EpochChange, from: Address = PEER) =>
  ({ type: 'message.received', from, message: telling(one) }) as const;
const asks = (inEpoch: number, from: Address = PEER) =>
  ({
    type: 'message.received',
    from,
    message: { kind: 'GetEpochChange', epoch: epochNumber(inEpoch) },
  }) as const;
const began = (one: EpochContext) => ({ type: 'epoch.began', epoch: one }) as const;
const read = (tag: number, ...changes: readonly EpochChange[]) =>
  ({ type: 'epochs.found', tag, changes }) as const;
const failed = (tag: number) =>
  ({ type: 'storage.failed', tag, request: 'epochs.requested', code: 'IO', detail: 'x' }) as const;
const sends = (to: 'all' | readonly Address[], message: unknown) => [
  { type: 'network.sendRequested', outgoing: [{ to, message }] },
];

/** In the second epoch, having told all how the first ended; that happened at 0 ms. */
function inSecond() {
  const chart = reach.start(input);
  chart.send(began(second.epoch), at(0));
  chart.send(read(1, change), at(0));
  return chart;
}

afterAll(() => expect(reach.missing()).toEqual([]));

describe('epoch-keeper chart: what it knows (CS-16)', () => {
  it('asks round-manager for the epoch when it starts', () => {
    expect(toldTo(reach.start(input).effects, 'round-manager')).toEqual([
      { type: 'epoch.requested', replyTo: 'epoch-keeper' },
    ]);
  });

  it('tells all how an epoch ended, once it has', () => {
    const chart = reach.start(input);
    expect(toldTo(chart.send(began(second.epoch)), 'storage')).toEqual([
      { type: 'epochs.requested', replyTo: 'epoch-keeper', tag: 1, from: 0, limit: 1 },
    ]);
    expect(toldTo(chart.send(read(1, change)), 'router')).toEqual(sends('all', telling(change)));
  });

  it('tells nobody anything when it learns at a start that several epochs went by', () => {
    const chart = reach.start(input);
    expect(chart.send(began(third.epoch))).toEqual([]);
    expect(chart.snapshot.context.epoch.epoch).toBe(2);
    expect(chart.send(began(second.epoch))).toEqual([]);
    expect(chart.snapshot.context.epoch.epoch).toBe(2);
  });
});

describe('epoch-keeper chart: a peer that is behind', () => {
  it('is told how its epoch ended, from memory, whether it asks or only speaks', () => {
    for (const message of [met(0), asks(0)]) {
      const effects = inSecond().send(message, at(1));
      expect(toldTo(effects, 'router')).toEqual(sends([PEER], telling(change)));
      expect(toldTo(effects, 'storage')).toEqual([]);
    }
  });

  it('is told one step after the other, of epochs that are read from the disk', () => {
    const chart = reach.start(input);
    chart.send(began(third.epoch));
    expect(toldTo(chart.send(asks(0), at(0)), 'storage')).toMatchObject([{ from: 0, limit: 1, tag: 2 }]);
    expect(toldTo(chart.send(read(2, change)), 'router')).toEqual(sends([PEER], telling(change)));
    expect(toldTo(chart.send(asks(1), at(250)), 'storage')).toMatchObject([{ from: 1, tag: 3 }]);
    expect(toldTo(chart.send(read(3, laterEnding.change)), 'router')).toMatchObject([
      { outgoing: [{ message: telling(laterEnding.change) }] },
    ]);
  });

  it('is told at most so often, and others beside it', () => {
    const chart = inSecond();
    const isTold = (from: Address, ms: number) => toldTo(chart.send(met(0, from), at(ms)), 'router').length;
    expect([
      isTold(PEER, 1_000),
      isTold(PEER, 1_249),
      isTold(addressAt(2), 1_249),
      isTold(PEER, 1_250),
    ]).toEqual([1, 0, 1, 1]);
  });

  it('waits no longer where storage fails or has nothing, and may ask again', () => {
    const chart = reach.start(input);
    chart.send(began(third.epoch));
    chart.send(asks(0), at(0));
    expect(chart.send(failed(2))).toEqual([]);
    chart.send(asks(0), at(500));
    expect(chart.send(read(3))).toEqual([]);
    expect(chart.snapshot.context.askers.size).toBe(0);
    expect(toldTo(chart.send(asks(0), at(1_000)), 'storage')).toMatchObject([{ tag: 4 }]);
  });

  it('is one of at most 64 that wait for the disk, and one of 1,024 that are remembered', () => {
    const chart = reach.start(input);
    chart.send(began(third.epoch));
    const peerOf = (index: number) => addressOf(utf8(`peer ${index}`));
    for (let index = 0; index < 64; index += 1) chart.send(asks(0, peerOf(index)), at(0));
    expect(chart.send(asks(0, peerOf(64)), at(0))).toEqual([]);
    expect(chart.snapshot.context.askers.size).toBe(64);
    const busy = inSecond();
    for (let index = 0; index < 1_030; index += 1) busy.send(met(0, peerOf(index)), at(0));
    expect(busy.snapshot.context.told.size).toBe(6);
  });

  it('is never this node itself, and is told nothing of an epoch that has not ended', () => {
    const chart = inSecond();
    expect(chart.send(met(0, input.self), at(1))).toEqual([]);
    expect([...chart.send(asks(1), at(1)), ...chart.send(asks(9), at(1))]).toEqual([]);
  });
});

describe('epoch-keeper chart: this node is behind', () => {
  it('asks whoever speaks in a later epoch how its own ended, at most so often', () => {
    const chart = reach.start(input);
    const asked = (ms: number, from = PEER) => toldTo(chart.send(met(7, from), at(ms)), 'router');
    expect(asked(0)).toEqual(sends([PEER], { kind: 'GetEpochChange', epoch: epoch.epoch }));
    expect([asked(249), asked(249, addressAt(2)), asked(250)].map(({ length }) => length)).toEqual([0, 1, 1]);
    expect(chart.send(met(0), at(900))).toEqual([]);
  });

  it('tells round-manager what is proven, once, and asks no more', () => {
    const chart = reach.start(input);
    expect(toldTo(chart.send(told(change)), 'round-manager')).toEqual([{ type: 'epoch.proven', change }]);
    const before = { ...place.bls.calls };
    expect([...chart.send(told(change, addressAt(2))), ...chart.send(met(7), at(1_000))]).toEqual([]);
    expect(place.bls.calls).toEqual(before);
  });

  it('tells it again to a round-manager that starts anew in the same epoch: that one has forgotten', () => {
    const chart = reach.start(input);
    expect(chart.send(began(epoch))).toEqual([]);
    chart.send(told(change));
    expect(toldTo(chart.send(began(epoch)), 'round-manager')).toEqual([{ type: 'epoch.proven', change }]);
  });

  it('takes the end of the next epoch once it is there, by the validators of that one', () => {
    const chart = reach.start(input);
    // Not before: it is nobody's fault, and cannot be judged.
    expect(chart.send(told(laterEnding.change))).toEqual([]);
    chart.send(told(change));
    chart.send(began(second.epoch));
    expect(chart.send(told(change))).toEqual([]);
    expect(toldTo(chart.send(told(laterEnding.change)), 'round-manager')).toHaveLength(1);
  });
});

describe('epoch-keeper chart: what a liar tells (CS-16)', () => {
  const { qc, proof } = change;
  const strangers = world([1n, 1n, 1n, 1n], 'strangers');
  const [link] = proof.last.path;
  const otherBlock = present(ending.qcs[0], 'QC');
  const forged: readonly (readonly [string, EpochChange])[] = [
    [
      'other validators than the last block names',
      { qc, proof: { ...proof, next: { ...proof.next, validators: strangers.epoch.set } } },
    ],
    ['another seed', { qc, proof: { ...proof, next: { ...proof.next, seed: epoch.hash } } }],
    ['a later epoch', { qc, proof: { ...proof, next: { ...proof.next, epoch: epochNumber(2) } } }],
    ['the certificate of another block', { qc: otherBlock, proof }],
    ['a certificate that nobody signed', { qc: { ...qc, signature: otherBlock.signature }, proof }],
    ['the root as the certificate', { qc: epoch.rootQC, proof }],
    [
      'a proof that nobody signed',
      {
        qc,
        proof: {
          ...proof,
          last: { ...proof.last, certificate: { ...proof.last.certificate, signature: qc.signature } },
        },
      },
    ],
    ['a header that does not end the epoch', { qc: otherBlock, proof: endingOf(0) }],
    ['a path of which a header is missing', { qc, proof: endingOf(1, 3) }],
    [
      'a last block whose header was changed',
      {
        qc,
        proof: {
          ...proof,
          last: {
            ...proof.last,
            path: [{ ...link, header: { ...link.header, time: wallTime(link.header.time + 1) } }],
          },
        },
      },
    ],
  ];

  it.each(forged)('is refused and blamed on its sender: %s', (_, one) => {
    const chart = reach.start(input);
    const effects = chart.send(told(one));
    expect(toldTo(effects, 'round-manager')).toEqual([]);
    expect(toldTo(effects, 'router')).toEqual([
      { type: 'peer.misbehaved', peer: PEER, code: 'EPOCH_CHANGE_FALSE' },
    ]);
    // The truth is taken from the next who tells it.
    expect(toldTo(chart.send(told(change, addressAt(2))), 'round-manager')).toHaveLength(1);
  });

  it('is read no further than it takes to know that it is false, and not at all where nobody needs it (TP-11)', () => {
    const bytes = encodeEpochProof(proof);
    const spoilt = bytes.map((byte, at) => (at < bytes.byteLength / 2 ? byte : 0xff));
    const junk = (of: EpochChange['qc'], given: Uint8Array) =>
      ({
        type: 'message.received',
        from: PEER,
        message: { kind: 'EpochChange', qc: of, proof: given },
      }) as const;
    const chart = reach.start(input);
    expect(chart.send(junk(laterEnding.change.qc, spoilt))).toEqual([]);
    const blames = [{ type: 'peer.misbehaved', peer: PEER, code: 'EPOCH_CHANGE_FALSE' }];
    const before = { ...place.bls.calls };
    for (const [of, given] of [
      [otherBlock, spoilt],
      [qc, new Uint8Array(9)],
    ] as const)
      expect(toldTo(chart.send(junk(of, given)), 'router')).toEqual(blames);
    expect(place.bls.calls).toEqual(before);
    expect(toldTo(chart.send(junk(qc, spoilt)), 'router')).toEqual(blames);
    chart.send(told(change));
    expect(chart.send(junk(qc, spoilt))).toEqual([]);
  });

  it('costs no pairing where statements alone give it away', () => {
    const chart = reach.start(input);
    const before = { ...place.bls.calls };
    chart.send(told({ qc: otherBlock, proof }));
    expect(place.bls.calls).toEqual(before);
  });

  it('leads through blocks above the end, whatever rounds failed there, and through no other', () => {
    const late = endingIn(place, [1, 2, 4, 6, 7], { end: 1 });
    const chart = reach.start(input);
    expect(toldTo(chart.send(told(late.change)), 'round-manager')).toHaveLength(1);
  });

  /** A proof that begins at one block of a chain and leaves out what is between it and its certificate. */
  function endingOf(first: number, by = 2) {
    const chain = endingIn(place, [1, 2, 3, 4], { end: 1 });
    const block = present(chain.blocks[first], 'block');
    const path = [{ header: block.header, parentRound: block.qc.round }] as const;
    return { last: { path, certificate: qcOf(place, present(chain.blocks[by], 'block')) }, next: proof.next };
  }
});
