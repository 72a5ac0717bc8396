import { afterAll, describe, expect, it } from 'vitest';
import { blockSyncMachine } from '../../../src/machines/sync/block-sync.machine.ts';
import type { Address, CertifiedBlock } from '../../../src/protocol/chain/types.ts';
import type { PeerMessage } from '../../../src/protocol/consensus/types.ts';
import { blockOn, chainOf, height, qcOf, world } from '../../protocol/consensus/fixture.ts';
import { reachOf, toldTo } from '../reach.ts';

const place = world([1n, 1n, 1n, 1n, 1n]);
const [self, ...holders] = place.validators.map(({ address }) => address);
if (self === undefined) throw new Error('a set has validators');
const reach = reachOf(blockSyncMachine, 'block-sync');
const input = {
  epoch: place.epoch,
  self,
  bls: place.bls,
  storage: 'storage',
  router: 'router',
  roundManager: 'round-manager',
};
const { blocks, qcs } = chainOf(
  place,
  Array.from({ length: 40 }, (_, index) => index + 1),
);
const certified: readonly CertifiedBlock[] = blocks.flatMap((block, index) => {
  const qc = qcs[index];
  return qc === undefined ? [] : [{ block, qc }];
});

const wanted = (at: number, committed = 0) => {
  const target = certified[at - 1]?.qc;
  if (target === undefined) throw new Error(`no height ${at}`);
  return { type: 'blocks.wanted', target, committedHeight: height(committed), holders } as const;
};

function fetching(at: number) {
  const chart = reach.start(input);
  return { chart, effects: chart.send(wanted(at)) };
}

type Asked = { readonly to: Address; readonly message: Extract<PeerMessage, { requestId: number }> };

/** What was asked of whom, by the effects of a step. */
function asked(effects: Parameters<typeof toldTo>[0]): readonly Asked[] {
  return toldTo(effects, 'router').flatMap((message) => {
    const outgoing = 'outgoing' in message ? message['outgoing'] : undefined;
    if (!Array.isArray(outgoing)) return [];
    return outgoing.map(({ to, message: sent }) => ({ to: to[0], message: sent }));
  });
}

const only = (effects: Parameters<typeof toldTo>[0]): Asked => {
  const [first] = asked(effects);
  if (first === undefined) throw new Error('nothing was asked');
  return first;
};

const answer = ({ to, message }: Asked, from: number, to_: number, by: Address = to) =>
  ({
    type: 'message.received',
    from: by,
    message: {
      kind: 'Blocks',
      requestId: message.requestId,
      blocks: certified.slice(from - 1, to_),
      height: height(40),
    },
  }) as const;

afterAll(() => expect(reach.missing()).toEqual([]));

describe('block-sync chart: fetching (CS-12)', () => {
  it('asks for a near target with its ancestors, and hands proven blocks to round-manager', () => {
    const { chart, effects } = fetching(3);
    const request = only(effects);
    expect(request.message).toMatchObject({ kind: 'GetBlock', ancestors: 2 });
    const got = chart.send(answer(request, 1, 3));
    expect(toldTo(got, 'round-manager')).toMatchObject([{ type: 'blocks.fetched', blocks: { length: 3 } }]);
    expect(chart.snapshot.value).toBe('idle');
  });

  it('fetches a far target in pieces of 32 by height', () => {
    const { chart, effects } = fetching(40);
    const request = only(effects);
    expect(request.message).toMatchObject({ kind: 'GetBlocks', from: 1, limit: 32 });
    const next = only(chart.send(answer(request, 1, 32)));
    expect(next.message).toMatchObject({ kind: 'GetBlock', ancestors: 7 });
    chart.send(answer(next, 33, 40));
    expect(chart.snapshot.value).toBe('idle');
  });

  it('asks every holder in turn when none answers, with an even number of them too', () => {
    const { chart, effects } = fetching(3);
    const turns = [only(effects).to];
    for (const wait of [300, 600, 1_200]) turns.push(only(chart.elapse(wait)).to);
    chart.elapse(2_400);
    chart.elapse(4_000);
    chart.elapse(4_000);
    expect(new Set(turns)).toEqual(new Set(holders));
  });

  it('asks nobody while no holder is known, and the new ones when they are', () => {
    const chart = reach.start(input);
    expect(asked(chart.send({ ...wanted(3), holders: [] }))).toEqual([]);
    expect(asked(chart.elapse(300))).toEqual([]);
    chart.send(wanted(5));
    expect(only(chart.elapse(600)).message).toMatchObject({ kind: 'GetBlock', ancestors: 4 });
  });

  it('asks a holder that it can reach, and another as soon as that one is gone', () => {
    const [, , third, fourth] = holders;
    const chart = reach.start(input);
    for (const peer of [third, fourth]) chart.send({ type: 'peer.connected', peer: peer ?? self });
    const first = only(chart.send(wanted(3)));
    expect([third, fourth]).toContain(first.to);
    const second = only(chart.send({ type: 'peer.disconnected', peer: first.to }));
    expect([third, fourth].filter((one) => one !== first.to)).toEqual([second.to]);
    expect(asked(chart.send({ type: 'peer.disconnected', peer: second.to }))).toEqual([]);
    expect(only(chart.send({ type: 'peer.connected', peer: first.to })).to).toBe(first.to);
  });

  it('asks the others too when all that it can reach were asked in vain: it may not have heard of them', () => {
    const [first] = holders;
    if (first === undefined) throw new Error('there is a holder');
    const chart = reach.start(input);
    chart.send({ type: 'peer.connected', peer: first });
    const turns = [only(chart.send(wanted(3))).to];
    for (const wait of [300, 600, 1_200, 2_400, 4_000]) turns.push(only(chart.elapse(wait)).to);
    expect(turns[0]).toBe(first);
    expect(new Set(turns)).toEqual(new Set(holders));
    // Somebody comes: asked at once, before anybody else.
    const another = holders.find((holder) => holder !== first && holder !== turns.at(-1));
    if (another === undefined) throw new Error('there are several holders');
    chart.send({ type: 'peer.disconnected', peer: first });
    expect(only(chart.send({ type: 'peer.connected', peer: another })).to).toBe(another);
  });

  it('goes down from the target by its ancestors where nothing of them is committed', () => {
    const { chart, effects } = fetching(40);
    const up = only(effects);
    expect(up.message).toMatchObject({ kind: 'GetBlocks', from: 1 });
    chart.send(answer(up, 1, 0));
    const down = only(chart.elapse(100));
    expect(down.message).toMatchObject({ kind: 'GetBlock', id: certified[39]?.qc.blockId, ancestors: 31 });
    const half = chart.send(answer(down, 9, 40));
    expect(toldTo(half, 'round-manager')).toEqual([]);
    const rest = only(half);
    expect(rest.message).toMatchObject({ kind: 'GetBlock', id: certified[7]?.qc.blockId, ancestors: 7 });
    const joined = chart.send(answer(rest, 1, 8));
    expect(toldTo(joined, 'round-manager')).toMatchObject([
      { blocks: { length: 32, 0: certified[0] } },
      { blocks: { length: 8, 7: certified[39] } },
    ]);
    expect(chart.snapshot.value).toBe('idle');
  });

  it('keeps nothing on the way down that does not hang together with the target', () => {
    const { chart, effects } = fetching(40);
    chart.send(answer(only(effects), 1, 0));
    const down = only(chart.elapse(100));
    chart.send(answer(down, 5, 30));
    const up = only(chart.elapse(100));
    expect(up.message).toMatchObject({ kind: 'GetBlocks', from: 1 });
    expect(toldTo(chart.send(answer(up, 1, 32)), 'round-manager')).toHaveLength(1);
  });

  it('takes the answer to what it asked although the target has moved on since', () => {
    const { chart, effects } = fetching(3);
    const request = only(effects);
    chart.send({ ...wanted(5), holders: [...holders].reverse() });
    const got = chart.send(answer(request, 1, 3));
    expect(toldTo(got, 'round-manager')).toHaveLength(1);
    expect(only(got).message).toMatchObject({ kind: 'GetBlock', ancestors: 1 });
  });

  it('lets no holder send it back to blocks that it has', () => {
    const { chart, effects } = fetching(40);
    const second = only(chart.send(answer(only(effects), 1, 32)));
    expect(toldTo(chart.send(answer(second, 1, 2)), 'round-manager')).toEqual([]);
    expect(chart.snapshot.context.fetch?.from).toBe(33);
  });

  it('pauses after an answer that did not help, then asks another holder', () => {
    const { chart, effects } = fetching(3);
    const request = only(effects);
    expect(asked(chart.send(answer(request, 1, 0)))).toEqual([]);
    expect(chart.snapshot.value).toEqual({ fetching: 'pausing' });
    expect(only(chart.elapse(100)).to).not.toBe(request.to);
  });

  it('passes over answers of those whom it did not ask', () => {
    const { chart, effects } = fetching(3);
    const request = only(effects);
    const other = holders.find((holder) => holder !== request.to);
    for (const stranger of [self, other]) chart.send(answer(request, 1, 3, stranger));
    expect(chart.snapshot.value).toEqual({ fetching: 'awaiting' });
  });

  it('uses an answer that comes after its wait, as all do on a slow link', () => {
    const { chart, effects } = fetching(40);
    const request = only(effects);
    const second = only(chart.elapse(300));
    expect(second.to).not.toBe(request.to);
    const got = chart.send(answer(request, 1, 32));
    expect(toldTo(got, 'round-manager')).toMatchObject([{ blocks: { length: 32 } }]);
    expect(only(got).message).toMatchObject({ kind: 'GetBlock', ancestors: 7 });
  });

  it('asks nobody again for a late answer that brings nothing', () => {
    const { chart, effects } = fetching(3);
    const request = only(effects);
    chart.elapse(300);
    expect(asked(chart.send(answer(request, 1, 0)))).toEqual([]);
    expect(chart.snapshot.value).toEqual({ fetching: 'awaiting' });
  });

  it('blames a holder for gaps, for too many blocks, and for certificates that do not hold', () => {
    const other = blockOn(place, place.epoch.rootQC, 1, { time: 9_000_000 });
    const orphan = { block: other, qc: qcOf(place, other) };
    const [first, second] = certified;
    if (first === undefined || second === undefined) throw new Error('a chain has blocks');
    const swapped = { block: first.block, qc: second.qc };
    for (const [sent, code] of [
      [[orphan, second], 'BLOCKS_NOT_GAPLESS'],
      [[first, certified[2] ?? second], 'BLOCKS_NOT_GAPLESS'],
      [certified, 'BAD_BLOCKS'],
      [[swapped], 'VOTE_NOT_FOR_BLOCK'],
    ] as const) {
      const { chart, effects } = fetching(3);
      const event = answer(only(effects), 1, 3);
      const got = chart.send({ ...event, message: { ...event.message, blocks: sent } });
      expect(toldTo(got, 'router')).toMatchObject([{ type: 'peer.misbehaved', code }]);
      expect(toldTo(got, 'round-manager')).toEqual([]);
    }
  });

  it('does not start again for the target that it fetches already', () => {
    const { chart } = fetching(3);
    expect(chart.send(wanted(3))).toEqual([]);
    expect(chart.snapshot.context.requestId).toBe(1);
  });
});

describe('block-sync chart: serving', () => {
  const get = (from: number, requestId = 1) =>
    ({
      type: 'message.received',
      from: place.addressAt(from),
      message: { kind: 'GetBlocks', requestId, from: height(1), limit: 256 },
    }) as const;

  it('serves a bounded range out of storage, in both states', () => {
    const chart = reach.start(input);
    expect(toldTo(chart.send(get(1, 7)), 'storage')).toMatchObject([
      { type: 'blocks.requested', tag: 1, limit: 32 },
    ]);
    const found = { type: 'blocks.found', tag: 1, blocks: certified.slice(0, 1), height: height(1) } as const;
    expect(only(chart.send(found))).toMatchObject({
      to: place.addressAt(1),
      message: { kind: 'Blocks', requestId: 7 },
    });
    expect(chart.send(found)).toEqual([]);
    const [first] = certified;
    if (first === undefined) throw new Error('a chain has blocks');
    const message = { kind: 'GetBlock', requestId: 8, id: first.qc.blockId, ancestors: 64 } as const;
    const one = chart.send({ type: 'message.received', from: place.addressAt(2), message });
    expect(toldTo(one, 'storage')).toMatchObject([{ type: 'block.requested', ancestors: 31 }]);
  });

  it('keeps room for the others when one peer asks without end', () => {
    const chart = reach.start(input);
    for (let requestId = 1; requestId <= 1_000; requestId += 1) chart.send(get(1, requestId));
    expect(chart.snapshot.context.serving.size).toBe(4);
    expect(toldTo(chart.send(get(2)), 'storage')).toHaveLength(1);
    expect(chart.snapshot.context.dropped).toBe(996);
    const gone = {
      type: 'storage.failed',
      tag: 1,
      request: 'blocks.requested',
      code: 'IO',
      detail: 'x',
    } as const;
    chart.send(gone);
    expect(chart.snapshot.context.serving.size).toBe(4);
  });
});
