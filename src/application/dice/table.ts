/** A table, its seats and its rounds, as they stand in the state and as queries tell them. Types only. docs/dice.md. */

/** All are JSON: keys, commitments and secrets in lower-case hexadecimal. */
export interface Player {
  readonly key: string;
  readonly name: string;
  /** Not on any table. */
  readonly chips: number;
  readonly nonce: number;
  /** Where the player sits; 0: nowhere. */
  readonly table: number;
}

/** What the player of a seat has done in this round. */
export type Part =
  /** Sat down later, or the round has not begun. */
  | { readonly kind: 'watching' }
  | { readonly kind: 'due' }
  | { readonly kind: 'committed'; readonly commitment: string }
  | { readonly kind: 'revealed'; readonly commitment: string; readonly secret: string }
  /** Did not commit in time. */
  | { readonly kind: 'absent' };

export interface Seat {
  /** 0 … seats of the table - 1. */
  readonly index: number;
  readonly key: string;
  readonly name: string;
  /** On this table, without what is in the pot. */
  readonly stake: number;
  readonly part: Part;
}

export interface Phase {
  readonly kind: 'open' | 'committing' | 'revealing';
  /** It ends with this block; in `open` the table closes then. */
  readonly lastHeight: number;
}

export interface Table {
  /** Never used again. */
  readonly id: number;
  readonly title: string;
  readonly seatsMax: number;
  readonly ante: number;
  /** The round that is played or comes next; the first is 1. */
  readonly round: number;
  readonly phase: Phase;
  readonly pot: number;
  /** By rising index. */
  readonly seats: readonly Seat[];
}

export interface PlayedSeat {
  readonly index: number;
  readonly key: string;
  readonly name: string;
  /** `refused`: committed, and did not reveal. */
  readonly part: 'revealed' | 'refused' | 'absent' | 'alone';
  /** Empty unless revealed. */
  readonly secret: string;
  readonly dice: readonly number[];
  readonly sum: number;
  readonly won: boolean;
  /** What the round brought this player; negative: cost. */
  readonly gain: number;
}

export interface PlayedRound {
  readonly table: number;
  readonly round: number;
  readonly height: number;
  readonly pot: number;
  readonly seats: readonly PlayedSeat[];
}

/** What the chain's genesis says about the game. */
export interface House {
  readonly chainId: string;
  /** What signatures, commitments and dice are bound to: no other chain has it. In lower-case hexadecimal. */
  readonly genesisHash: string;
  /** What a new player gets, once. @unit chips */
  readonly grant: number;
  /** Blocks that a phase waits for those who are late. @unit heights */
  readonly patienceHeights: number;
  /** Blocks after which a table where nothing happens closes. @unit heights */
  readonly idleHeights: number;
}
