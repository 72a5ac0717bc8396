/** Hostile players: whatever they send, chips are conserved, and nothing throws. A failure prints its seed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commitmentOf, diceOf } from '../../../src/application/dice/fairness.ts';
import { type Action, encodeOperation, readTransaction } from '../../../src/application/dice/operation.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { Gambler, Game, GENESIS_HASH } from './game.ts';

const HOUSE = 100_000;
const PLAYERS = 7;

type Move =
  | { readonly kind: 'act'; readonly player: number; readonly action: Action; readonly nonceOff: number }
  | { readonly kind: 'commit' | 'reveal'; readonly player: number }
  | { readonly kind: 'join'; readonly player: number; readonly table: number }
  | { readonly kind: 'replay'; readonly back: number }
  | { readonly kind: 'blocks'; readonly count: number };

const small = fc.nat(4);
const number = fc.oneof(
  { weight: 4, arbitrary: small },
  { weight: 2, arbitrary: fc.nat(700) },
  fc.maxSafeNat(),
);
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const player = fc.nat(PLAYERS - 1);

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant('register' as const), name: fc.string({ maxLength: 40, unit: 'binary' }) }),
  fc.record({
    kind: fc.constant('open' as const),
    title: fc.constantFrom('Corner', '', '\u202e'),
    seats: fc.oneof(fc.integer({ min: 2, max: 6 }), number),
    ante: fc.oneof(fc.integer({ min: 1, max: 9 }), number),
    stake: fc.oneof(fc.integer({ min: 100, max: 400 }), number),
  }),
  fc.record({ kind: fc.constant('join' as const), table: number, stake: number }),
  fc.record({ kind: fc.constant('leave' as const), table: number }),
  fc.record({ kind: fc.constant('commit' as const), table: number, round: number, commitment: bytes32 }),
  fc.record({ kind: fc.constant('reveal' as const), table: number, round: number, secret: bytes32 }),
);

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('act' as const),
      player,
      action,
      nonceOff: fc.constantFrom(0, 0, 0, 0, 1, -1),
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({ kind: fc.constantFrom('commit' as const, 'reveal' as const), player }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('join' as const), player, table: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replay' as const), back: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('blocks' as const), count: fc.nat(5) }) },
);

/** Plays it; gives how many rounds came to an end, and how many of them with dice. */
function play(moves: readonly Move[], eachStep: (game: Game, players: readonly Gambler[]) => void): number {
  const game = new Game({ house_chips: HOUSE, patience_heights: 6, idle_heights: 30 });
  const players = Array.from({ length: PLAYERS }, (_, index) => new Gambler(game, index + 1));
  for (const [index, gambler] of players.entries())
    if (index < PLAYERS - 1) gambler.register(`player ${index}`);
  players[0]?.must({ kind: 'open', title: 'First', seats: 3, ante: 7, stake: 200 });
  players[1]?.must({ kind: 'join', table: 1, stake: 90 });
  const sent: Uint8Array[] = [];
  let thrown = 0;
  for (const next of moves) {
    if (next.kind === 'blocks') game.pass(next.count);
    else if (next.kind === 'replay') game.execute(sent.at(-1 - next.back) ?? new Uint8Array(3));
    else {
      const gambler = players[next.player];
      if (gambler === undefined) continue;
      const transaction = transactionOf(next, gambler, game);
      if (transaction === undefined) continue;
      sent.push(transaction);
      const before = game.lobby().tables.reduce((sum, { round }) => sum + round, 0);
      game.execute(transaction);
      if (next.kind === 'reveal' && game.lobby().tables.reduce((sum, { round }) => sum + round, 0) > before)
        thrown += 1;
    }
    eachStep(game, players);
  }
  return thrown;
}

function transactionOf(
  next: Exclude<Move, { kind: 'blocks' | 'replay' }>,
  gambler: Gambler,
  game: Game,
): Uint8Array | undefined {
  if (next.kind === 'act') {
    const nonce = Math.max(0, gambler.nonce() + next.nonceOff);
    return gambler.sign(next.action, { nonce });
  }
  if (next.kind === 'join') return gambler.sign({ kind: 'join', table: next.table, stake: 300 });
  const at = game
    .lobby()
    .tables.find(({ id }) => game.table(id).table.seats.some(({ key }) => key === gambler.key));
  if (at === undefined) return undefined;
  const where = { table: at.id, round: at.round };
  return next.kind === 'commit'
    ? gambler.sign({ kind: 'commit', ...where, commitment: gambler.commitment(at.id, at.round) })
    : gambler.sign({ kind: 'reveal', ...where, secret: gambler.secret(at.round) });
}

describe('hostile players', () => {
  it('never make or destroy a chip, and never owe one (DC-10)', () => {
    let thrown = 0;
    fc.assert(
      fc.property(fc.array(move, { minLength: 40, maxLength: 120 }), (moves) => {
        thrown += play(moves, (game, players) => {
          expect(game.chips(players.map(({ key }) => key))).toBe(HOUSE);
          for (const { id } of game.lobby().tables) {
            const { table } = game.table(id);
            expect(table.seats.every(({ stake }) => Number.isSafeInteger(stake) && stake >= 0)).toBe(true);
            expect(table.seats.length).toBeGreaterThan(0);
            expect(table.seats.length).toBeLessThanOrEqual(table.seatsMax);
          }
        });
      }),
      { numRuns: 100 },
    );
    expect(thrown).toBeGreaterThan(5);
  });

  it('who commits and reveals never does worse for what others refuse than by winning (DC-8)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.uint8Array({ minLength: 6, maxLength: 6 }),
        (seats, doing) => {
          const game = new Game({ patience_heights: 3 });
          const players = Array.from({ length: seats }, (_, index) =>
            new Gambler(game, index + 1).register('x'),
          );
          players[0]?.must({ kind: 'open', title: 'T', seats, ante: 10, stake: 400 });
          for (const other of players.slice(1)) other.must({ kind: 'join', table: 1, stake: 400 });
          players[0]?.commit();
          for (const [index, other] of players.slice(1).entries())
            if ((doing[index] ?? 0) % 4 !== 0) other.commit();
          if (game.table().table.phase.kind === 'committing') game.pass(4);
          const isAlone = game.table().table.phase.kind === 'open';
          if (!isAlone) players[0]?.reveal();
          for (const [index, other] of players.slice(1).entries()) {
            if (!isAlone && (doing[index] ?? 0) % 2 !== 0) other.reveal();
          }
          if (game.table().table.phase.kind === 'revealing') game.pass(4);
          const [round] = game.table().rounds;
          const honest = round?.seats[0];
          const refused = round?.seats.filter(({ part }) => part === 'refused').length ?? 0;
          if (refused > 0) expect(honest?.gain).toBeGreaterThanOrEqual((round?.pot ?? 0) - 10);
          else expect(honest?.gain).toBeGreaterThanOrEqual(-10);
          expect(game.chips(players.map(({ key }) => key))).toBe(10_000_000);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('get a refusal for any bytes at all', () => {
    const game = new Game();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (transaction) => {
        expect(game.check(transaction).code).not.toBe(0);
        expect(game.execute(transaction).code).not.toBe(0);
      }),
    );
  });
});

describe('the encoding of operations', () => {
  it('has one encoding for each operation, and reads back what was written (DC-1)', () => {
    fc.assert(
      fc.property(bytes32, number, number, action, (key, nonce, lastHeight, given) => {
        const written = encodeOperation({ player: key, nonce, lastHeight, action: given });
        const read = readTransaction(Uint8Array.of(...written, ...new Uint8Array(64)));
        expect(read?.operation).toEqual({ player: key, nonce, lastHeight, action: given });
        expect(encodeOperation(read?.operation ?? { player: key, nonce, lastHeight, action: given })).toEqual(
          written,
        );
      }),
    );
  });

  it('reads nothing that it would write otherwise (DC-1)', () => {
    const written = encodeOperation({
      player: new Uint8Array(32),
      nonce: 1,
      lastHeight: 2,
      action: { kind: 'register', name: 'ada' },
    });
    fc.assert(
      fc.property(fc.nat(written.length - 1), fc.nat(255), (at, value) => {
        const changed = written.slice();
        changed[at] = value;
        const read = readTransaction(Uint8Array.of(...changed, ...new Uint8Array(64)));
        if (read !== undefined) expect(encodeOperation(read.operation)).toEqual(changed);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the dice', () => {
  it('fall on all faces alike: chi-square of 60,000 dice below the 0.1 % bound (DC-6)', () => {
    const counts = [0, 0, 0, 0, 0, 0];
    const name = (round: number) => ({ genesisHash: GENESIS_HASH, table: 1, round });
    for (let round = 0; round < 10_000; round += 1) {
      const secrets = [1, 2].map((seat) => ({
        seat,
        player: new Uint8Array(32).fill(seat),
        secret: new Uint8Array(32).fill(round),
      }));
      for (const face of diceOf(name(round), secrets).flat()) counts[face - 1] = (counts[face - 1] ?? 0) + 1;
    }
    const expected = counts.reduce((sum, count) => sum + count, 0) / 6;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 20.5 is the bound for five degrees of freedom.
    expect(chiSquare).toBeLessThan(20.5);
  });

  it('change with every secret, seat, player, round, table and chain (DC-6)', () => {
    const base = { genesisHash: 'aa'.repeat(32), table: 1, round: 1 };
    const reveals = Array.from({ length: 6 }, (_, seat) => ({
      seat,
      player: new Uint8Array(32).fill(seat),
      secret: new Uint8Array(32),
    }));
    const [first, ...rest] = reveals;
    if (first === undefined) throw new Error('there are six');
    const variants = [
      diceOf(base, reveals),
      diceOf({ ...base, genesisHash: 'bb'.repeat(32) }, reveals),
      diceOf({ ...base, table: 2 }, reveals),
      diceOf({ ...base, round: 2 }, reveals),
      diceOf(base, [{ ...first, secret: new Uint8Array(32).fill(1) }, ...rest]),
      diceOf(base, [{ ...first, player: new Uint8Array(32).fill(9) }, ...rest]),
    ].map((dice) => JSON.stringify(dice));
    expect(new Set(variants).size).toBe(variants.length);
  });

  it('keep their vector: another implementation must throw the same (DC-6)', () => {
    const player = new Uint8Array(32).fill(7);
    const secret = new Uint8Array(32).fill(9);
    const name = { genesisHash: '05'.repeat(32), table: 3, round: 4 };
    // Computed by a program of its own in another language, from docs/dice.md.
    expect(toHex(commitmentOf(name, player, secret))).toBe(
      '21f2376e86b41caea05054734667d5f6240d6c9f585c8f3591ed9d6231315712',
    );
    const reveals = [
      { seat: 0, player, secret },
      { seat: 2, player: secret, secret: player },
    ];
    expect(diceOf(name, reveals)).toEqual([
      [5, 4, 2],
      [1, 6, 2],
    ]);
    // A byte of 252 or more is among the first two here.
    expect(diceOf({ ...name, round: 14 }, reveals.slice(0, 1))).toEqual([[3, 1, 3]]);
  });
});
