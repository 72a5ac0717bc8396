/** What a game of dice is bounded by, and what it costs to sit down. Pure; the page reads it too. Rules DC-4 to DC-9, docs/dice.md. */

/** @unit bytes of UTF-8 @source fits a line of a phone */
export const NAME_BYTES_MAX = 32;
/** @unit tables @source the list is read at every question: 64 × 0.5 KB */
export const TABLES_MAX = 64;
/** @unit seats */
export const SEATS_MIN = 2;
/** @unit seats @source with more, an ante would ask for a stake of more than 31 antes */
export const SEATS_MAX = 6;
/** Chips of one player in one round. @unit chips @source products of it and SEATS_MAX stay far below 2^53 */
export const ANTE_MAX = 1_000_000;
/** What one player throws. @unit dice */
export const DICE_EACH = 3;
/** The oldest one is written over. @unit rounds of a table */
export const ROUNDS_KEPT = 8;
/** Tables whose time is over and that one block deals with; the others wait for the next block. @unit tables */
export const TABLES_A_BLOCK_MAX = 8;
/** Operations of one player that may wait in a mempool. @unit operations */
export const NONCES_AHEAD_MAX = 16;
/**
 * From the block that executes an operation to its last height. @unit heights
 * @source EX-7: deduplication_heights of a genesis by default, which an operation's expiry may be ahead
 */
export const LIFETIME_HEIGHTS_MAX = 1_000;
/** Operations of which the signature is known to be right or wrong. @unit signatures @source as many as wait in a mempool by default; 0.4 KB each */
export const SIGNATURES_KEPT_MAX = 10_000;
/** @unit bytes @source the security of SHA-256 */
export const SECRET_BYTES = 32;

/** DC-7: an ante, and what refusing to reveal costs at worst: a full pot for each other player. */
export const stakeMinOf = (ante: number, seats: number): number => ante * (1 + seats * (seats - 1));

/**
 * DC-4: names are shown to people, so nothing invisible or direction-changing is in them. First and last code points of
 * ranges, and not Unicode properties: those differ between versions of the engine, and validators must agree.
 */
const UNSEEN: readonly (readonly [first: number, last: number])[] = [
  [0x00, 0x1f],
  [0x7f, 0xa0],
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x2000, 0x200f],
  [0x2028, 0x202f],
  [0x205f, 0x206f],
  [0x2800, 0x2800],
  [0x3000, 0x3000],
  [0x3164, 0x3164],
  [0xe000, 0xf8ff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xffff],
  [0xe0000, 0x10ffff],
];

/** Why a text is no name of a player or table; undefined: it is one. */
export function problemOfName(name: string): string | undefined {
  const bytes = new TextEncoder().encode(name).byteLength;
  if (bytes === 0) return 'a name has at least one letter';
  if (bytes > NAME_BYTES_MAX) return `the name takes ${bytes} bytes: at most ${NAME_BYTES_MAX} are allowed`;
  if ([...name].some(isUnseen))
    return 'the name holds an invisible letter: use visible ones and plain spaces';
  if (name.startsWith(' ') || name.endsWith(' ')) return 'the name begins or ends with a space: take it away';
  return undefined;
}

function isUnseen(letter: string): boolean {
  const point = letter.codePointAt(0) ?? 0;
  return UNSEEN.some(([first, last]) => point >= first && point <= last);
}
