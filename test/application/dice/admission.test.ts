/** What the mempool takes and what an operation costs that a block refuses. Rules DC-1 and DC-2. */
import { beforeEach, describe, expect, it } from 'vitest';
import { LIFETIME_HEIGHTS_MAX } from '../../../src/application/dice/limits.ts';
import type { Action } from '../../../src/application/dice/operation.ts';
import { CODES } from '../../../src/application/dice/refusal.ts';
import { Gambler, Game } from './game.ts';

const join = (table: number): Action => ({ kind: 'join', table, stake: 100 });
const leave = (table: number): Action => ({ kind: 'leave', table });

let game: Game;
let ada: Gambler;
let bob: Gambler;
beforeEach(() => {
  game = new Game({ patience_heights: 5, idle_heights: 20 });
  [ada, bob] = [new Gambler(game, 1).register('ada'), new Gambler(game, 2).register('bob')];
});

/** Both sit at table 1, of two seats. */
function seated(): void {
  ada.must({ kind: 'open', title: 'Corner', seats: 2, ante: 10, stake: 200 });
  bob.must(join(1));
}

const ahead = (player: Gambler, action: Action): number =>
  game.check(player.sign(action, { nonce: player.nonce() + 1 })).code;
const next = (player: Gambler, action: Action): number => game.check(player.sign(action)).code;

describe('an operation that a block refuses', () => {
  it('has spent its nonce and left nothing else, so that its bytes are good for one refusal (DC-2)', () => {
    const before = game.player(ada.key);
    const refused = ada.sign(join(9));
    expect(game.execute(refused).code).toBe(CODES.NO_TABLE);
    expect(game.player(ada.key)).toEqual({ ...before, nonce: before.nonce + 1 });
    expect(game.execute(refused).code).toBe(CODES.BAD_NONCE);
    expect(game.player(ada.key).nonce).toBe(before.nonce + 1);
  });

  it.each<[string, Action]>([
    ['another name', { kind: 'register', name: 'ada the second' }],
    ['a bad table', { kind: 'open', title: '', seats: 2, ante: 1, stake: 3 }],
    ['a seat that is not theirs', leave(1)],
    ['a round that is not played', { kind: 'commit', table: 1, round: 7, commitment: new Uint8Array(32) }],
  ])('has spent its nonce, when it asks for %s (DC-2)', (_, action) => {
    expect(ada.do(action).code).not.toBe(0);
    expect(ada.nonce()).toBe(2);
  });

  it('spends no nonce where its player did not sign it, has done it, or let it run out (DC-2)', () => {
    game.height = 50;
    const forged = ada.sign(join(9)).map((byte, at, { length }) => (at === length - 1 ? byte ^ 1 : byte));
    const cases: readonly (readonly [Uint8Array, number])[] = [
      [forged, CODES.BAD_SIGNATURE],
      [ada.sign(join(9), { genesisHash: '00'.repeat(32) }), CODES.BAD_SIGNATURE],
      [ada.sign(join(9), { nonce: 0 }), CODES.BAD_NONCE],
      [ada.sign(join(9), { nonce: 2 }), CODES.BAD_NONCE],
      [ada.sign(join(9), { lastHeight: 49 }), CODES.TOO_LATE],
      [ada.sign(join(9), { lastHeight: 51 + LIFETIME_HEIGHTS_MAX }), CODES.TOO_LONG],
    ];
    for (const [transaction, code] of cases) expect(game.execute(transaction).code).toBe(code);
    expect(ada.nonce()).toBe(1);
  });

  it('leaves no pair for a key that has no name: keys cost nothing (DC-2, DC-3)', () => {
    const pairs = game.state.pairs.size;
    const nobody = new Gambler(game, 9);
    for (const action of [join(9), { kind: 'register', name: '' } as const]) nobody.do(action);
    expect(game.state.pairs.size).toBe(pairs);
  });
});

describe('the mempool', () => {
  it('is told by what everybody can see, before a signature is looked at (DC-2)', () => {
    const forged = (given: { nonce?: number; lastHeight?: number }): number =>
      game.check(ada.sign(join(9), { ...given, genesisHash: '00'.repeat(32) })).code;
    expect(forged({ nonce: 0 })).toBe(CODES.BAD_NONCE);
    expect(forged({ lastHeight: 0 })).toBe(CODES.TOO_LATE);
    expect(forged({})).toBe(CODES.BAD_SIGNATURE);
  });

  it('takes no operation that has run out, nor one that could wait beyond the bound (DC-2)', () => {
    game.height = 50;
    const withLast = (lastHeight: number): number =>
      game.check(ada.sign({ kind: 'open', title: 'T', seats: 2, ante: 1, stake: 3 }, { lastHeight })).code;
    expect([49, 50, 50 + LIFETIME_HEIGHTS_MAX, 51 + LIFETIME_HEIGHTS_MAX].map(withLast)).toEqual([
      CODES.TOO_LATE,
      0,
      0,
      CODES.TOO_LONG,
    ]);
  });

  it('takes nothing for a table that has closed, whatever comes before it (DC-2)', () => {
    ada.must({ kind: 'open', title: 'Corner', seats: 2, ante: 10, stake: 200 }).must(leave(1));
    const commit: Action = { kind: 'commit', table: 1, round: 1, commitment: new Uint8Array(32) };
    const reveal: Action = { kind: 'reveal', table: 1, round: 1, secret: new Uint8Array(32) };
    for (const action of [join(1), leave(1), commit, reveal]) {
      expect([next(ada, action), ahead(ada, action)]).toEqual([CODES.NO_TABLE, CODES.NO_TABLE]);
    }
  });

  it('takes nothing from who does not sit there, unless sitting down may come before it (DC-2)', () => {
    ada.must({ kind: 'open', title: 'Corner', seats: 2, ante: 10, stake: 200 });
    expect([next(bob, leave(1)), ahead(bob, leave(1))]).toEqual([CODES.NOT_SEATED, 0]);
  });

  it('takes nothing for a round that is over (DC-2)', () => {
    seated();
    for (const player of [ada, bob]) player.commit();
    for (const player of [ada, bob]) player.reveal();
    const late: Action = { kind: 'commit', table: 1, round: 1, commitment: ada.commitment(1, 1) };
    expect([next(ada, late), ahead(ada, late)]).toEqual([CODES.WRONG_ROUND, CODES.WRONG_ROUND]);
    expect(next(ada, { ...late, round: 2 })).toBe(0);
  });

  it('takes one commitment and one reveal of a player in a round, and the right secret alone (DC-2)', () => {
    seated();
    const commit: Action = { kind: 'commit', table: 1, round: 1, commitment: ada.commitment(1, 1) };
    const reveal: Action = { kind: 'reveal', table: 1, round: 1, secret: ada.secret(1) };
    expect(next(ada, reveal)).toBe(CODES.NOT_NOW);
    expect(next(ada, commit)).toBe(0);
    ada.commit();
    expect(next(ada, commit)).toBe(CODES.NOT_NOW);
    // Another node may have seen already that all have committed.
    expect(next(ada, reveal)).toBe(0);
    expect(next(ada, { ...reveal, secret: new Uint8Array(32) })).toBe(CODES.WRONG_SECRET);
    bob.commit();
    expect(ahead(bob, { ...commit, commitment: bob.commitment(1, 1) })).toBe(CODES.NOT_NOW);
    ada.reveal();
    expect(next(ada, reveal)).toBe(CODES.NOT_NOW);
  });

  it('takes what others or time may still make right: another node may be further (DC-2)', () => {
    ada.must({ kind: 'open', title: 'Corner', seats: 2, ante: 10, stake: 200 });
    const commit: Action = { kind: 'commit', table: 1, round: 1, commitment: ada.commitment(1, 1) };
    expect([next(ada, commit), next(ada, { ...commit, round: 2 }), next(bob, join(2))]).toEqual([0, 0, 0]);
  });

  it.each<[string, Action, number]>([
    ['no name', { kind: 'open', title: '', seats: 2, ante: 1, stake: 3 }, CODES.BAD_NAME],
    ['one seat', { kind: 'open', title: 'T', seats: 1, ante: 1, stake: 3 }, CODES.BAD_TABLE],
    ['no ante', { kind: 'open', title: 'T', seats: 2, ante: 0, stake: 3 }, CODES.BAD_TABLE],
    ['too low a stake', { kind: 'open', title: 'T', seats: 2, ante: 1, stake: 2 }, CODES.BAD_STAKE],
  ])('takes no table with %s, whatever comes before it (DC-4)', (_, action, code) => {
    expect([next(ada, action), ahead(ada, action)]).toEqual([code, code]);
  });
});
