import { describe, expect, it } from 'vitest';
import { validatorAddressOf } from '../../../src/application/ledger/stake.ts';
import { type Payload, registrationBytes } from '../../../src/application/ledger/transaction.ts';
import { UNBONDINGS_MAX } from '../../../src/application/ledger/validator-record.ts';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { ed25519Sign } from '../../../src/crypto/ed25519.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import { digestBytes, parseDigest } from '../../../src/protocol/chain/parse.ts';
import { present } from '../../protocol/consensus/fixture.ts';
import { ada, bob, type Key, keyOf, LedgerChain, OPERATORS } from './chain-of-ledger.ts';

const op0 = present(OPERATORS[0], 'an operator');
const node = keyOf('node of ada');
const addressOfNode = validatorAddressOf(node.publicKey);

function registration(
  chain: LedgerChain,
  {
    operator = ada,
    amount = 5_000n,
    bls = 'ada',
    key = node,
  }: { operator?: Key; amount?: bigint; bls?: string; key?: Key } = {},
): Extract<Payload, { kind: 'register' }> {
  const { place, domain } = chain;
  const secret = present(place.bls.generateSecret(sha256(utf8(bls))), 'a secret');
  const consensusKey = present(place.bls.publicKeyOf(secret), 'a key');
  return {
    kind: 'register',
    nodeKey: key.publicKey,
    consensusKey,
    possessionProof: present(place.bls.provePossession(secret), 'a proof'),
    nodeSignature: present(
      ed25519Sign(
        key.secret,
        registrationBytes(consensusKey, operator.address, chain.turn(operator), domain),
      ),
      'a signature',
    ),
    amount,
  };
}
const powerOf = (chain: LedgerChain, nodeKey = node.publicKey) =>
  chain.state.validators.get(toHex(nodeKey))?.power;
const firstValidator = (chain: LedgerChain) => {
  const { nodeKey, address } = present(chain.place.validators[0], 'a validator');
  return { nodeKey, text: address, address: validatorAddressOf(nodeKey) };
};

describe('register (LG-9)', () => {
  it('makes a validator of a node: its power is the stake by the unit, and the sender owns it', () => {
    const chain = new LedgerChain();
    expect(chain.run(ada, registration(chain, { amount: 5_999n }))).toMatchObject({ code: 0, log: '' });
    expect(powerOf(chain)).toBe(5n);
    expect(chain.balance(ada)).toBe(1_000_000n - 5_999n - 300n);
    expect(chain.ask('/validator', toHex(addressOfNode))).toMatchObject({
      operator: ada.text,
      stake: '5999',
      power: '5',
    });
    expect(chain.state.validators.get(toHex(node.publicKey))?.possessionProof).toHaveLength(96);
  });

  const wrong: readonly (readonly [string, (chain: LedgerChain) => Payload, number, string])[] = [
    [
      'too small a stake',
      (chain) => registration(chain, { amount: 1_999n }),
      10,
      'the least is 2 ALT (2000 units)',
    ],
    ['more than the balance', (chain) => registration(chain, { amount: 2_000_000n }), 6, 'are needed'],
    [
      "a node's signature for another account, copied from the mempool",
      (chain) => registration(chain, { operator: bob }),
      7,
      'the node key has not signed',
    ],
    [
      'a proof of possession that is not one',
      (chain) => ({ ...registration(chain), possessionProof: new Uint8Array(96) }),
      7,
      'proof of possession',
    ],
    [
      "another's consensus key",
      (chain) => ({
        ...registration(chain),
        consensusKey: present(chain.place.validators[1], 'one').consensusKey,
      }),
      7,
      'has this consensus key',
    ],
  ];
  it.each(wrong)('refuses %s, and takes the fee', (_, make, code, words) => {
    const chain = new LedgerChain();
    expect(chain.run(ada, make(chain))).toMatchObject({ code, log: expect.stringContaining(words) });
    expect([chain.balance(ada), powerOf(chain)]).toEqual([1_000_000n - 300n, undefined]);
  });

  it('refuses a validator that is there, and one more than there may be', () => {
    const chain = new LedgerChain({ parameters: { validators_max: 5 } });
    expect(chain.run(ada, registration(chain)).code).toBe(0);
    expect(chain.run(ada, registration(chain))).toMatchObject({
      code: 7,
      log: expect.stringContaining('use stake'),
    });
    const next = registration(chain, { bls: 'next', key: keyOf('next node') });
    expect(chain.run(ada, next)).toMatchObject({
      code: 11,
      log: 'there are 5 validators, the most of this chain',
    });
  });

  it('is bound to the chain: the signature of the node for another one is none here', () => {
    const chain = new LedgerChain();
    const other = { ...chain.domain, genesisHash: digestBytes(digestOfNothing()) };
    const { consensusKey, ...rest } = registration(chain);
    const nodeSignature = present(
      ed25519Sign(node.secret, registrationBytes(consensusKey, ada.address, chain.turn(ada), other)),
      'a signature',
    );
    expect(chain.run(ada, { ...rest, consensusKey, nodeSignature }).code).toBe(7);
  });
});

describe('stake (LG-9)', () => {
  it('raises the power of a validator of the sender', () => {
    const chain = new LedgerChain();
    const { address, nodeKey } = firstValidator(chain);
    expect(chain.run(op0, { kind: 'stake', validator: address, amount: 2_500n }).code).toBe(0);
    expect(powerOf(chain, nodeKey)).toBe(7n);
    expect(chain.ask('/supply')).toMatchObject({ staked: '22500' });
  });

  it("is refused for another's validator, for one that is unknown, and beyond the balance", () => {
    const chain = new LedgerChain();
    const { address } = firstValidator(chain);
    expect(chain.run(ada, { kind: 'stake', validator: address, amount: 1n }).code).toBe(9);
    expect(chain.run(ada, { kind: 'stake', validator: ada.address, amount: 1n }).code).toBe(8);
    expect(chain.run(op0, { kind: 'stake', validator: address, amount: 1_000_000n }).code).toBe(6);
  });

  it('that consensus cannot run with is refused, and nothing stays of it (CS-16)', () => {
    const parameters = { stake_unit: '1', stake_min: '1' };
    const chain = new LedgerChain({
      parameters,
      powers: [1_000n, 1_000n],
      balances: { op0: 2n ** 62n },
    });
    const { address } = firstValidator(chain);
    const refusal = chain.run(op0, { kind: 'stake', validator: address, amount: 2n ** 61n });
    expect(refusal).toMatchObject({ code: 11, log: expect.stringContaining('at most 2^60 - 1') });
    expect(chain.ask('/supply')).toMatchObject({ staked: '2000' });
  });
});

describe('unstake and withdraw (LG-10)', () => {
  const unstaked = (amount: bigint, chain = new LedgerChain()) => {
    const { address } = firstValidator(chain);
    return { chain, address, result: chain.run(op0, { kind: 'unstake', validator: address, amount }) };
  };

  it('lowers the power at once, and gives the coins back only after the delay', () => {
    const { chain, address, result } = unstaked(2_500n);
    expect(result.code).toBe(0);
    expect(powerOf(chain, firstValidator(chain).nodeKey)).toBe(2n);
    expect(chain.ask('/supply')).toMatchObject({ staked: '17500', unbonding: '2500' });
    const withdraw = { kind: 'withdraw', validator: address } as const;
    expect(chain.run(op0, withdraw)).toMatchObject({
      code: 12,
      log: expect.stringContaining('the next at 21'),
    });
    chain.idle(18);
    const before = chain.balance(op0);
    expect(chain.height).toBe(20);
    expect(chain.run(op0, withdraw).code).toBe(0);
    expect(chain.balance(op0)).toBe(before + 2_500n - 20n);
    expect(chain.run(op0, withdraw)).toMatchObject({
      code: 12,
      log: expect.stringContaining('nothing was unstaked'),
    });
  });

  it('leaves nothing or the least stake', () => {
    expect(unstaked(3_001n).result).toMatchObject({
      code: 10,
      log: '1.999 ALT (1999 units) would be left: take all, or leave at least 2 ALT (2000 units)',
    });
    expect(unstaked(5_001n).result).toMatchObject({
      code: 10,
      log: expect.stringContaining('the stake is 5 ALT (5000 units)'),
    });
    const { chain, result } = unstaked(5_000n);
    expect(result.code).toBe(0);
    expect(powerOf(chain, firstValidator(chain).nodeKey)).toBeUndefined();
  });

  it('keeps the last validator in (CS-16)', () => {
    const { chain, result } = unstaked(5_000n, new LedgerChain({ powers: [5n] }));
    expect(result).toMatchObject({ code: 11, log: 'the last validator cannot leave' });
    expect(chain.ask('/supply')).toMatchObject({ staked: '5000', unbonding: '0' });
  });

  it('has so many amounts on the way at once, and those of one block are one', () => {
    const chain = new LedgerChain({ parameters: { stake_min: '1000' } });
    const { address } = firstValidator(chain);
    const take = { kind: 'unstake', validator: address, amount: 10n } as const;
    const nonce = chain.nonce(op0);
    const same = [0n, 1n].map((index) => chain.sign(op0, take, { nonce: nonce + index }));
    expect(chain.block(same).map(({ code }) => code)).toEqual([0, 0]);
    for (let count = 1; count < UNBONDINGS_MAX; count += 1) expect(chain.run(op0, take).code).toBe(0);
    expect(chain.run(op0, take)).toMatchObject({ code: 13, log: expect.stringContaining('withdraw') });
    expect(chain.ask('/supply')).toMatchObject({ unbonding: '170' });
  });

  it('lets a validator that left come back, with its old consensus key, after all is withdrawn', () => {
    const chain = new LedgerChain();
    expect(chain.run(ada, registration(chain)).code).toBe(0);
    expect(chain.run(ada, { kind: 'unstake', validator: addressOfNode, amount: 5_000n }).code).toBe(0);
    expect(chain.run(ada, { kind: 'stake', validator: addressOfNode, amount: 5_000n })).toMatchObject({
      code: 10,
    });
    expect(chain.run(ada, registration(chain))).toMatchObject({
      code: 7,
      log: expect.stringContaining('unbonding'),
    });
    chain.idle(20);
    expect(chain.run(ada, { kind: 'withdraw', validator: addressOfNode }).code).toBe(0);
    const other = registration(chain, { bls: 'another key' });
    expect(chain.run(ada, other)).toMatchObject({
      code: 7,
      log: expect.stringContaining('old consensus key'),
    });
    expect(chain.run(ada, registration(chain)).code).toBe(0);
    expect(powerOf(chain)).toBe(5n);
  });

  it('lets nobody bring a validator back with a signature that its node gave for an earlier registration (LG-9)', () => {
    const chain = new LedgerChain();
    const first = registration(chain);
    expect(chain.run(ada, first).code).toBe(0);
    expect(chain.run(ada, { kind: 'unstake', validator: addressOfNode, amount: 5_000n }).code).toBe(0);
    chain.idle(20);
    expect(chain.run(ada, { kind: 'withdraw', validator: addressOfNode }).code).toBe(0);
    expect(chain.run(ada, first)).toMatchObject({ code: 7, log: expect.stringContaining('of nonce 3') });
    expect(powerOf(chain)).toBeUndefined();
    expect(chain.run(ada, registration(chain)).code).toBe(0);
  });

  it('lets a signature of the node end with the transaction that it was for, though no other of that nonce was done (LG-9, LG-18)', () => {
    const chain = new LedgerChain();
    const { lastHeight } = chain.turn(ada);
    const held = registration(chain);
    chain.idle(Number(lastHeight));
    expect(chain.run(ada, held, { lastHeight }).code).toBe(18);
    expect(chain.run(ada, held)).toMatchObject({
      code: 7,
      log: expect.stringContaining(`of nonce 0, up to height ${2n * lastHeight + 1n}: sign that`),
    });
    expect(powerOf(chain)).toBeUndefined();
  });
});

function digestOfNothing() {
  const digest = parseDigest('0'.repeat(64));
  if (digest === 'malformed') throw new Error('no digest');
  return digest;
}

describe('rotate (LG-19)', () => {
  const keysOf = (chain: LedgerChain, name: string) => {
    const { bls } = chain.place;
    const secret = present(bls.generateSecret(sha256(utf8(name))), 'a secret');
    return {
      consensusKey: present(bls.publicKeyOf(secret), 'a key'),
      possessionProof: present(bls.provePossession(secret), 'a proof'),
    };
  };
  const rotation = (
    chain: LedgerChain,
    name: string,
    validator = firstValidator(chain).address,
  ): Payload => ({
    ...{ kind: 'rotate', validator, ...keysOf(chain, name) },
  });

  it('gives a validator another consensus key, with its proof, and the power that it has', () => {
    const chain = new LedgerChain();
    const { nodeKey, text } = firstValidator(chain);
    const { consensusKey, possessionProof } = keysOf(chain, 'new');
    expect(chain.run(op0, rotation(chain, 'new'))).toMatchObject({ code: 0, log: '' });
    expect(chain.state.validators.get(toHex(nodeKey))).toEqual({
      ...{ nodeKey, consensusKey, possessionProof, power: 5n },
    });
    expect(chain.ask('/validator', text)).toMatchObject({
      consensus_key: toHex(consensusKey),
      stake: '5000',
    });
    // What follows keeps the new key.
    expect(
      chain.run(op0, { kind: 'stake', validator: firstValidator(chain).address, amount: 1_000n }).code,
    ).toBe(0);
    expect(chain.state.validators.get(toHex(nodeKey))).toMatchObject({ consensusKey, power: 6n });
  });

  it('leaves the old key with its validator: nobody else gets it, and the offender is punished under the new one', () => {
    const chain = new LedgerChain();
    const { consensusKey: old } = present(chain.place.validators[0], 'a validator');
    expect(chain.run(op0, rotation(chain, 'new')).code).toBe(0);
    expect(chain.run(ada, { ...registration(chain), consensusKey: old })).toMatchObject({
      code: 7,
      log: expect.stringContaining('has this consensus key'),
    });
    expect(chain.accuse(0)[0]?.type).toBe('ledger.punishment');
    expect(powerOf(chain, firstValidator(chain).nodeKey)).toBeUndefined();
    expect(chain.run(op0, rotation(chain, 'newer')).code).toBe(16);
  });

  it('is refused to strangers, without a proof, of a key that is another’s or its own, and of one that has left', () => {
    const chain = new LedgerChain();
    const [, second] = chain.place.validators;
    const { address } = firstValidator(chain);
    const base = { kind: 'rotate' as const, validator: address };
    const wrong: readonly (readonly [Key, Payload, number, string])[] = [
      [bob, rotation(chain, 'new'), 9, 'another account'],
      [op0, { ...base, ...keysOf(chain, 'new'), possessionProof: new Uint8Array(96) }, 7, 'does not verify'],
      [
        op0,
        { ...base, ...keysOf(chain, 'new'), consensusKey: present(second, 'one').consensusKey },
        7,
        `validator ${present(second, 'one').address} has this consensus key`,
      ],
      [op0, rotation(chain, 'new', addressOfNode), 8, 'ever been registered'],
    ];
    for (const [key, payload, code, words] of wrong)
      expect(chain.run(key, payload)).toMatchObject({ code, log: expect.stringContaining(words) });
    expect(chain.run(op0, rotation(chain, 'new')).code).toBe(0);
    expect(chain.run(op0, rotation(chain, 'new'))).toMatchObject({
      code: 7,
      log: expect.stringContaining('already'),
    });
    expect(chain.run(op0, { kind: 'unstake', validator: address, amount: 5_000n }).code).toBe(0);
    expect(chain.run(op0, rotation(chain, 'newer'))).toMatchObject({
      code: 10,
      log: expect.stringContaining('has left'),
    });
  });
});
