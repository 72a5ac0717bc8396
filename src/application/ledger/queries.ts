/** What the ledger answers when it is asked: JSON for readers, amounts as texts of whole units. Pure. LG-15, docs/ledger.md. */
import { fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { addressBytes } from '../../protocol/chain/parse.ts';
import type { ChainDomain } from '../../protocol/chain/types.ts';
import { addressOf } from '../../protocol/chain/validator-set.ts';
import type { StateReader } from '../state/rules.ts';
import { accountOf, totalsOf } from './accounts.ts';
import { addressText, parseAddressText } from './address.ts';
import { chainCountOf, netReceivedOf } from './chains.ts';
import { chainsJson, outboxJson } from './chains-json.ts';
import { CODES } from './codes.ts';
import { feeStateOf, WORK } from './fees.ts';
import { parametersJson } from './genesis.ts';
import { parametersOf } from './parameters.ts';
import { orderingJson, orderingOf } from './sealed/parameters.ts';
import { sealJson } from './sealed/queries.ts';
import { queueOf } from './sealed/records.ts';
import { SEAL_WORK } from './sealed/seal.ts';
import { neverRegistered, type ValidatorRecord, validatorRecordOf } from './validator-record.ts';

export interface Answer {
  readonly code: number;
  readonly log: string;
  readonly value: Uint8Array;
}

type Question = (
  text: string,
  state: StateReader,
  domain: ChainDomain,
) => object | { readonly problem: string };

const QUESTIONS: ReadonlyMap<string, Question> = new Map<string, Question>([
  ['/account', account],
  ['/validator', validator],
  ['/validators', validators],
  ['/supply', supply],
  ['/parameters', parameters],
  ['/fee', fee],
  ['/seal', sealJson],
  ['/chains', (_, state) => chainsJson(state)],
  ['/outbox', outboxJson],
]);

export function answer(path: string, data: Uint8Array, state: StateReader, domain: ChainDomain): Answer {
  const question = QUESTIONS.get(path);
  if (question === undefined) {
    return bad(`unknown path '${path}': there are ${[...QUESTIONS.keys()].join(', ')}`);
  }
  const found = question(new TextDecoder().decode(data), state, domain);
  if ('problem' in found) return bad(found.problem);
  return { code: CODES.ok, log: '', value: utf8(JSON.stringify(found)) };
}

/** The data is the address, as `al1…`. One that nobody has paid has nothing. */
function account(text: string, state: StateReader) {
  const address = parseAddressText(text);
  if ('problem' in address) return address;
  const { nonce, balance } = accountOf(state, address);
  return { address: text, nonce: nonce.toString(), balance: balance.toString() };
}

/** The data is the address of the validator, 40 hexadecimal letters. */
function validator(text: string, state: StateReader) {
  const address = /^[0-9a-f]{40}$/.test(text) ? fromHex(text) : undefined;
  if (address === undefined) return { problem: 'give the 40 letters of a validator, as show-node-id says' };
  const record = validatorRecordOf(state, address);
  if (record === undefined) return { problem: neverRegistered(text).log };
  return recordJson(text, record, state);
}

/** Those in the set, by address. */
function validators(_: string, state: StateReader) {
  const found = [...state.validators.values()].flatMap(({ nodeKey }) => {
    const address = addressOf(nodeKey);
    const record = validatorRecordOf(state, addressBytes(address));
    return record === undefined ? [] : [recordJson(address, record, state)];
  });
  return found.sort((left, right) => (left.address < right.address ? -1 : 1));
}

function supply(_: string, state: StateReader) {
  const { genesis, burned, staked, unbonding } = totalsOf(state);
  const { deposits } = queueOf(state);
  const received = netReceivedOf(state);
  return {
    genesis: genesis.toString(),
    ...(chainCountOf(state) === 0 ? {} : { net_received: received.toString() }),
    burned: burned.toString(),
    staked: staked.toString(),
    unbonding: unbonding.toString(),
    deposits: deposits.toString(),
    circulating: (genesis + received - burned - staked - unbonding - deposits).toString(),
  };
}

/** With what a signature is bound to. */
function parameters(_: string, state: StateReader, { chainId, genesisHash }: ChainDomain) {
  const chosen = { ...parametersJson(parametersOf(state)), ...orderingJson(orderingOf(state)) };
  return { chain_id: chainId, genesis_hash: genesisHash, ...chosen };
}

function fee(_: string, state: StateReader) {
  const { price, work } = feeStateOf(state);
  return {
    price: price.toString(),
    block_work: work.toString(),
    work: Object.fromEntries(
      Object.entries({ ...WORK, ...SEAL_WORK }).map(([kind, units]) => [kind, Number(units)]),
    ),
  };
}

const recordJson = (address: string, record: ValidatorRecord, state: StateReader) => ({
  address,
  node_key: toHex(record.nodeKey),
  consensus_key: toHex(record.consensusKey),
  operator: addressText(record.operator),
  power: (state.validators.get(toHex(record.nodeKey))?.power ?? 0n).toString(),
  stake: record.stake.toString(),
  jailed_at: record.jailedAt === 0n ? null : record.jailedAt.toString(),
  unbondings: record.unbondings.map(({ amount, releaseHeight }) => ({
    amount: amount.toString(),
    release_height: releaseHeight.toString(),
  })),
});

const bad = (log: string): Answer => ({ code: CODES.badQuery, log, value: new Uint8Array(0) });
