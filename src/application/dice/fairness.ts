/**
 * Dice that nobody chose: everybody commits to a secret, then reveals it, and the dice follow from all secrets. Pure; the rules
 * throw with it, and the page throws again to check. Rules DC-5 and DC-6, docs/dice.md.
 */
import { hexToBytes } from '@noble/hashes/utils.js';
import { sha256 } from '../../crypto/hash-noble.ts';
import { DICE_EACH } from './limits.ts';
import { Writer } from './operation.ts';

/** Where a secret counts, and nowhere else. */
export interface RoundName {
  /** In hexadecimal. */
  readonly genesisHash: string;
  readonly table: number;
  readonly round: number;
}

export interface Reveal {
  readonly seat: number;
  readonly player: Uint8Array;
  readonly secret: Uint8Array;
}

/** DC-5: binds the secret to one player in one round, so that another's commitment is worth nothing to a copier. */
export function commitmentOf(name: RoundName, player: Uint8Array, secret: Uint8Array): Uint8Array {
  const writer = roundWriter('althing/dice/commitment/v2', name);
  writer.fixed(player);
  writer.fixed(secret);
  return sha256(writer.bytes());
}

/** DC-6: the dice of each reveal, in their order. `reveals` come by rising seat. */
export function diceOf(name: RoundName, reveals: readonly Reveal[]): readonly (readonly number[])[] {
  const writer = roundWriter('althing/dice/throw/v2', name);
  writer.number(reveals.length);
  for (const { seat, player, secret } of reveals) {
    writer.number(seat);
    writer.fixed(player);
    writer.fixed(secret);
  }
  const next = diceFrom(sha256(writer.bytes()));
  return reveals.map(() => Array.from({ length: DICE_EACH }, next));
}

/** Faces of one die after the other. A byte of 252 or more is thrown away: six goes into 252 without a rest. */
function diceFrom(seed: Uint8Array): () => number {
  let block = new Uint8Array();
  let used = 0;
  let blocks = 0;
  const byte = (): number => {
    if (used === block.byteLength) {
      const writer = new Writer();
      writer.fixed(seed);
      writer.number(blocks);
      block = new Uint8Array(sha256(writer.bytes()));
      blocks += 1;
      used = 0;
    }
    used += 1;
    return block[used - 1] ?? 0;
  };
  return () => {
    let drawn = byte();
    while (drawn >= 252) drawn = byte();
    return 1 + (drawn % 6);
  };
}

function roundWriter(domain: string, { genesisHash, table, round }: RoundName): Writer {
  const writer = new Writer();
  writer.text(domain);
  writer.fixed(hexToBytes(genesisHash));
  writer.number(table);
  writer.number(round);
  return writer;
}
