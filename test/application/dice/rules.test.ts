import { beforeEach, describe, expect, it } from 'vitest';
import { diceOf } from '../../../src/application/dice/fairness.ts';
import type { Action } from '../../../src/application/dice/operation.ts';
import { CODES } from '../../../src/application/dice/refusal.ts';
import { Gambler, Game, GENESIS_HASH } from './game.ts';

/** A table of `seats`, ante 10, at which all of `names` sit with a stake of 400. */
function seated(names: readonly string[], seats = 3): { game: Game; players: readonly Gambler[] } {
  const game = new Game({ patience_heights: 5, idle_heights: 20 });
  const players = names.map((name, index) => new Gambler(game, index + 1).register(name));
  const [first, ...others] = players;
  first?.must({ kind: 'open', title: 'Corner', seats, ante: 10, stake: 400 });
  for (const player of others) player.must({ kind: 'join', table: 1, stake: 400 });
  return { game, players };
}

const stakes = (game: Game): Record<string, number> =>
  Object.fromEntries(game.table().table.seats.map(({ name, stake }) => [name, stake]));

const trio = (): { game: Game; ada: Gambler; bob: Gambler; eve: Gambler } => {
  const { game, players } = seated(['ada', 'bob', 'eve']);
  const [ada, bob, eve] = players;
  if (ada === undefined || bob === undefined || eve === undefined) throw new Error('there are three');
  return { game, ada, bob, eve };
};

describe('who may do what', () => {
  let game: Game;
  let ada: Gambler;
  beforeEach(() => {
    game = new Game();
    ada = new Gambler(game, 1);
  });
  const name: Action = { kind: 'register', name: 'ada' };

  it('a new key gets its chips from the house, once (DC-3)', () => {
    ada.register('ada');
    expect(ada.chips()).toBe(1_000);
    expect(game.lobby().house).toMatchObject({ chips: 9_999_000, players: 1 });
    expect(ada.do(name).code).toBe(CODES.ALREADY_REGISTERED);
    expect(ada.chips()).toBe(1_000);
  });

  it('welcomes nobody once the house is empty (DC-3)', () => {
    game = new Game({ house_chips: 2_500, grant_chips: 1_000 });
    for (const seed of [1, 2]) new Gambler(game, seed).register(`player ${seed}`);
    const third = new Gambler(game, 3);
    expect(third.do({ kind: 'register', name: 'late' }).code).toBe(CODES.HOUSE_EMPTY);
    expect(game.check(third.sign({ kind: 'register', name: 'late' })).code).toBe(CODES.HOUSE_EMPTY);
  });

  it('executes an operation once, and only in its turn (DC-2)', () => {
    const first = ada.sign(name);
    expect(game.execute(first).code).toBe(0);
    expect(game.execute(first).code).toBe(CODES.BAD_NONCE);
    const ahead = ada.sign({ kind: 'leave', table: 1 }, { nonce: 3 });
    expect(game.check(ahead).code).toBe(0);
    expect(game.execute(ahead).code).toBe(CODES.BAD_NONCE);
    expect(game.check(ada.sign({ kind: 'leave', table: 1 }, { nonce: 18 })).code).toBe(CODES.BAD_NONCE);
    expect(game.check(first).code).toBe(CODES.BAD_NONCE);
  });

  it('executes nothing after its last height (DC-2)', () => {
    game.height = 7;
    expect(game.execute(ada.sign(name, { lastHeight: 6 })).code).toBe(CODES.TOO_LATE);
    expect(game.execute(ada.sign(name, { lastHeight: 7 })).code).toBe(0);
  });

  it("refuses another's signature, another chain's, and any byte changed (DC-1)", () => {
    expect(game.execute(ada.sign(name, { genesisHash: '00'.repeat(32) })).code).toBe(CODES.BAD_SIGNATURE);
    const good = ada.sign(name);
    for (let at = 0; at < good.length; at += 1) {
      const changed = good.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(game.execute(changed).code).not.toBe(0);
    }
    expect(game.execute(good).code).toBe(0);
  });

  it('refuses bytes that are no operation, whatever their length (DC-1)', () => {
    const good = ada.sign(name);
    for (let length = 0; length < good.length; length += 1) {
      expect(game.check(good.subarray(0, length)).code).not.toBe(0);
    }
    expect(game.check(Uint8Array.of(...good, 0)).code).not.toBe(0);
    expect(game.check(new Uint8Array(100_000)).code).toBe(CODES.MALFORMED);
  });

  it('takes names that people can read, and no others (DC-4)', () => {
    const codeOf = (text: string) =>
      game.execute(new Gambler(game, 9).sign({ kind: 'register', name: text })).code;
    for (const bad of [
      '',
      ' ada',
      'ada ',
      'a\u0000',
      'a\u202eb',
      '\ufeffada',
      'a\u200bb',
      'a\u{e0041}',
      'x'.repeat(33),
      'é'.repeat(17),
    ]) {
      expect([bad, codeOf(bad)]).toEqual([bad, CODES.BAD_NAME]);
    }
    expect(codeOf('<b>Zoë</b> 🎲 & "co"')).toBe(0);
    expect(game.player(new Gambler(game, 9).key).name).toBe('<b>Zoë</b> 🎲 & "co"');
  });

  it('lets nobody but registered players do anything else (DC-3)', () => {
    const leave = ada.sign({ kind: 'leave', table: 1 });
    expect([game.check(leave).code, game.execute(leave).code]).toEqual([
      CODES.NOT_REGISTERED,
      CODES.NOT_REGISTERED,
    ]);
  });
});

describe('tables', () => {
  it('ask for the stake that a refusal may cost (DC-7)', () => {
    const game = new Game();
    const ada = new Gambler(game, 1).register('ada');
    const open = (seats: number, stake: number, ante = 10) =>
      ada.do({ kind: 'open', title: 'Corner', seats, ante, stake }).code;
    expect(open(3, 69)).toBe(CODES.BAD_STAKE);
    expect(open(3, 1_001)).toBe(CODES.BAD_STAKE);
    expect(open(1, 500)).toBe(CODES.BAD_TABLE);
    expect(open(7, 1_000)).toBe(CODES.BAD_TABLE);
    expect(open(2, 500, 0)).toBe(CODES.BAD_TABLE);
    expect(open(3, 70)).toBe(0);
    expect(open(3, 70)).toBe(CODES.SEATED_ALREADY);
    expect(ada.chips()).toBe(930);
  });

  it('have as many seats as they say, and players sit at one (DC-4)', () => {
    const { game, players } = seated(['ada', 'bob'], 2);
    const eve = new Gambler(game, 9).register('eve');
    expect(eve.do({ kind: 'join', table: 1, stake: 400 }).code).toBe(CODES.TABLE_FULL);
    expect(eve.do({ kind: 'join', table: 2, stake: 400 }).code).toBe(CODES.NO_TABLE);
    expect(eve.do({ kind: 'leave', table: 1 }).code).toBe(CODES.NOT_SEATED);
    players[1]?.must({ kind: 'leave', table: 1 });
    eve.must({ kind: 'join', table: 1, stake: 400 });
    expect(game.table().table.seats.map(({ index, name }) => [index, name])).toEqual([
      [0, 'ada'],
      [1, 'eve'],
    ]);
  });

  it('are 64 at most; a closed one makes room, and its number is never used again (DC-4)', () => {
    const game = new Game();
    const players = Array.from({ length: 65 }, (_, index) => new Gambler(game, index + 1).register('x'));
    const open: Action = { kind: 'open', title: 'Corner', seats: 2, ante: 1, stake: 3 };
    for (const player of players.slice(0, 64)) player.must(open);
    expect(players[64]?.do(open).code).toBe(CODES.TABLES_FULL);
    players[5]?.must({ kind: 'leave', table: 6 });
    players[64]?.must(open);
    expect(game.lobby().tables.map(({ id }) => id)).toContain(65);
    expect(game.lobby().tables).toHaveLength(64);
  });

  it('close by themselves when nothing happens, eight a block, and give the stakes back (DC-8)', () => {
    const game = new Game({ idle_heights: 20 });
    const players = Array.from({ length: 20 }, (_, index) => new Gambler(game, index + 1).register('x'));
    for (const player of players) player.must({ kind: 'open', title: 'Corner', seats: 2, ante: 1, stake: 3 });
    game.pass(20);
    expect(game.lobby().tables).toHaveLength(20);
    const left = [12, 4, 0].map((expected) => {
      game.endBlock();
      return [expected, game.lobby().tables.length];
    });
    expect(left.every(([expected, found]) => expected === found)).toBe(true);
    expect(players.map((player) => player.chips())).toEqual(players.map(() => 1_000));
  });
});

describe('a round', () => {
  it('takes the antes at the first commitment, throws when all have revealed, and pays the highest (DC-5, DC-6, DC-9)', () => {
    const { game, ada, bob, eve } = trio();
    expect(ada.commit().code).toBe(0);
    expect(game.table().table).toMatchObject({ pot: 30, phase: { kind: 'committing', lastHeight: 6 } });
    expect([bob.commit().code, eve.commit().code]).toEqual([0, 0]);
    expect(game.table().table.phase.kind).toBe('revealing');
    expect([eve.reveal().code, ada.reveal().code, bob.reveal().code]).toEqual([0, 0, 0]);
    const [round] = game.table().rounds;
    const reveals = [ada, bob, eve].map((player, seat) => ({
      seat,
      player: player.publicKey,
      secret: player.secret(1),
    }));
    const dice = diceOf({ genesisHash: GENESIS_HASH, table: 1, round: 1 }, reveals);
    expect(round?.seats.map((seat) => seat.dice)).toEqual(dice);
    const best = Math.max(...(round?.seats.map(({ sum }) => sum) ?? []));
    const winners = round?.seats.filter(({ sum }) => sum === best) ?? [];
    expect(round?.seats.filter(({ won }) => won)).toEqual(winners);
    expect(winners.reduce((sum, { gain }) => sum + gain + 10, 0)).toBe(30);
    expect(game.table().table).toMatchObject({ round: 2, pot: 0, phase: { kind: 'open' } });
  });

  it('needs two, the right round, one commitment each, and the secret that was committed to (DC-5, DC-6)', () => {
    const { game, players } = seated(['ada', 'bob', 'eve'], 4);
    const [ada, bob, eve] = players;
    const zoe = new Gambler(game, 8).register('zoe');
    const alone: Action = { kind: 'open', title: 'Alone', seats: 2, ante: 10, stake: 400 };
    expect(zoe.must(alone).commit(2).code).toBe(CODES.NOT_NOW);
    const commitment = new Uint8Array(32);
    expect(ada?.do({ kind: 'commit', table: 1, round: 2, commitment }).code).toBe(CODES.WRONG_ROUND);
    expect(ada?.commit().code).toBe(0);
    expect(ada?.commit().code).toBe(CODES.NOT_NOW);
    expect(ada?.reveal().code).toBe(CODES.NOT_NOW);
    expect(ada?.do({ kind: 'leave', table: 1 }).code).toBe(CODES.NOT_NOW);
    expect([bob?.commit().code, eve?.commit().code]).toEqual([0, 0]);
    expect(bob?.do({ kind: 'reveal', table: 1, round: 1, secret: commitment }).code).toBe(CODES.WRONG_SECRET);
    expect([bob?.reveal().code, bob?.reveal().code]).toEqual([0, CODES.NOT_NOW]);
  });

  it("gives nothing to who copies another's commitment (DC-5)", () => {
    const { game, ada, bob, eve } = trio();
    ada.commit();
    bob.must({ kind: 'commit', table: 1, round: 1, commitment: ada.commitment(1, 1) });
    eve.commit();
    ada.reveal();
    const copied: Action = { kind: 'reveal', table: 1, round: 1, secret: ada.secret(1) };
    expect(bob.do(copied).code).toBe(CODES.WRONG_SECRET);
    game.pass(6);
    expect(game.table().rounds[0]?.seats[1]).toMatchObject({ part: 'refused' });
  });

  it('goes on without who does not commit in time: the ante stays in the pot, the player gets up (DC-8)', () => {
    const { game, ada, bob, eve } = trio();
    ada.commit();
    bob.commit();
    game.pass(6);
    expect(game.table().table).toMatchObject({ pot: 30, phase: { kind: 'revealing' } });
    expect(eve.commit().code).toBe(CODES.NOT_NOW);
    ada.reveal();
    bob.reveal();
    expect(game.table().rounds[0]?.seats[2]).toMatchObject({ part: 'absent', gain: -10, dice: [] });
    expect(stakes(game)).not.toHaveProperty('eve');
    expect(eve.chips()).toBe(990);
    expect(ada.chips() + bob.chips() + (stakes(game)['ada'] ?? 0) + (stakes(game)['bob'] ?? 0)).toBe(2_010);
  });

  it('is won without dice by who alone committed (DC-8)', () => {
    const { game, ada } = trio();
    ada.commit();
    game.pass(6);
    expect(stakes(game)).toEqual({ ada: 420 });
    expect(game.table().rounds[0]?.seats[0]).toMatchObject({ part: 'alone', dice: [], gain: 20, won: true });
  });

  it('costs who refuses to reveal a full pot for each other one, so that none of them would rather have won (DC-8)', () => {
    const { game, ada, bob, eve } = trio();
    for (const player of [ada, bob, eve]) player.commit();
    ada.reveal();
    bob.reveal();
    game.pass(6);
    expect(game.table().rounds[0]?.seats[2]).toMatchObject({ part: 'refused', gain: -70, won: false });
    expect(eve.chips()).toBe(930);
    const gains =
      game
        .table()
        .rounds[0]?.seats.slice(0, 2)
        .map(({ gain }) => gain) ?? [];
    expect(Math.min(...gains)).toBeGreaterThanOrEqual(20);
    expect(gains.reduce((sum, gain) => sum + gain, 0)).toBe(70);
  });

  it('gives the pot back in equal parts when nobody reveals (DC-8)', () => {
    const { game, ada, bob, eve } = trio();
    for (const player of [ada, bob, eve]) player.commit();
    game.pass(6);
    expect([ada, bob, eve].map((player) => player.chips())).toEqual([1_000, 1_000, 1_000]);
    expect(game.lobby().tables).toEqual([]);
  });

  it('refuses what comes after its time, also when the block has not dealt with it yet (DC-8)', () => {
    const { game, ada, bob } = trio();
    ada.commit();
    game.height = 7;
    expect(bob.commit().code).toBe(CODES.TOO_LATE);
  });

  it('is watched by who sits down meanwhile (DC-7)', () => {
    const { game, players } = seated(['ada', 'bob'], 3);
    players[0]?.commit();
    const eve = new Gambler(game, 9).register('eve').must({ kind: 'join', table: 1, stake: 100 });
    expect(eve.commit().code).toBe(CODES.NOT_NOW);
    players[1]?.commit();
    players[1]?.reveal();
    players[0]?.reveal();
    expect(game.table().rounds[0]?.seats).toHaveLength(2);
    expect(eve.commit().code).toBe(0);
  });

  it('takes commitments and reveals in the last block of their time, and none of a round before (DC-5, DC-8)', () => {
    const { game, ada, bob, eve } = trio();
    ada.commit();
    game.pass(5);
    expect([bob.commit().code, eve.commit().code]).toEqual([0, 0]);
    game.pass(5);
    expect([ada, bob, eve].map((player) => player.reveal().code)).toEqual([0, 0, 0]);
    const late: Action = { kind: 'commit', table: 1, round: 1, commitment: ada.commitment(1, 1) };
    expect(ada.do(late).code).toBe(CODES.WRONG_ROUND);
  });

  it('leaves who had to get up free to sit down again (DC-8)', () => {
    const { game, ada, bob, eve } = trio();
    ada.commit();
    bob.commit();
    game.pass(6);
    ada.reveal();
    bob.reveal();
    expect(eve.do({ kind: 'join', table: 1, stake: 400 }).code).toBe(0);
  });

  it('is remembered until eight others were played (DC-4)', () => {
    const { game, players } = seated(['ada', 'bob'], 2);
    for (let round = 1; round <= 9; round += 1) {
      for (const player of players) player.commit();
      for (const player of players) player.reveal();
    }
    expect(game.table().rounds.map(({ round }) => round)).toEqual([9, 8, 7, 6, 5, 4, 3, 2]);
  });

  it('sends home who has too few chips for another one (DC-9)', () => {
    const game = new Game({ patience_heights: 5 });
    const [ada, bob] = [new Gambler(game, 1).register('ada'), new Gambler(game, 2).register('bob')];
    ada.must({ kind: 'open', title: 'Corner', seats: 2, ante: 10, stake: 30 });
    bob.must({ kind: 'join', table: 1, stake: 30 });
    while (game.lobby().tables[0]?.players.length === 2) {
      for (const player of [ada, bob]) player.commit();
      for (const player of [ada, bob]) player.reveal();
    }
    expect(game.table().table.seats).toHaveLength(1);
    expect(game.chips([ada.key, bob.key])).toBe(10_000_000);
  });
});

describe('queries', () => {
  it('tell the version alone to who has seen it', () => {
    const { game } = trio();
    const { version } = game.lobby();
    const text = (data: string) => new TextDecoder().decode(game.query('/tables', data).value);
    expect(text(String(version))).toBe(`{"version":${version}}`);
    expect(text(String(version - 1))).toContain('"house"');
  });

  it('answer null for what is not there, and name the paths that are', () => {
    const { game } = trio();
    for (const data of ['', '0', '99', 'x', '1e3', '__proto__']) {
      expect(new TextDecoder().decode(game.query('/table', data).value)).toBe('null');
      expect(new TextDecoder().decode(game.query('/player', data).value)).toBe('null');
    }
    expect(game.query('/nope')).toMatchObject({
      code: CODES.UNKNOWN_PATH,
      log: expect.stringContaining('/tables'),
    });
  });
});

describe('genesis', () => {
  it.each([
    [7, 'app.state = 7: dice takes an object, or nothing'],
    [[], 'app.state = []: dice takes an object, or nothing'],
    [{ chips: 1 }, 'app.state.chips is unknown to dice'],
    [{ patience_heights: 1 }, 'app.state.patience_heights = 1: give a whole number from 2 to 100000'],
    [{ house_chips: '5' }, 'app.state.house_chips = "5": give a whole number'],
    [{ house_chips: 10, grant_chips: 11 }, 'welcomes 0 players'],
  ])('says what is wrong with %j', (appState, words) => {
    expect(() => new Game(appState)).toThrow(words);
  });
});
