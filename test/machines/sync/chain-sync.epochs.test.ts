/** Full re-sync, and the join by a snapshot, of a chain that has ended epochs: the walk, liars in it, each epoch by its own validators. SY-9, SY-10, CS-16. */
import { afterAll, describe, expect, it } from 'vitest';
import { SNAPSHOTS_TRIED_MAX } from '../../../src/machines/sync/chain-sync.live.ts';
import type { EpochChange } from '../../../src/protocol/chain/types.ts';
import type { Recovered } from '../../../src/protocol/ports/storage.ts';
import { SYNC_DEFAULTS } from '../../../src/protocol/sync/config.ts';
import { present, world } from '../../protocol/consensus/fixture.ts';
import {
  honest,
  isOfEpochs,
  type MadeChain,
  newReach,
  newWorld,
  type PeerModel,
  Rig,
  type RigOptions,
  snapshotOf,
  stateAfter,
  WINDOW,
} from './chain-sync.rig.ts';
import { chainOfEpochs, type EpochsChain, encoded } from './epochs.ts';

const place = newWorld();
const reach = newReach();
/** Blocks of an epoch: fewer than the window, more than a walk of one answer has epochs. */
const LENGTH = 9;
const EPOCHS = 20;
/** In the middle of the last epoch. */
const TIP = LENGTH * (EPOCHS - 1) + 5;
const options = { setOf: () => place, stated: (at: number) => stateAfter(at - 2) };
const epochs = chainOfEpochs(place, EPOCHS, LENGTH, 0, options);
/** Rounds failed above the end of each epoch: what commits the last blocks is in no chain. */
const gapped = chainOfEpochs(place, 3, LENGTH, 2, options);
const foreign = chainOfEpochs(place, 3, LENGTH, 1, { ...options, stated: () => stateAfter(0) });

const upTo = ({ blocks, proofs }: EpochsChain, tip: number): MadeChain => ({
  blocks: blocks.slice(0, tip),
  proof: present(proofs[tip - 1], 'proof of the tip'),
  bytes: new Map(),
});
const chain = upTo(epochs, TIP);

const changesOf =
  ({ changes }: EpochsChain, known = changes.length) =>
  (from: number, limit: number): readonly EpochChange[] =>
    changes.slice(from, Math.min(known, from + limit));

const peerOf = (made = chain, of = epochs): PeerModel => ({
  chain: made,
  answers: honest(made),
  epochs: changesOf(of),
});
const offering = (at: number, made = chain, of = epochs): PeerModel => ({
  ...peerOf(made, of),
  consistentFor: 0,
  snapshot: snapshotOf(stateAfter(at)),
});
const rigOf = (peers: RigOptions['peers'], more: Partial<RigOptions> = {}): Rig =>
  new Rig(reach, place, { own: chain, peers, ...more });
const resynced = (peers: RigOptions['peers'], more: Partial<RigOptions> = {}): Rig => {
  const rig = rigOf(peers, more);
  rig.order();
  return rig.run(20_000);
};
const joined = (peers: RigOptions['peers'], more: Partial<RigOptions> = {}): Rig => {
  const rig = rigOf(peers, more);
  rig.join();
  return rig.run(20_000);
};
const ready = (tip = TIP) => ({ type: 'resync.ended', tag: 99, outcome: { status: 'ready', height: tip } });

/** What a start on the sealed chain finds. */
function sealed(rig: Rig): {
  readonly recovered: Recovered;
  readonly base: number;
  readonly ids: unknown[];
  readonly ends: number[];
} {
  const { disk } = present(rig.disk.sealed(), 'a sealed chain');
  disk.crash();
  const store = disk.open();
  const [recovered, tip] = [store.recover(), store.tip()];
  if (recovered.status === 'failed' || tip.status === 'failed') throw new Error('the store cannot be read');
  const changes = store.changes(place.epoch.epoch, EPOCHS);
  const held = store.blocksFrom(tip.value.base, 1_000, 1e9);
  store.close();
  const ids = held.status === 'found' ? held.value.blocks.map(({ id }) => id) : [];
  const ends = changes.status === 'found' ? changes.value.map(({ qc }) => qc.height) : [];
  return { recovered: recovered.value, base: tip.value.base, ids, ends };
}

const idsOf = ({ blocks }: MadeChain, from = 1) => blocks.slice(from - 1).map(({ qc }) => qc.blockId);
const endsBelow = ({ changes }: EpochsChain, tip: number) =>
  changes.map(({ qc }) => qc.height).filter((at) => at < tip);
const blamed = (rig: Rig, code: string) =>
  rig.judged.filter(({ verdict }) => verdict === code).map(({ peer }) => peer);

describe('a full re-sync of a chain that has ended epochs (SY-9, CS-16)', () => {
  it('judges each block by the validators of its epoch, and keeps how each ended', () => {
    const rig = resynced([peerOf(), peerOf(), peerOf()]);
    expect(rig.outcome).toEqual(ready());
    const { recovered, ids, ends } = sealed(rig);
    expect(ids).toEqual(idsOf(chain));
    expect(ends).toEqual(endsBelow(epochs, TIP));
    expect(recovered.change?.proof.next.epoch).toBe(EPOCHS - 1);
    // Nothing was signed on it: no copy of it may be taken for newer than what was (ST-10).
    expect([recovered.recordVersion, recovered.record.epoch]).toEqual([0, 0]);
    expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
    expect(rig.timers, 'no timer goes on').toEqual([]);
  });

  it('takes epochs whose last blocks were committed by what is in no chain', () => {
    const made = upTo(gapped, 2 * LENGTH + 3);
    const rig = resynced([peerOf(made, gapped), peerOf(made, gapped)]);
    expect(rig.outcome).toEqual(ready(2 * LENGTH + 3));
    const { ids, ends } = sealed(rig);
    expect(ids).toEqual(idsOf(made));
    expect(ends).toEqual([LENGTH, 2 * LENGTH]);
  });

  it('refuses another block where an epoch ended, and goes on with those who have the right one', () => {
    const other = upTo(foreign, 2 * LENGTH + 3);
    const made = upTo(gapped, 2 * LENGTH + 3);
    const liar: PeerModel = { ...peerOf(made, gapped), answers: honest(other) };
    const rig = resynced([liar, peerOf(made, gapped), peerOf(made, gapped)]);
    expect(rig.outcome).toEqual(ready(2 * LENGTH + 3));
    expect(sealed(rig).ids).toEqual(idsOf(made));
    for (const peer of blamed(rig, 'CONTRADICTS_COMMITTED')) expect(peer).toBe(rig.peer(0));
  });
});

describe('the walk to the epoch of the chain that is taken (CS-16)', () => {
  const [, second] = epochs.changes;
  const lies: readonly (readonly [string, PeerModel['epochs'], boolean])[] = [
    ['an epoch that is left out', (from, limit) => changesOf(epochs)(from + 1, limit), true],
    ['the end of an epoch before', () => epochs.changes.slice(0, 1), true],
    [
      'a proof of another chain',
      changesOf(chainOfEpochs(world([1n, 1n, 1n, 1n], 'another chain', place.bls), 3, 3)),
      true,
    ],
    [
      'other validators than the last block names',
      (from, limit) =>
        changesOf(epochs)(from, limit).map(({ qc, proof }) => ({
          qc,
          proof: {
            ...proof,
            next: {
              ...proof.next,
              seed: present(second, 'end').proof.next.seed,
              passedOver: [place.addressAt(0)],
            },
          },
        })),
      true,
    ],
    [
      'a certificate that does not hold',
      (from, limit) =>
        changesOf(epochs)(from, limit).map(({ qc, proof }) => ({
          qc: { ...qc, signature: new Uint8Array(96) },
          proof,
        })),
      true,
    ],
    ['more than it was asked for', (from) => changesOf(epochs)(from, 64), true],
    ['nothing', () => [], false],
    ['nothing after the third', changesOf(epochs, 3), false],
    ['nothing in time', () => 'silent', false],
  ];

  it.each(lies)('one tells of %s: the others are asked, and it comes to the end', (_, told, isLie) => {
    const liar: PeerModel = { ...peerOf(), epochs: present(told, 'a lie') };
    const rig = resynced([liar, peerOf(), peerOf()]);
    expect(rig.outcome).toEqual(ready());
    expect(rig.epochsAsked[0]?.peer).toBe(rig.peer(0));
    expect(blamed(rig, 'EPOCHS_FALSE')).toEqual(isLie ? [rig.peer(0)] : []);
    expect(sealed(rig).ends).toEqual(endsBelow(epochs, TIP));
  });

  it('asks again, after a pause, whom state-sync had no place for', () => {
    let asked = 0;
    const busy: PeerModel = {
      ...peerOf(),
      epochs: (from, limit) => {
        asked += 1;
        return asked < 3 ? 'busy' : changesOf(epochs)(from, limit);
      },
    };
    const rig = resynced([busy]);
    expect(rig.outcome).toEqual(ready());
    expect(new Set(rig.epochsAsked.map(({ peer }) => peer))).toEqual(new Set([rig.peer(0)]));
  });

  it('fails by name where nobody proves how an epoch ended', () => {
    const rig = resynced([{ ...peerOf(), epochs: changesOf(epochs, 3) }]);
    expect(rig.outcome).toMatchObject({
      outcome: {
        status: 'failed',
        error: { detail: expect.stringMatching(/nobody proves how epoch 3 ended/) },
      },
    });
  });

  it('fails by name where state-sync says nothing, and takes no answer that comes late', () => {
    const rig = rigOf([peerOf()], { silent: ['epochs.fetchRequested'] });
    rig.order();
    while (rig.step());
    const error = { code: 'Timeout', detail: 'too late' } as const;
    rig.send({ type: 'epochs.answered', tag: -1, changes: encoded(epochs.changes.slice(0, 1)) });
    rig.send({ type: 'fetch.failed', tag: -1, error, tried: [rig.peer(0)] });
    expect(rig.state).toBe('walking');
    rig.elapse(SYNC_DEFAULTS.peerQueryTimeout + 5_000);
    rig.send({
      type: 'epochs.answered',
      tag: rig.context.awaited,
      changes: encoded(epochs.changes.slice(0, 1)),
    });
    expect([rig.state, rig.outcome, rig.context.counts.late]).toMatchObject([
      'idle',
      { outcome: { status: 'failed', error: { detail: 'no answer from state-sync' } } },
      3,
    ]);
  });
});

describe('a join by a snapshot to a chain that has ended epochs (SY-10, CS-16)', () => {
  const END = LENGTH * (EPOCHS - 1);
  it.each([
    ['within the last epoch', END + 2],
    ['of the last block of an epoch', END],
    ['just above it', END + 1],
    ['of an earlier epoch', END - LENGTH - 3],
    ['whose chain stands on the last block of an epoch', END - 2 * LENGTH + WINDOW],
    ['whose chain stands just above it', END - 2 * LENGTH + WINDOW + 1],
    ['whose chain stands just below it', END - 2 * LENGTH + WINDOW - 1],
    ['so early that its chain begins at genesis', WINDOW],
  ])('by one %s: it knows how every epoch ended, and holds the blocks from the window on', (_, at) => {
    const rig = joined([offering(at), offering(at), offering(at)]);
    expect(rig.outcome).toEqual(ready());
    const { recovered, base, ids, ends } = sealed(rig);
    expect(base).toBe(Math.max(1, at - WINDOW + 1));
    expect(ids).toEqual(idsOf(chain, base));
    expect(ends).toEqual(endsBelow(epochs, TIP));
    expect(recovered.executed).toEqual(stateAfter(at));
    expect(recovered.recordVersion).toBe(0);
  });

  it('to a chain whose tip is the last block of an epoch', () => {
    const made = upTo(epochs, END);
    const rig = joined([offering(END - 4, made), offering(END - 4, made)]);
    expect(rig.outcome).toEqual(ready(END));
    expect(sealed(rig).recovered.change?.proof.next.epoch).toBe(EPOCHS - 2);
  });

  it('asks again where an epoch has just ended, and no tip has a proof that anybody may tell; not for ever', () => {
    let asked = 0;
    const silentUntil = (times: number): PeerModel => ({
      ...offering(END + 2),
      get describes() {
        asked += 1;
        return asked > times;
      },
    });
    expect(joined([silentUntil(5)]).outcome).toEqual(ready());
    asked = 0;
    const rig = joined([silentUntil(Number.POSITIVE_INFINITY)]);
    expect(asked).toBe(SNAPSHOTS_TRIED_MAX);
    expect(rig.outcome).toMatchObject({ outcome: { status: 'failed', error: { code: 'NoPeersAvailable' } } });
  });

  it('goes on walking where the chain has ended another epoch before the next snapshot is tried', () => {
    const early = upTo(epochs, END);
    let described = 0;
    const growing: PeerModel = {
      ...offering(END, early),
      get chain() {
        described += 1;
        return described > 4 ? chain : early;
      },
      answers: honest(chain),
    };
    const rig = joined([growing]);
    expect(rig.outcome).toEqual(ready());
    expect(sealed(rig).ends).toEqual(endsBelow(epochs, TIP));
  });

  it('a disk that fails while ends of epochs are written ends it, and nothing is left', () => {
    let syncs = 0;
    const rig = joined([offering(END + 2)], {
      faults: {
        onSync: () => {
          syncs += 1;
          return syncs === 1 ? 'IO' : 'ok';
        },
      },
    });
    expect(rig.outcome).toMatchObject({ outcome: { status: 'failed' } });
    expect(rig.disk.sealed()).toBeUndefined();
  });

  it('fails by name where the side store says nothing, and takes no answer that comes late', () => {
    const rig = rigOf([offering(END + 2)], { silent: ['side.passRequested'] });
    rig.join();
    while (rig.step());
    rig.send({ type: 'side.passed', tag: -1 });
    rig.send({ type: 'side.failed', tag: -1, code: 'IO', detail: 'too late' });
    expect(rig.state).toBe('passing');
    rig.elapse(300_000);
    while (rig.step());
    rig.send({ type: 'side.passed', tag: rig.context.awaited });
    expect([rig.state, rig.outcome]).toMatchObject([
      'idle',
      { outcome: { status: 'failed', error: { detail: 'no answer from the side store' } } },
    ]);
  });
});

afterAll(() => {
  expect(reach.missing().filter(isOfEpochs)).toEqual([]);
});
