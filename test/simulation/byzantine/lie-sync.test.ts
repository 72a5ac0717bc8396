/** Every way to serve badly says something else than the truth, in messages that the codec carries. Rules SM-3, SY-3 to SY-8. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/actors/runtime/index.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import type { PeerMessage } from '../../../src/protocol/consensus/types.ts';
import type { SyncAnswer } from '../../../src/protocol/sync/messages.ts';
import { createLiar } from '../../../src/simulation/byzantine/index.ts';
import { SYNC_WAY_NAMES, SYNC_WAYS, type SyncWay } from '../../../src/simulation/byzantine/lie-sync.ts';
import { encode } from '../../../src/transport/codec/codec.ts';
import { world } from '../../protocol/consensus/fixture.ts';
import { MESSAGES } from '../../transport/codec/arbitraries.ts';
import { chainOf } from '../../transport/support/blocks.ts';

const LIAR = 3;
const { epoch, bls, signer } = world();
const to = '11'.repeat(20) as Address;
const from = epoch.set.validators[LIAR]?.address ?? to;
const { blocks } = chainOf({ blocks: 5, validators: 4, batches: 1, batchBytes: 50, from: 100 });
/** One in so many further ways is drawn besides: never here. */
const FURTHER = 8;

const text = (value: unknown): string =>
  JSON.stringify(value, (_, field) =>
    field instanceof Uint8Array ? Buffer.from(field).toString('hex') : field,
  );

function truths(kind: SyncAnswer['kind']): readonly PeerMessage[] {
  return fc.sample<PeerMessage>(MESSAGES[kind], { numRuns: 20, seed: 7 }).map((message, index) => {
    const height = 'height' in message ? { height: 5_000 + index } : {};
    const list = message.kind === 'Blocks' ? { blocks, batches: [new Uint8Array([index, 1])] } : {};
    return { ...message, requestId: 1_000 * index, ...height, ...list } as PeerMessage;
  });
}

function said(way: SyncWay, kind: SyncAnswer['kind']) {
  const draws = seededRandom('ways').stream(`${way} ${kind}`);
  const place = SYNC_WAY_NAMES.indexOf(way);
  const voice = createLiar(
    { validator: LIAR, lies: ['lie-sync'], rate: 1 },
    {
      signer: signer(LIAR),
      epoch,
      draws: {
        next: () => draws.next(),
        state: () => draws.state(),
        below: (bound) =>
          bound === SYNC_WAY_NAMES.length ? place : bound === FURTHER ? 1 : draws.below(bound),
      },
      aggregate: (signatures) => bls.aggregateSignatures(signatures),
    },
  );
  // What a trickle holds back leaves with its next answer of another kind.
  const held = way === 'trickle' && kind !== 'Blocks' ? truths('Blocks') : [];
  for (const message of held) voice.outgoing({ from, to, message });
  return truths(kind).map((message) => ({
    truth: message,
    lies: voice.outgoing({ from, to, message }).map((transit) => transit.message),
  }));
}

describe.each(SYNC_WAY_NAMES.filter((way) => way !== 'orphans'))('%s', (way) => {
  const kinds = (['Blocks', 'BlockHeight', 'GenesisHash', 'BlockHash', 'Chain'] as const).filter((kind) =>
    Object.hasOwn(SYNC_WAYS[way], kind),
  );

  it.each(kinds)('of %s', (kind) => {
    const all = said(way, kind);
    const isTrue = ({ truth, lies }: (typeof all)[number]): boolean =>
      lies.length === 1 && text(lies[0]) === text(truth);
    expect(all.filter((one) => !isTrue(one)).length).toBeGreaterThan(0);
    for (const lie of all.flatMap(({ lies }) => lies)) {
      expect(encode(lie)).toMatchObject({ outcome: 'encoded' });
    }
  });

  it('of nothing else', () => {
    const others = (['Blocks', 'BlockHeight', 'GenesisHash', 'BlockHash'] as const).filter(
      (kind) => !Object.hasOwn(SYNC_WAYS[way], kind),
    );
    for (const kind of others) {
      for (const { truth, lies } of said(way, kind)) expect(lies).toEqual([truth]);
    }
  });
});
