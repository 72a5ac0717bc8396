import { afterAll, describe, expect, it } from 'vitest';
import { heraldMachine } from '../../../src/machines/sync/herald.machine.ts';
import { HERALD_PAUSE_MS } from '../../../src/machines/sync/herald.setup.ts';
import type { GuestsTellRequested } from '../../../src/protocol/ports/network.ts';
import { chainOf, epochNumber, present, world } from '../../protocol/consensus/fixture.ts';
import { reachOf, toldTo } from '../reach.ts';

const place = world();
const reach = reachOf(heraldMachine, 'herald');
const { blocks, qcs } = chainOf(place, [1, 2, 3, 4, 5, 6]);
/** Blocks by height, as round-manager tells of them: the certificate of each one's child proves its commit. */
const committed = (...heights: readonly number[]) =>
  ({
    type: 'blocks.committed',
    blocks: heights.map((at) => {
      const qc = present(qcs[at - 1], `QC ${at}`);
      const commitProof = present(qcs[at], `QC ${at + 1}`);
      return { block: present(blocks[at - 1], `block ${at}`), qc, id: qc.blockId, commitProof };
    }),
  }) as const;
const isTelling = (message: { readonly type: string }): message is GuestsTellRequested =>
  message.type === 'guests.tellRequested';
/** Rounds of the certificates that guests are told. */
const rounds = (effects: Parameters<typeof toldTo>[0]): unknown[] =>
  toldTo(effects, 'router')
    .filter(isTelling)
    .map(({ message }) => (message.kind === 'QC' ? message.qc.round : message.kind));

afterAll(() => expect(reach.missing()).toEqual([]));

describe('herald (SY-15)', () => {
  it('tells guests the proof of the newest commit at once', () => {
    const chart = reach.start({ router: 'router' });
    expect(rounds(chart.effects)).toEqual([]);
    expect(rounds(chart.send(committed(1, 2)))).toEqual([3]);
  });

  it('is silent for a pause, however many blocks come, then tells the newest alone', () => {
    const chart = reach.start({ router: 'router' });
    chart.send(committed(1));
    expect([2, 3, 4].flatMap((at) => rounds(chart.send(committed(at))))).toEqual([]);
    expect(rounds(chart.elapse(HERALD_PAUSE_MS))).toEqual([5]);
    expect(rounds(chart.elapse(HERALD_PAUSE_MS))).toEqual([]);
  });

  it('tells nothing twice, and nothing that is older than what it told', () => {
    const chart = reach.start({ router: 'router' });
    chart.send(committed(3));
    chart.elapse(HERALD_PAUSE_MS);
    expect([3, 2].flatMap((at) => rounds(chart.send(committed(at))))).toEqual([]);
    expect(rounds(chart.send(committed(4)))).toEqual([5]);
  });

  it('tells the first commit of an epoch, though its round is lower: rounds begin anew (CS-16)', () => {
    const chart = reach.start({ router: 'router' });
    chart.send(committed(4));
    chart.elapse(HERALD_PAUSE_MS);
    const {
      blocks: [first],
      type,
    } = committed(1);
    const { commitProof, ...block } = present(first, 'block');
    const next = { ...block, commitProof: { ...commitProof, epoch: epochNumber(1) } };
    expect(rounds(chart.send({ type, blocks: [next] }))).toEqual([2]);
  });
});
