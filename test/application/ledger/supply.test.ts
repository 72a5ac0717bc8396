import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { U64_MAX } from '../../../src/application/ledger/fields.ts';
import { validatorAddressOf } from '../../../src/application/ledger/stake.ts';
import { type Payload, registrationBytes } from '../../../src/application/ledger/transaction.ts';
import { fromHex, utf8 } from '../../../src/base/bytes.ts';
import { ed25519Sign } from '../../../src/crypto/ed25519.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import { present } from '../../protocol/consensus/fixture.ts';
import { type Key, keyOf, LedgerChain, OPERATORS } from './chain-of-ledger.ts';

const ACTORS: readonly Key[] = [keyOf('ada'), keyOf('bob'), keyOf('poor'), ...OPERATORS];
const NODES = ['node a', 'node b', 'node c'].map(keyOf);
const at = <Item>(items: readonly Item[], index: number): Item =>
  present(items[index % items.length], 'an item');

/** One thing somebody tries. Numbers choose among actors, validators and forms. */
const attempt = fc.record({
  kind: fc.constantFrom(
    'transfer',
    'transfer',
    'register',
    'stake',
    'unstake',
    'unstake',
    'withdraw',
    'withdraw',
    'withdraw',
    'misbehavior',
  ),
  actor: fc.nat(6),
  other: fc.nat(6),
  amount: fc.oneof(
    fc.bigInt({ min: 1n, max: 12_000n }),
    fc.constantFrom(1n, 1_000n, 2_000n, 5_000n, 10_000n, U64_MAX, U64_MAX - 1n, 2n ** 63n),
  ),
  feeMax: fc.oneof(
    { weight: 8, arbitrary: fc.bigInt({ min: 400n, max: 5_000n }) },
    { weight: 1, arbitrary: fc.constantFrom(0n, 1n, U64_MAX) },
  ),
  tip: fc.oneof(fc.bigInt({ min: 0n, max: 500n }), fc.constant(U64_MAX)),
  /** How it is spoilt after it was signed, or before. */
  attack: fc.oneof(
    { weight: 7, arbitrary: fc.constant('none') },
    { weight: 1, arbitrary: fc.constantFrom('flip', 'forge', 'replay', 'gap', 'chain', 'cut', 'late') },
  ),
  place: fc.nat(),
  proposer: fc.nat(3),
});
type Attempt = typeof attempt extends fc.Arbitrary<infer Given> ? Given : never;

function payloadOf(chain: LedgerChain, { kind, actor, other, amount }: Attempt): Payload {
  const validators = [
    ...chain.place.validators.map(({ address }) => present(fromHex(address), 'an address')),
    ...NODES.map(({ publicKey }) => validatorAddressOf(publicKey)),
  ];
  // Mostly its own: the operators are actors 3 to 6.
  const validator = at(validators, actor >= 3 && other < 5 ? actor - 3 : other);
  switch (kind) {
    case 'register':
      return registration(chain, at(ACTORS, actor), at(NODES, other), amount);
    case 'stake':
    case 'unstake':
      return { kind, validator, amount };
    case 'withdraw':
      return { kind, validator };
    default:
      return { kind: 'transfer', to: at(ACTORS, other).address, amount };
  }
}

function registration(chain: LedgerChain, operator: Key, node: Key, amount: bigint): Payload {
  const { bls } = chain.place;
  const secret = present(bls.generateSecret(sha256(utf8(node.text))), 'a secret');
  const consensusKey = present(bls.publicKeyOf(secret), 'a key');
  const message = registrationBytes(consensusKey, operator.address, chain.turn(operator), chain.domain);
  return {
    kind: 'register',
    nodeKey: node.publicKey,
    consensusKey,
    possessionProof: present(bls.provePossession(secret), 'a proof'),
    nodeSignature: present(ed25519Sign(node.secret, message), 'a signature'),
    amount,
  };
}

function transactionOf(chain: LedgerChain, given: Attempt, sent: readonly Uint8Array[]): Uint8Array {
  const { attack, place } = given;
  if (attack === 'replay' && sent.length > 0) return at(sent, place);
  const whole = signedOf(chain, given);
  if (attack === 'cut') return whole.subarray(0, place % whole.length);
  if (attack !== 'flip') return whole;
  return whole.map((byte, index) => (index === place % whole.length ? byte ^ (1 << (place % 8)) : byte));
}

function signedOf(chain: LedgerChain, given: Attempt): Uint8Array {
  const { attack, place, feeMax } = given;
  const key = at(ACTORS, given.actor);
  const signer = attack === 'forge' ? { ...key, secret: at(ACTORS, given.actor + 1).secret } : key;
  const nonce = chain.nonce(key) + (attack === 'gap' ? BigInt(1 + (place % 3)) : 0n);
  const domain = attack === 'chain' ? { ...chain.domain, chainId: 'another' } : chain.domain;
  const tip = given.tip % (feeMax + 1n);
  const lastHeight = attack === 'late' ? BigInt(chain.height) : chain.turn(key).lastHeight;
  return chain.sign(signer, payloadOf(chain, given), { nonce, lastHeight, feeMax, tip }, domain);
}

describe('no coin comes from nowhere or is lost (LG-6)', () => {
  it('through any sequence of attempts, honest and hostile: the chain counts all coins after each block', () => {
    const reached = new Map<string, number>();
    fc.assert(
      fc.property(
        fc.array(attempt, { minLength: 1, maxLength: 40, size: 'max' }),
        fc.nat(30),
        (attempts, pause) => {
          const chain = new LedgerChain({
            balances: { ada: 200_000n, bob: 50_000n, op0: 20_000n, op1: 9_000n },
          });
          const sent: Uint8Array[] = [];
          for (const [index, given] of attempts.entries()) {
            const transaction = transactionOf(chain, given, sent);
            sent.push(transaction);
            const accused = given.kind === 'misbehavior' ? [chain.offence(given.other % 4)] : [];
            const { burned } = chain.ask('/supply');
            const [result] = chain.block([transaction], chain.place.addressAt(given.proposer), accused);
            const isDone =
              accused.length === 0 ? result?.code === 0 : chain.ask('/supply')['burned'] !== burned;
            if (given.attack === 'none') {
              const outcome = `${given.kind} ${isDone ? 'done' : 'refused'}`;
              reached.set(outcome, (reached.get(outcome) ?? 0) + 1);
            } else if (!['gap', 'replay'].includes(given.attack)) {
              expect(result?.code, given.attack).toBeGreaterThan(0);
            }
            if (index % 6 === 5) chain.idle(pause);
          }
          expect(chain.state.validators.size).toBeGreaterThan(0);
        },
      ),
      { numRuns: 800 },
    );
    // A search that never got anywhere would prove nothing.
    for (const kind of ['transfer', 'register', 'stake', 'unstake', 'withdraw', 'misbehavior']) {
      expect(reached.get(`${kind} done`), `${kind} done`).toBeGreaterThan(20);
      if (kind === 'misbehavior') continue;
      expect(reached.get(`${kind} refused`), `${kind} refused`).toBeGreaterThan(20);
    }
  }, 120_000);

  it('and two nodes that execute the same blocks hold the same state, whatever one of them had checked before', () => {
    fc.assert(
      fc.property(fc.array(attempt, { minLength: 1, maxLength: 15 }), (attempts) => {
        const one = new LedgerChain();
        const other = new LedgerChain({ place: one.place });
        for (const given of attempts) {
          const transaction = transactionOf(one, given, []);
          one.check(transaction);
          expect(one.block([transaction])).toEqual(other.block([transaction]));
        }
        expect(one.state.pairs).toEqual(other.state.pairs);
        expect(one.state.validators).toEqual(other.state.validators);
      }),
      { numRuns: 200 },
    );
  });
});
