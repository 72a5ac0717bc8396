/** The ledger's sealed transfers against a model that is nothing but lists: balances, sets, and who comes first. LG-20 to LG-24, LG-6. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ledgerRules } from '../../../../src/application/ledger/rules.ts';
import { stateApplication } from '../../../../src/application/state/application.ts';
import { concatBytes, fromHex, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { wallTime } from '../../../../src/base/units.ts';
import { sha256 } from '../../../../src/crypto/hash.ts';
import { digestBytes } from '../../../../src/protocol/chain/parse.ts';
import { height, present } from '../../../protocol/consensus/fixture.ts';
import { genesisRequest, type Key, keyOf } from '../chain-of-ledger.ts';
import { DEPOSIT, R, SEAL_FEE, type Sealed, SealedChain } from './chain-of-seals.ts';

const ACTORS: readonly Key[] = ['ada', 'bob', 'eve'].map(keyOf);
const PER_SENDER = 3;
const REVEAL_MS = 30;

/** What happens in one block, by actor: seals of so much to the next actor, and which open seals are revealed. */
const blockArbitrary = fc.record({
  seals: fc.array(fc.record({ actor: fc.nat(2), amount: fc.integer({ min: 1, max: 4_000 }) }), {
    maxLength: 4,
  }),
  /** Of each open seal: revealed in this block if its number is drawn. */
  reveals: fc.array(fc.nat(30), { maxLength: 6 }),
  ms: fc.integer({ min: 1, max: 12 }),
});

interface ModelSeal {
  readonly made: Sealed;
  readonly actor: number;
  readonly amount: bigint;
  readonly height: number;
  readonly time: number;
  isRevealed: boolean;
}

/** As the rules say it, with no state but lists. */
class Model {
  readonly balances = [5_000n, 3_000n, 0n];
  burned = 0n;
  open: ModelSeal[] = [];
  readonly outcomes = new Map<string, string>();
  readonly #outputs: { readonly height: number; readonly output: Uint8Array }[] = [];

  /** The start of a block: its randomness is known, and what is due is executed. */
  begin(at: number, time: number, output: Uint8Array): void {
    this.#outputs.push({ height: at, output });
    const heights = [...new Set(this.open.map((seal) => seal.height))];
    for (const opened of heights) {
      const set = this.open.filter((seal) => seal.height === opened);
      const first = present(set[0], 'a seal');
      if (at < opened + R || time < first.time + REVEAL_MS) return;
      this.open = this.open.filter((seal) => seal.height !== opened);
      this.#execute(set, opened);
    }
  }

  #execute(set: readonly ModelSeal[], opened: number): void {
    const place = new Uint8Array(8);
    new DataView(place.buffer).setBigUint64(0, BigInt(opened));
    const seed = sha256(utf8('althing/ordering/seed/v1'), this.#accumulator(), place);
    const key = ({ made }: ModelSeal) => toHex(sha256(seed, present(fromHex(made.id), 'an id')));
    const revealed = set
      .filter(({ isRevealed }) => isRevealed)
      .sort((left, right) => (key(left) < key(right) ? -1 : 1));
    for (const seal of revealed) {
      const { actor, amount, made } = seal;
      const isCovered = (this.balances[actor] ?? 0n) >= amount;
      if (isCovered) {
        this.#move(actor, DEPOSIT - amount);
        this.#move((actor + 1) % 3, amount);
      } else this.burned += DEPOSIT;
      this.outcomes.set(made.id, isCovered ? 'done' : 'failed');
    }
    for (const { isRevealed, made } of set) {
      if (isRevealed) continue;
      this.burned += DEPOSIT;
      this.outcomes.set(made.id, 'withheld');
    }
  }

  /** Since the first block after which a set was open, without a pause while one is. */
  #accumulator(): Uint8Array {
    return this.#kept.reduce((sum, output) => sha256(concatBytes(sum, output)), ACCUMULATOR_FIRST);
  }

  readonly #kept: Uint8Array[] = [];
  keep(output: Uint8Array): void {
    this.#kept.push(output);
  }

  seal(actor: number, amount: bigint, made: Sealed, at: number, time: number): boolean {
    const held = this.open.filter((seal) => seal.actor === actor).length;
    const balance = this.balances[actor] ?? 0n;
    if (balance < SEAL_FEE) return false;
    this.#move(actor, -SEAL_FEE);
    this.burned += SEAL_FEE;
    if (held >= PER_SENDER || balance - SEAL_FEE < DEPOSIT) return false;
    this.#move(actor, -DEPOSIT);
    this.open.push({ made, actor, amount, height: at, time, isRevealed: false });
    return true;
  }

  reveal(index: number, at: number): ModelSeal | undefined {
    const seal = this.open[index];
    if (seal === undefined || seal.isRevealed || seal.height >= at) return undefined;
    seal.isRevealed = true;
    return seal;
  }

  #move(actor: number, units: bigint): void {
    this.balances[actor] = (this.balances[actor] ?? 0n) + units;
  }
}

const ACCUMULATOR_FIRST = sha256(utf8('althing/ordering/accumulator/v1'));

const chainOf = () =>
  new SealedChain({
    balances: { ada: 5_000n, bob: 3_000n },
    parameters: { reveal_ms: REVEAL_MS, block_work_target: 100_000, fee_price_max: '10' },
  });

describe('sealed transfers', () => {
  it('end as a model of lists says: who pays whom, in which order, and what is burned', () => {
    const reached = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(blockArbitrary, { minLength: 5, maxLength: 60, size: 'max' }), (blocks) => {
        const [chain, model] = [chainOf(), new Model()];
        for (const given of blocks) {
          const [at, time] = [chain.height + 1, chain.time + given.ms];
          chain.blockMs = given.ms;
          const output = digestBytes(chain.randomnessOf(at));
          if (model.open.length > 0) model.keep(output);
          model.begin(at, time, output);
          const transactions: Uint8Array[] = [];
          const expected: boolean[] = [];
          for (const index of given.reveals) {
            const seal = model.open[index];
            if (seal === undefined) continue;
            transactions.push(seal.made.reveal);
            expected.push(model.reveal(index, at) !== undefined);
          }
          const nonces = ACTORS.map((key) => chain.nonce(key));
          for (const { actor, amount } of given.seals) {
            const key = present(ACTORS[actor], 'an actor');
            const to = present(ACTORS[(actor + 1) % 3], 'an actor').address;
            const nonce = present(nonces[actor], 'a nonce');
            const made = chain.sealed(key, [{ to, amount: BigInt(amount) }], { nonce });
            const before = model.balances[actor] ?? 0n;
            transactions.push(made.seal);
            expected.push(model.seal(actor, BigInt(amount), made, at, time));
            // What cannot pay its fee uses no nonce (LG-7).
            if (before >= SEAL_FEE) nonces[actor] = nonce + 1n;
          }
          const codes = chain.block(transactions).map(({ code }) => code === 0);
          expect(codes).toEqual(expected);
          expect(ACTORS.map((key) => chain.balance(key))).toEqual(model.balances);
          expect(BigInt(String(chain.ask('/supply')['burned']))).toBe(model.burned);
          for (const [id, outcome] of chain.told()) {
            expect(outcome).toBe(model.outcomes.get(id));
            reached.set(outcome, (reached.get(outcome) ?? 0) + 1);
          }
        }
        expect(chain.told().size <= model.outcomes.size).toBe(true);
      }),
      { numRuns: 100 },
    );
    for (const outcome of ['done', 'failed', 'withheld']) {
      expect(reached.get(outcome), outcome).toBeGreaterThan(50);
    }
  }, 120_000);

  it('have one hash on every node, whatever one of them had checked, and after a restart from a snapshot', async () => {
    const chain = chainOf();
    const { place } = chain;
    const open = () => stateApplication(ledgerRules({ domain: place.epoch.domain, bls: place.bls }));
    const parameters = {
      ...{ ordering: 'commit_reveal', reveal_heights: R, reveal_ms: 0, seal_deposit: '100', seal_fee: '5' },
      block_work_target: 1_000,
    };
    const request = genesisRequest(place, { parameters });
    const [one, other] = [open(), open()];
    for (const application of [one, other]) await application.initChain(request);
    const made = ACTORS.slice(0, 2).flatMap((key) => [
      chain.sealed(key, [{ to: key.address, amount: 1n }]),
      chain.sealed(key, [{ to: key.address, amount: 1n }], { nonce: 1n }),
    ]);
    const blockOf = (at: number, transactions: readonly Uint8Array[]) => ({
      ...{ height: height(at), blockId: chain.randomnessOf(at), time: wallTime(at) },
      ...{ proposer: place.addressAt(0), randomness: chain.randomnessOf(at), transactions },
    });
    let joined = other;
    for (let at = 1; at <= R + 2; at += 1) {
      const carried =
        at === 1 ? made.map(({ seal }) => seal) : at === 3 ? made.map(({ reveal }) => reveal) : [];
      for (const transaction of carried) await one.checkTx(transaction);
      const left = await one.finalizeBlock(blockOf(at, carried));
      expect(await joined.finalizeBlock(blockOf(at, carried))).toEqual(left);
      if (at === R + 1) expect(left.events).toHaveLength(4);
      if (at !== 5) continue;
      const snapshot = present(await one.takeSnapshot?.(), 'a snapshot');
      joined = open();
      await joined.restoreSnapshot?.({ height: height(at), format: snapshot.format }, snapshot.chunks);
    }
  });
});
