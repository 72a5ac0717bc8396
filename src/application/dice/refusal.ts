/** Why something is refused: a code, words for the player, and what could still make it right. Data. docs/dice.md. */

/** Codes of the codespace `dice`. */
export const CODES = {
  UNKNOWN_PATH: 1,
  MALFORMED: 2,
  BAD_SIGNATURE: 3,
  BAD_NONCE: 4,
  TOO_LATE: 5,
  NOT_REGISTERED: 6,
  ALREADY_REGISTERED: 7,
  BAD_NAME: 8,
  HOUSE_EMPTY: 9,
  NO_TABLE: 10,
  TABLES_FULL: 11,
  TABLE_FULL: 12,
  BAD_STAKE: 13,
  BAD_TABLE: 14,
  SEATED_ALREADY: 15,
  NOT_SEATED: 16,
  NOT_NOW: 17,
  WRONG_ROUND: 18,
  WRONG_SECRET: 19,
  TOO_LONG: 20,
} as const;

/**
 * `own`: an operation of the same player before it. `others`: what others do, or a height that comes. So the mempool refuses
 * for good what is refused until `never`, and until `own` when nothing of the player can come before it (DC-2).
 */
export type Until = 'never' | 'own' | 'others';

export interface Refusal {
  readonly refused: keyof typeof CODES;
  /** For the player to read. */
  readonly log: string;
  readonly until: Until;
}

export const refuse = (refused: Refusal['refused'], log: string, until: Until = 'never'): Refusal => ({
  refused,
  log,
  until,
});
