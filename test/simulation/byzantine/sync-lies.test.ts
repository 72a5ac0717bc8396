/** What liars say about chains: other heights, tips, proofs, ids, snapshots, in messages that the codec carries. Rules SM-3, SY-3. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/actors/runtime/index.ts';
import { ORDINAL_MAX } from '../../../src/protocol/chain/ordinals.ts';
import type { Address, Height } from '../../../src/protocol/chain/types.ts';
import type { PeerMessage, PeerMessageKind } from '../../../src/protocol/consensus/types.ts';
import { SYNC_KINDS } from '../../../src/protocol/sync/messages.ts';
import { createLiar, LIES } from '../../../src/simulation/byzantine/index.ts';
import type { Letter } from '../../../src/simulation/byzantine/lie.ts';
import type { LieKind } from '../../../src/simulation/plan.ts';
import { encode } from '../../../src/transport/codec/codec.ts';
import { world } from '../../protocol/consensus/fixture.ts';
import { MESSAGES } from '../../transport/codec/arbitraries.ts';
import { chainOf } from '../../transport/support/blocks.ts';

const LIAR = 3;
const place = world();
const { epoch, bls } = place;
const to = '11'.repeat(20) as Address;
const from = epoch.set.validators[LIAR]?.address ?? to;
const signer = place.signer(LIAR);
const { blocks } = chainOf({ blocks: 3, validators: 4, batches: 1, batchBytes: 50, from: 100 });

/** Small numbers, as true ones are: a step to either side is a number too. */
const truths = <Kind extends PeerMessageKind>(kind: Kind): readonly PeerMessage[] =>
  fc.sample<PeerMessage>(MESSAGES[kind], { numRuns: 40, seed: 11 }).map(small);

function small(message: PeerMessage, index: number): PeerMessage {
  const numbers = { requestId: index, ...('height' in message ? { height: 5_000 + index } : {}) };
  const base = 'base' in message ? { base: 100 + index } : {};
  const start = 'from' in message ? { from: 100 + index } : {};
  const list = message.kind === 'Blocks' ? { blocks, batches: index % 2 === 0 ? [] : message.batches } : {};
  return { ...message, ...numbers, ...base, ...start, ...list } as PeerMessage;
}

function said(lie: LieKind, kind: PeerMessageKind, rate = 1) {
  const voice = createLiar(
    { validator: LIAR, lies: [lie], rate },
    {
      signer,
      epoch,
      draws: seededRandom('sync lies').stream(`${lie} ${kind}`),
      aggregate: (signatures) => bls.aggregateSignatures(signatures),
    },
  );
  return truths(kind).map((message) => {
    const letter: Letter = { from, to, message };
    return { truth: message, lies: voice.outgoing(letter).map((transit) => transit.message) };
  });
}

const same = (left: unknown, right: unknown): boolean => text(left) === text(right);
const text = (value: unknown): string =>
  JSON.stringify(value, (_, field) =>
    field instanceof Uint8Array ? Buffer.from(field).toString('hex') : field,
  );

describe.each(['mutate', 'lie-heights', 'flood'] as const)('%s', (lie) => {
  const concerned = SYNC_KINDS.filter((kind) => LIES[lie].concerns.includes(kind));

  it.each(concerned)('says of %s something else than the truth, and the codec carries it (SM-3)', (kind) => {
    const all = said(lie, kind);
    const lied = all.filter(({ truth, lies }) => lies.length !== 1 || !same(truth, lies[0]));
    expect(lied.length).toBeGreaterThan(kind === 'Snapshot' ? 15 : 25);
    for (const { lies } of all) {
      for (const message of lies)
        expect([message.kind, encode(message).outcome]).toEqual([message.kind, 'encoded']);
    }
  });

  it.each(concerned)('says of %s the truth at rate 0', (kind) => {
    for (const { truth, lies } of said(lie, kind, 0)) expect(lies).toEqual([truth]);
  });
});

describe('mutate', () => {
  it('concerns every message of sync', () => {
    expect(SYNC_KINDS.filter((kind) => !LIES.mutate.concerns.includes(kind))).toEqual([]);
  });

  it('says each part of a claim otherwise: base, height, tip, proof, or no proof at all (SY-3)', () => {
    const changed = new Set<string>();
    for (const { truth, lies } of said('mutate', 'BlockHeight')) {
      const [lie] = lies;
      if (truth.kind !== 'BlockHeight' || lie?.kind !== 'BlockHeight') throw new Error('another kind');
      for (const field of ['base', 'height', 'tipId', 'requestId'] as const) {
        if (truth[field] !== lie[field]) changed.add(field);
      }
      if (truth.proof !== undefined && lie.proof === undefined) changed.add('no proof');
      else if (!same(truth.proof, lie.proof)) changed.add('proof');
    }
    expect([...changed].sort()).toEqual(['base', 'height', 'no proof', 'proof', 'requestId', 'tipId']);
  });

  it('gives blocks in another order, without their first, under others’ certificates, and other batches (SY-8)', () => {
    const forms = new Set<string>();
    for (const { lies } of said('mutate', 'Blocks')) {
      const [lie] = lies;
      if (lie?.kind !== 'Blocks') throw new Error('another kind');
      if (lie.blocks.length < blocks.length) forms.add('shorter');
      else if (same(lie.blocks, blocks.toReversed())) forms.add('reversed');
      else if (!same(lie.blocks, blocks)) forms.add('certificates');
      else forms.add('other');
    }
    expect([...forms].sort()).toEqual(['certificates', 'other', 'reversed', 'shorter']);
  });
});

describe('lie-heights', () => {
  it('claims the whole of all heights without a proof, and a true proof under a false height (SY-3)', () => {
    const claims = said('lie-heights', 'BlockHeight').flatMap(({ truth, lies: [lie] }) => {
      if (truth.kind !== 'BlockHeight' || lie?.kind !== 'BlockHeight') return [];
      expect(truth.base === lie.base && truth.height === lie.height).toBe(false);
      return [{ truth, lie }];
    });
    expect(claims).toHaveLength(40);
    const all = claims.filter(({ lie }) => lie.base === 1 && lie.height === (ORDINAL_MAX as Height));
    expect(all.length).toBeGreaterThan(3);
    expect(all.every(({ lie }) => lie.proof === undefined)).toBe(true);
    const borrowed = claims.filter(
      ({ truth, lie }) =>
        lie.proof !== undefined && same(lie.proof, truth.proof) && lie.height !== truth.height,
    );
    expect(borrowed.length).toBeGreaterThan(2);
  });
});

describe('flood', () => {
  it('asks every question about chains, and gives every answer unasked', () => {
    const kinds = new Set(said('flood', 'BlockHeight').flatMap(({ lies }) => lies.map(({ kind }) => kind)));
    for (const kind of SYNC_KINDS) if (kind !== 'GetBlock') expect(kinds).toContain(kind);
  });
});
