import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes, toHex } from '../../../src/base/bytes.ts';
import { wallTime } from '../../../src/base/units.ts';
import {
  DEFAULT_CHAIN_PARAMETERS,
  type GenesisDocument,
  genesisHash,
  genesisToJson,
  type PossessionVerifier,
  parseGenesis,
} from '../../../src/protocol/chain/genesis.ts';
import { addressOf } from '../../../src/protocol/chain/validator-set.ts';

/** A proof that anyone can make and check: the rules of the document are under test, not the pairing. */
const proofOf = (key: Uint8Array): Uint8Array =>
  new Uint8Array(
    Buffer.concat([1, 2, 3].map((round) => createHash('sha256').update(key).update(`${round}`).digest())),
  );
const bls: PossessionVerifier = { verifyPossession: (key, proof) => equalBytes(proofOf(key), proof) };

function documentOf(validators: number, change: Partial<GenesisDocument> = {}): GenesisDocument {
  return {
    chainId: 'test-chain',
    genesisTime: wallTime(Date.UTC(2026, 0, 31, 12, 0, 0, 250)),
    validators: Array.from({ length: validators }, (_, index) => {
      const nodeKey = new Uint8Array(32).fill(index + 1);
      const consensusKey = new Uint8Array(48).fill(index + 101);
      return {
        address: addressOf(nodeKey),
        nodeKey,
        consensusKey,
        possessionProof: proofOf(consensusKey),
        power: BigInt(index + 1),
        name: `validator ${index}`,
      };
    }),
    parameters: DEFAULT_CHAIN_PARAMETERS,
    application: { name: 'kv', state: { balances: { ada: 1, bob: [2, 3] } } },
    ...change,
  };
}

type Json = Record<string, unknown>;
/** The document as JSON text would give it, changed at one dotted path. */
function jsonWith(path: string, value: unknown, validators = 4): Json {
  const json: Json = JSON.parse(JSON.stringify(genesisToJson(documentOf(validators))));
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  const parent = keys.reduce<Json>((at, key) => Object(at[key]), json);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return json;
}

function problems(json: unknown): readonly string[] {
  const ruling = parseGenesis(json, bls);
  if (ruling.status === 'valid') return [];
  return ruling.problems.map(({ path, value, message }) => `${path} = ${value}: ${message}`);
}

describe('a valid document', () => {
  it('comes back from its JSON unchanged, hash included', () => {
    const genesis = documentOf(4);
    const ruling = parseGenesis(JSON.parse(JSON.stringify(genesisToJson(genesis))), bls);
    expect(ruling).toEqual({ status: 'valid', genesis, hash: genesisHash(genesis) });
  });

  it('has one hash whatever the indentation, the order of keys and validators, the style of powers', () => {
    const json = jsonWith('chain_id', 'test-chain');
    const validators = Object.values(Object(json['validators'])).toReversed();
    const shuffled = Object.fromEntries(Object.entries({ ...json, validators }).toReversed());
    const app = { state: { balances: { bob: [2, 3], ada: 1 } }, name: 'kv' };
    const restyled = JSON.parse(
      JSON.stringify({ ...shuffled, app }, undefined, 7)
        .replace('"power": "3"', '"power": 3')
        .replace('.250Z', '.25000Z'),
    );
    const hash = genesisHash(documentOf(4));
    expect(parseGenesis(restyled, bls)).toMatchObject({ status: 'valid', hash });
  });

  it('has another hash after any change of meaning', () => {
    const base = documentOf(2);
    const [first, second] = base.validators;
    if (first === undefined || second === undefined) throw new Error('two validators');
    const changed: readonly Partial<GenesisDocument>[] = [
      { chainId: 'test-chain2' },
      { genesisTime: wallTime(base.genesisTime + 1) },
      { validators: [first] },
      { validators: [first, { ...second, power: 3n }] },
      { validators: [first, { ...second, name: 'other' }] },
      { application: { name: 'kv', state: { balances: { ada: 1, bob: [3, 2] } } } },
      { application: { name: 'vk', state: base.application.state } },
      ...Object.entries(base.parameters).flatMap(([name, value]) =>
        typeof value === 'number' ? [{ parameters: { ...base.parameters, [name]: value + 1 } }] : [],
      ),
    ];
    const hashes = [base, ...changed.map((change) => ({ ...base, ...change }))].map(genesisHash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('has this hash for ever: a change of the canonical bytes would split chains', () => {
    expect(genesisHash(documentOf(2))).toMatchInlineSnapshot(
      `"23d7a702e6b13f82c2f86e45681f2b5382d7495185f764449bf60e3c9d3ee63d"`,
    );
  });

  it('may leave away what it does not choose of leaders, and has the hash of one that says false', () => {
    const json = jsonWith('params.vrf', undefined);
    delete Object(json['params'])['leader_reputation'];
    expect(parseGenesis(json, bls)).toEqual({
      status: 'valid',
      genesis: documentOf(4),
      hash: genesisHash(documentOf(4)),
    });
  });

  it('may draw its leaders by stake, with reputation, and comes back unchanged (CS-15, CS-17)', () => {
    const parameters = {
      ...DEFAULT_CHAIN_PARAMETERS,
      leaderSchedule: 'stake_weighted',
      leaderReputation: true,
      vrf: true,
    } as const;
    const genesis = documentOf(4, { parameters });
    const ruling = parseGenesis(JSON.parse(JSON.stringify(genesisToJson(genesis))), bls);
    expect(ruling).toEqual({ status: 'valid', genesis, hash: genesisHash(genesis) });
    const without = [
      { leaderReputation: false },
      { leaderSchedule: 'round_robin' },
      { leaderSchedule: 'round_robin', vrf: false },
    ] as const;
    const hashes = [{}, ...without].map((change) =>
      genesisHash(documentOf(4, { parameters: { ...parameters, ...change } })),
    );
    expect(new Set(hashes).size).toBe(4);
  });

  it('may have one validator (CS-18)', () => {
    expect(parseGenesis(genesisToJson(documentOf(1)), bls).status).toBe('valid');
  });
});

describe('what is refused, by path, value and advice', () => {
  it.each([
    [
      'chain_id',
      '',
      'chain_id = "": must be 1 to 50 letters, digits, ".", "_" or "-", beginning with a letter or digit',
    ],
    [
      'genesis_time',
      '2026-02-30T00:00:00Z',
      'genesis_time = "2026-02-30T00:00:00Z": must be a UTC time in whole milliseconds, for example "2026-01-31T12:00:00Z"',
    ],
    [
      'genesis_time',
      '2026-01-31T12:00:00.1234Z',
      'genesis_time = "2026-01-31T12:00:00.1234Z": must be a UTC time in whole milliseconds, for example "2026-01-31T12:00:00Z"',
    ],
    [
      'genesis_time',
      undefined,
      'genesis_time = missing: must be a UTC time in whole milliseconds, for example "2026-01-31T12:00:00Z"',
    ],
    ['validators', [], 'validators = a list of 0: give at least one validator'],
    ['validators', {}, 'validators = an object: must be a list'],
    [
      'validators.1.power',
      '0',
      'validators[1].power = "0": must be a whole number above 0, as a string of digits ("10")',
    ],
    [
      'validators.1.power',
      '-3',
      'validators[1].power = "-3": must be a whole number above 0, as a string of digits ("10")',
    ],
    [
      'validators.1.power',
      1.5,
      'validators[1].power = 1.5: must be a whole number above 0, as a string of digits ("10")',
    ],
    [
      'validators.2.node_key',
      'abcd',
      'validators[2].node_key = "abcd": must be 32 bytes as 64 hexadecimal digits',
    ],
    [
      'validators.0.naem',
      'x',
      'validators[0].naem = "x": unknown key; the keys here are address, name, power, node_key, consensus_key, possession_proof',
    ],
    [
      'params.leader_schedule',
      'random',
      'params.leader_schedule = "random": must be one of "round_robin", "stake_weighted"',
    ],
    [
      'params.leader_schedule',
      'stake_weighted',
      'params.vrf = false: must be true with leader_schedule "stake_weighted": without it everyone could compute the leaders of every epoch to come',
    ],
    ['params.leader_reputation', 'yes', 'params.leader_reputation = "yes": must be true or false'],
    ['params.vrf', 1, 'params.vrf = 1: must be true or false'],
    ['params.epoch_length', -1, 'params.epoch_length = -1: must be a whole number from 0 to 1099511627776'],
    [
      'params.block_bytes_max',
      2048,
      'params.batch_bytes_max = 1048576: must not exceed block_bytes_max (2048)',
    ],
    [
      'params.deduplication_heights',
      10,
      'params.batch_ttl_heights = 1000: must not exceed deduplication_heights (10)',
    ],
    ['app.name', 'KV', 'app.name = "KV": must be the name of an application, for example "kv"'],
    [
      'app.state',
      undefined,
      'app.state = missing: must be a JSON value of at most 32 levels; use {} for none',
    ],
    [
      'initial_height',
      '1',
      'initial_height = "1": unknown key; the keys here are chain_id, genesis_time, validators, params, app',
    ],
  ])('%s = %j', (path, value, expected) => {
    expect(problems(jsonWith(path, value))).toEqual([expected]);
  });

  it("an address that is not the key's", () => {
    const [found] = problems(jsonWith('validators.1.address', '00'.repeat(20)));
    expect(found).toContain(
      `does not belong to node_key, whose address is ${addressOf(new Uint8Array(32).fill(2))}`,
    );
  });

  it('a key that two validators have', () => {
    const json = jsonWith('chain_id', 'x');
    const [first, ...rest] = Object.values(Object(json['validators']));
    const twice = { ...json, validators: [first, ...rest, first] };
    expect(problems(twice).map((line) => line.split(' = ')[0])).toEqual([
      'validators[4].node_key',
      'validators[4].consensus_key',
    ]);
  });

  it('a consensus key without proof of possession: a rogue key', () => {
    const rogue = toHex(new Uint8Array(48).fill(77));
    expect(problems(jsonWith('validators.3.consensus_key', rogue))[0]).toContain(
      'does not prove possession of consensus_key',
    );
  });

  it('a total power of 2^60, but not of 2^60 - 1', () => {
    // The others have 1 + 2 + 3.
    const withPower = (power: bigint): readonly string[] =>
      problems(jsonWith('validators.3.power', power.toString()));
    expect(withPower(2n ** 60n - 7n)).toEqual([]);
    expect(withPower(2n ** 60n - 6n)).toEqual([
      'validators = "1152921504606846976": the total power must be below 2^60; scale the powers down',
    ]);
  });

  it('every problem at once, up to 20', () => {
    const json = jsonWith(
      'validators',
      Array.from({ length: 9 }, () => ({})),
    );
    expect(problems(json)).toHaveLength(20);
  });
});

describe('any JSON at all', () => {
  it('is ruled on without a throw', () => {
    fc.assert(fc.property(fc.jsonValue(), (json) => parseGenesis(json, bls).status === 'invalid'));
  });

  it('in any field gives a ruling, and a valid one comes back the same', () => {
    const paths = [
      'chain_id',
      'genesis_time',
      'validators',
      'validators.0',
      'validators.0.power',
      'params',
      'params.epoch_length',
      'app',
      'app.state',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const ruling = parseGenesis(jsonWith(path, value, 2), bls);
        if (ruling.status === 'invalid') return;
        const again = parseGenesis(JSON.parse(JSON.stringify(genesisToJson(ruling.genesis))), bls);
        expect(again).toMatchObject({ status: 'valid', hash: ruling.hash });
      }),
    );
  });

  it('nested without end is refused, not followed', () => {
    const deep = JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`);
    expect(problems(jsonWith('app.state', deep))).toEqual([
      'app.state = a list of 1: must be a JSON value of at most 32 levels; use {} for none',
    ]);
  });
});
