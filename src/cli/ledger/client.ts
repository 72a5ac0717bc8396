/** What the ledger's commands ask a node, sign and send. Boundary: HTTP and key files. docs/ledger.md, "Commands". */
import { z } from 'zod';
import { accountAddressOf, addressText } from '../../application/ledger/address.ts';
import type { Denomination } from '../../application/ledger/amount.ts';
import { CODES } from '../../application/ledger/codes.ts';
import { LIFETIME_HEIGHTS_MAX } from '../../application/ledger/lifetime.ts';
import { placesOf } from '../../application/ledger/sealed/content.ts';
import { OUTCOMES } from '../../application/ledger/sealed/records.ts';
import {
  type Payload,
  type SigningDomain,
  signTransaction,
  type UnsignedTransaction,
} from '../../application/ledger/transaction.ts';
import { fromHex } from '../../base/bytes.ts';
import { readPassphrase } from '../../node/config/passphrase.ts';
import { SIZE_CLASSES } from '../../protocol/ordering/size-classes.ts';
import { createAccountKey, loadAccountKey } from '../../storage/account-key.ts';
import { describeKeyProblem } from '../../storage/key-problems.ts';
import { askHeights, type Committed, type Ended, endOperation, wordsOfEnd } from '../commit.ts';
import { configFailure, runtimeFailure, usageFailure } from '../failure.ts';
import { pause } from '../pause.ts';
import { callRpc, type RpcTarget } from '../rpc-client.ts';
import { QUERY } from '../shapes.ts';

export interface AccountKey {
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: string;
}

/** What a transaction has of its account and of the time. */
export type Turn = Pick<UnsignedTransaction, 'nonce' | 'lastHeight'>;

/** By whom, when and where a transaction is signed and sent. */
export interface Sending {
  readonly target: RpcTarget;
  readonly chain: LedgerChain;
  readonly key: AccountKey;
  readonly turn: Turn;
}

/** The chain that a node runs: how it writes amounts, and what signatures for it are bound to. */
export interface LedgerChain extends Denomination {
  readonly domain: SigningDomain;
  /** It takes transfers sealed (LG-20): beside the base fee, so much for each place. @unit units */
  readonly sealFee: bigint | undefined;
}

const units = z
  .string()
  .regex(/^[0-9]{1,20}$/)
  .transform(BigInt);
/** Of the answer to `/parameters`, and of that to `/fee`. */
export const PARAMETERS = z.object({
  chain_id: z.string(),
  genesis_hash: z.string().regex(/^[0-9a-f]{64}$/),
  symbol: z.string(),
  decimals: z.int().min(0).max(18),
  ordering: z.enum(['plain', 'commit_reveal']).optional(),
  seal_fee: units.optional(),
});
const ACCOUNT = z.object({ nonce: units, balance: units });
export const FEE = z.object({ price: units, work: z.record(z.string(), z.int().min(0)) });
const SUPPLY = z.object({
  genesis: units,
  circulating: units,
  staked: units,
  unbonding: units,
  deposits: units,
  burned: units,
});
const height = z.int().min(0);
const SEAL = z.discriminatedUnion('status', [
  z.object({ status: z.literal('unknown') }),
  z.object({ status: z.literal('sealed'), height }),
  z.object({ status: z.literal('revealed'), height }),
  z.object({
    ...{ status: z.enum(OUTCOMES), height, closed_at: height },
    place: z.int().min(0),
  }),
]);
export type SealAnswer = z.infer<typeof SEAL>;
const VALIDATOR = z.object({
  address: z.string(),
  operator: z.string(),
  power: z.string(),
  stake: units,
  jailed_at: z.string().nullable(),
  unbondings: z.array(z.object({ amount: units, release_height: z.string() })),
});
export type ValidatorAnswer = z.infer<typeof VALIDATOR>;

/** The base fee may rise while a transaction waits: so many times today's is allowed. @source LG-8: six full blocks */
const FEE_ROOM = 2n;
/** From the newest height to the last one at which a transaction may execute. @unit heights @source half of what the chain takes (LG-18): a node may be behind */
const LIFETIME_HEIGHTS = LIFETIME_HEIGHTS_MAX / 2;
/** For nodes that answer later than the first, or not at all. @unit ms @source chosen: what a user bears */
const NONCE_WAIT_MS = 2_000;

export const askChain = async (target: RpcTarget): Promise<LedgerChain> =>
  chainOf(await ask(target, '/parameters', '', PARAMETERS));

export function chainOf(found: z.infer<typeof PARAMETERS>): LedgerChain {
  const genesisHash = fromHex(found.genesis_hash) ?? new Uint8Array();
  const { symbol, decimals, chain_id: chainId } = found;
  const sealFee = found.ordering === 'commit_reveal' ? (found.seal_fee ?? 0n) : undefined;
  return { symbol, decimals, domain: { chainId, genesisHash }, sealFee };
}

/**
 * The account's next nonce, by the node that is furthest: one that is behind would have a transaction signed that is done already.
 * All are asked at once; after the first answer the others have NONCE_WAIT_MS. Rejects in words where none answers.
 */
export async function askNonce(targets: readonly RpcTarget[], address: string): Promise<bigint> {
  const ended = new AbortController();
  let greatest = 0n;
  const asked = targets.map(async (target) => {
    const { nonce } = await ask(target, '/account', address, ACCOUNT, { signal: ended.signal });
    if (nonce > greatest) greatest = nonce;
  });
  try {
    await Promise.any(asked).catch((cause: unknown) => {
      throw cause instanceof AggregateError ? cause.errors[0] : cause;
    });
    await Promise.race([Promise.allSettled(asked), pause(NONCE_WAIT_MS, ended.signal)]);
    return greatest;
  } finally {
    ended.abort();
  }
}

export const askAccount = (target: RpcTarget, address: string) => ask(target, '/account', address, ACCOUNT);
export const askSupply = (target: RpcTarget) => ask(target, '/supply', '', SUPPLY);
export const askValidators = (target: RpcTarget) => ask(target, '/validators', '', z.array(VALIDATOR));

/** What the state of a height knows of a seal. */
export async function askSeal(
  target: RpcTarget,
  id: string,
): Promise<{ readonly height: number; readonly seal: SealAnswer }> {
  const { response } = await query(target, '/seal', id);
  if (response.code !== 0) throw runtimeFailure(`${response.log} (code ${response.code})`);
  return { height: Number(response.height), seal: answerOf(response.value, SEAL) };
}

/** Undefined where no validator has ever had this address. */
export async function askValidator(target: RpcTarget, address: string): Promise<ValidatorAnswer | undefined> {
  const { response } = await query(target, '/validator', address);
  return response.code === 0 ? answerOf(response.value, VALIDATOR) : undefined;
}

/** The place of a transaction that is signed now: the account's next nonce, and the last height. @param others asked for the nonce too */
export async function askTurn(
  target: RpcTarget,
  address: string,
  others: readonly RpcTarget[] = [],
): Promise<Turn> {
  const { height, expires_at_height_max: highest } = await askHeights(target);
  const nonce = await askNonce([target, ...others], address);
  return { nonce, lastHeight: BigInt(Math.min(height + LIFETIME_HEIGHTS, highest)) };
}

/** What a transaction of this kind may cost, without a tip. @unit units */
export const feeMaxFor = ({ price, work }: z.infer<typeof FEE>, kind: string): bigint =>
  FEE_ROOM * price * BigInt(work[kind] ?? 0);

/**
 * Signs with its turn and today's fee, sends it as an operation that expires at the height that is signed, and waits for the end.
 * Fails in words.
 */
export async function send(sending: Sending, payload: Payload, tip: bigint): Promise<Committed> {
  const { target, key, turn } = sending;
  const signed = await signedFor(sending, payload, tip);
  const ended = await endOperation(target, signed, { expiresAtHeight: Number(turn.lastHeight) });
  const { outcome } = ended;
  if (outcome.status === 'committed' && outcome.result.code === 0) return { ...ended, outcome };
  throw runtimeFailure(await wordsOfFailure(ended, { target, key, turn }));
}

/** With its turn and today's fee. */
export async function signedFor(
  { target, chain, key, turn }: Sending,
  payload: Payload,
  tip: bigint,
): Promise<Uint8Array> {
  const fee = await ask(target, '/fee', '', FEE);
  const base =
    payload.kind === 'seal'
      ? feeMaxFor(fee, `seal_${SIZE_CLASSES[payload.sizeClass].name}`) +
        (chain.sealFee ?? 0n) * BigInt(placesOf(payload.sizeClass))
      : feeMaxFor(fee, payload.kind);
  const unsigned = { publicKey: key.publicKey, ...turn, feeMax: base + tip, tip, payload };
  return signTransaction(unsigned, key.secret, chain.domain);
}

/**
 * An operation that did nothing. But until its last height whoever saw the transaction could send it on in another operation, and it
 * is done once then: what the account's nonce says above that height is final (LG-18).
 */
async function wordsOfFailure(
  { hash, outcome }: Ended,
  { target, key, turn }: Omit<Sending, 'chain'>,
): Promise<string> {
  if (outcome.status === 'rejected') return wordsOfEnd(hash, outcome);
  const words =
    outcome.status === 'committed'
      ? `in block ${outcome.height}, but it failed: ${outcome.result.log} (code ${outcome.result.code})`
      : wordsOfEnd(hash, outcome);
  if (outcome.status === 'committed' && outcome.result.code !== CODES.nonceWrong) return words;
  const { nonce } = await ask(target, '/account', key.address, ACCOUNT, { heightMin: outcome.height });
  if (nonce <= turn.nonce) return words;
  return (
    `operation ${hash} did nothing up to height ${outcome.height}, but this account has done a transaction of nonce ${turn.nonce}: ` +
    'this one, which somebody sent on in another operation, or another of yours; look at the balances before you send it again'
  );
}

export function newKey(path: string): AccountKey {
  const made = createAccountKey(path, readPassphrase(process.env));
  if (made.status === 'refused' && made.problem.code === 'KEY_FILE_EXISTS')
    throw usageFailure(`${path}: is there already, and is never written over: name another file`);
  if (made.status === 'refused' && made.problem.code === 'KEY_FOLDER_MISSING')
    throw usageFailure(describeKeyProblem(made.problem));
  return keyFrom(made);
}
export const readKey = (path: string): AccountKey =>
  keyFrom(loadAccountKey(path, readPassphrase(process.env)));

function keyFrom(result: ReturnType<typeof loadAccountKey>): AccountKey {
  if (result.status === 'refused') {
    const { path } = result.problem;
    const message = describeKeyProblem(result.problem).slice(path.length + 2);
    throw configFailure([{ where: path, message }]);
  }
  const { secret, publicKey } = result;
  return { secret, publicKey, address: addressText(accountAddressOf(publicKey)) };
}

interface AskOptions {
  /** An answer for a lower height is refused. */
  readonly heightMin?: number;
  readonly signal?: AbortSignal;
}

async function ask<Value>(
  target: RpcTarget,
  path: string,
  text: string,
  schema: z.ZodType<Value>,
  { heightMin = 0, signal }: AskOptions = {},
): Promise<Value> {
  const { response } = await query(target, path, text, signal);
  if (Number(response.height) < heightMin) {
    throw runtimeFailure(
      `${target.url} answers for height ${response.height}, and has told of height ${heightMin}: ask 'althing ledger balance' when it is there again`,
    );
  }
  if (response.code === 0) return answerOf(response.value, schema);
  throw runtimeFailure(
    response.log.startsWith('unknown path')
      ? `the application of ${target.url} is no ledger: start a network with 'althing --application ledger'`
      : `${response.log} (code ${response.code})`,
  );
}

const query = (target: RpcTarget, path: string, text: string, signal?: AbortSignal) =>
  callRpc(target, 'abci_query', { path, data: Buffer.from(text, 'utf8').toString('hex') }, QUERY, signal);

function answerOf<Value>(base64: string | null, schema: z.ZodType<Value>): Value {
  const checked = schema.safeParse(jsonOf(Buffer.from(base64 ?? '', 'base64').toString('utf8')));
  if (checked.success) return checked.data;
  throw runtimeFailure('the node answers in another shape than a ledger does: is it of this version?');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
