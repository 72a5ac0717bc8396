/** Tier 2 among peers that lie: who is blamed, and that the target is reached all the same. Rules SY-3, SY-5, SY-8. */
import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import type { CertifiedBlock, QuorumCertificate } from '../../../src/protocol/chain/types.ts';
import { blockOn, height, present, qcOf } from '../../protocol/consensus/fixture.ts';
import { type Chain, everyRound, honest, longChain, type PeerModel, silent } from './block-sync.peers.ts';
import { newReach, Rig, type RigOptions } from './block-sync.rig.ts';

const reach = newReach();
const chain = longChain(everyRound(1_400));
const rigOf = (options: Partial<RigOptions> = {}) =>
  new Rig(reach, { chain, peers: [honest(chain), honest(chain), honest(chain)], ...options });
const queriesOf = (rig: Rig) => rig.fetches.map(({ request }) => request.query);
const spoiled = (qc: QuorumCertificate): QuorumCertificate => ({
  ...qc,
  signature: qc.signature.map((byte) => byte ^ 1),
});

/** Answers as `model` does, with the last block of each answer by height changed. */
const lastChanged =
  (model: PeerModel, change: (last: CertifiedBlock) => CertifiedBlock): PeerModel =>
  (query, now) => {
    const given = model(query, now);
    const last = given === 'silent' ? undefined : given.blocks.at(-1);
    if (given === 'silent' || last === undefined || query.by === 'id') return given;
    return { ...given, blocks: [...given.blocks.slice(0, -1), change(last)], batches: [] };
  };
const given = (answer: ReturnType<PeerModel>) => {
  if (answer === 'silent') throw new Error('it answers');
  return answer;
};
/** A certified block beside the one at its height: an orphan, of a round that commits nothing. */
function orphanBeside({ place }: Chain, { block }: CertifiedBlock): CertifiedBlock {
  const orphan = blockOn(place, block.qc, block.header.round + 10_000);
  return { block: orphan, qc: qcOf(place, orphan) };
}

describe('liars, and who is blamed (SY-8)', () => {
  const liars: readonly (readonly [string, PeerModel, string])[] = [
    [
      'a certificate that was not signed',
      lastChanged(honest(chain), ({ block, qc }) => ({ block, qc: spoiled(qc) })),
      'BLOCKS_NOT_CERTIFIED',
    ],
    [
      'a block of another height',
      lastChanged(honest(chain), () => present(chain.certified[1_300], 'b')),
      'BLOCKS_NOT_GAPLESS',
    ],
    [
      'the certificate of another block',
      lastChanged(honest(chain), ({ block }) => ({ block, qc: present(chain.certified[3], 'b').qc })),
      'CERTIFICATE_OF_ANOTHER_BLOCK',
    ],
    [
      'bytes that no block names',
      (query, now) => ({ ...given(honest(chain)(query, now)), batches: [Uint8Array.of(1)] }),
      'BATCH_NOT_NAMED',
    ],
    [
      'more blocks than were asked for',
      (query, now) =>
        given(honest(chain)(query.by === 'height' ? { ...query, limit: query.limit + 1 } : query, now)),
      'BAD_BLOCKS',
    ],
  ];

  it.each(liars)('asks another peer and blames whoever gave %s', (_, liar, code) => {
    const rig = rigOf({ peers: [liar, honest(chain)] });
    rig.catchUp(500);
    rig.settle(10_000);
    expect(rig.durable).toBe(500);
    expect(new Set(rig.blamed(0))).toEqual(new Set([code]));
    expect(rig.blamed(1)).toEqual([]);
    expect(rig.context.counts.blocksRejected).toBeGreaterThan(0);
    expect(rig.context.counts.batchesRetried).toBeGreaterThan(0);
  });

  it('blames whoever gives another block than the one that a proof commits, certified as it may be', () => {
    const liar = lastChanged(honest(chain), (last) => orphanBeside(chain, last));
    const rig = rigOf({ peers: [liar, honest(chain)] });
    rig.catchUp(100);
    rig.settle(5_000);
    expect(rig.blamed(0)).toEqual(['CONTRADICTS_COMMITTED']);
    expect(rig.durable).toBe(100);
  });

  it('is not stuck on an orphan at the end of a batch, and blames no honest peer for standing on another block (SY-5)', () => {
    const liar = lastChanged(honest(chain), (last) => orphanBeside(chain, last));
    const first: PeerModel = (query, now) =>
      query.by === 'height' && query.from === 1 ? liar(query, now) : 'silent';
    const rig = rigOf({
      peers: [first, honest(chain, 1_399, 60), honest(chain, 1_399, 60)],
      config: { blockFetchTimeout: millis(100) },
    });
    rig.catchUp(400);
    rig.settle(5_000);
    expect(rig.durable).toBe(400);
    // Both blocks of that height went to round-manager: CS-5 decides.
    expect(rig.heights.filter((one) => one === 128)).toHaveLength(2);
    expect(queriesOf(rig)).toContainEqual(expect.objectContaining({ by: 'id', id: chain.ids[127] }));
    expect([...rig.blamed(0), ...rig.blamed(1), ...rig.blamed(2)]).toEqual([]);
  });

  it('asks others for a batch that stands on what nobody has, and blames nobody', () => {
    // Above an orphan at 128 a liar builds on: certified, and its parent kept back.
    const low = orphanBeside(chain, present(chain.certified[127], 'b'));
    const block = blockOn(chain.place, low.qc, 30_000);
    const stray = { block, qc: qcOf(chain.place, block) };
    const liar: PeerModel = (query) =>
      query.by === 'height' && query.from === 129
        ? { blocks: [stray], batches: [], height: height(129), delay: 1 }
        : 'silent';
    const rig = rigOf({
      peers: [liar, honest(chain, 1_399, 200)],
      config: { blockFetchTimeout: millis(250) },
    });
    rig.want(1_300);
    rig.settle(60_000);
    expect(rig.root.height).toBe(1_299);
    expect(queriesOf(rig)).toContainEqual(expect.objectContaining({ by: 'id', id: low.qc.blockId }));
    expect(rig.blamed(1)).toEqual([]);
  });

  it('blames whoever builds on another block than the newest committed one', () => {
    const low = orphanBeside(chain, present(chain.certified[9], 'b'));
    const block = blockOn(chain.place, low.qc, 30_000);
    const liar: PeerModel = () => ({
      blocks: [{ block, qc: qcOf(chain.place, block) }],
      batches: [],
      height: height(1_000),
      delay: 1,
    });
    const rig = rigOf({ tip: 10, peers: [liar, honest(chain)] });
    rig.catchUp(100);
    rig.settle(5_000);
    expect(rig.durable).toBe(100);
    expect(rig.blamed(0)).toContain('CONTRADICTS_COMMITTED');
    expect(rig.blamed(1)).toEqual([]);
  });

  it('blames nobody for silence, for having less, or for bytes that did not fit', () => {
    const bare: PeerModel = (query, now) => ({ ...given(honest(chain, 60)(query, now)), batches: [] });
    const rig = rigOf({ peers: [silent, bare, honest(chain)] });
    rig.want(200);
    rig.settle(30_000);
    expect(rig.judged.filter(({ verdict }) => verdict !== 'good')).toEqual([]);
    expect(rig.root.height).toBe(199);
  });
});

describe('who was alone with a peer that spoils the certificates within its answers (SY-8)', () => {
  const length = 4_800;
  let round = 0;
  /** One of five never proposes: a round is skipped below each border of batches, so the newest certificate commits nothing. */
  const skipping = longChain(
    Array.from({ length }, (_, index) => {
      round += (index + 1) % 4 === 0 ? 2 : 1;
      return round;
    }),
    false,
  );
  const spoiling: PeerModel = (query, now) => {
    const whole = given(honest(skipping)(query, now));
    const blocks = whole.blocks.map(({ block, qc }, index) => ({
      block: { ...block, qc: spoiled(block.qc) },
      qc: index === whole.blocks.length - 1 ? qc : spoiled(qc),
    }));
    return { ...whole, blocks };
  };
  /** After `ms` with it alone, nothing is durable; from then on there are honest ones. */
  const alone = (ms: number): Rig => {
    const rig = new Rig(reach, { chain: skipping, peers: [spoiling, silent, silent] });
    const [, ...others] = rig.peers;
    for (const peer of others) rig.gone.add(peer);
    rig.catchUp(length - 2);
    rig.advance(ms);
    expect([rig.durable, rig.blamed(0)]).toEqual([0, []]);
    rig.models = [spoiling, honest(skipping), honest(skipping)];
    for (const peer of others) rig.gone.delete(peer);
    return rig;
  };

  it('gets the newest batch of others within some seconds: a proof in it commits all that was told', () => {
    const rig = alone(10_000);
    const before = rig.fetches.length;
    rig.settle(8_000);
    expect(rig.durable).toBe(length - 2);
    expect(rig.fetches[before]?.request).toMatchObject({
      query: { by: 'height', from: 3_969, limit: 128 },
      avoid: [rig.peers[0]],
    });
    // Nothing but that batch came twice.
    expect(rig.fetches.length - before).toBe(1 + Math.ceil((length - 2 - 4_096) / 128));
  });

  it('asks for it again after pauses that grow, and hears that it stands still: what comes twice is no advance (SY-11)', () => {
    const rig = new Rig(reach, { chain: skipping, peers: [spoiling] });
    rig.catchUp(length - 2);
    rig.advance(60_000);
    const again = rig.fetches.filter(
      ({ request: { query } }) => query.by === 'height' && query.from === 3_969,
    );
    const pauses = again.slice(1).map(({ at }, index) => at - (again[index]?.at ?? 0));
    expect(pauses.slice(0, 5).map((ms) => Math.round(ms / 500) * 500)).toEqual([
      500, 1_000, 2_000, 4_000, 4_000,
    ]);
    expect(again.length).toBeLessThan(20);
    rig.advance(30_000);
    expect(rig.ended.map(({ outcome }) => outcome.status)).toEqual(['failed']);
  });

  it('does so where consensus wants a block, and goes down by its id only when that is near', () => {
    const rig = new Rig(reach, { chain: skipping, peers: [spoiling, silent, silent] });
    for (const peer of rig.peers.slice(1)) rig.gone.add(peer);
    rig.want(length - 1);
    rig.advance(10_000);
    const starts = rig.fetches.map(({ request: { query } }) => (query.by === 'height' ? query.from : 0));
    expect(starts.filter((from) => from === 3_969).length).toBeGreaterThan(1);
    rig.models = [spoiling, honest(skipping), honest(skipping)];
    rig.gone.clear();
    rig.settle(8_000);
    expect(rig.root.height).toBeGreaterThan(length - 10);
  });
});
