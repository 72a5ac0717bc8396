/**
 * The application `ledger`: accounts, fees, stake and evidence as the rules of a state of pairs. Deterministic; the one thing
 * kept beside the state is a bounded memory of what was verified. docs/ledger.md.
 */
import { toHex } from '../../base/bytes.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { ed25519Verify } from '../../crypto/ed25519.ts';
import { createRecentCache } from '../../crypto/recent-cache.ts';
import { nextHeight } from '../../protocol/chain/ordinals.ts';
import { addressBytes, digestBytes } from '../../protocol/chain/parse.ts';
import type { ChainDomain, Height } from '../../protocol/chain/types.ts';
import type { CheckResult, InitChainRequest } from '../../protocol/ports/application.ts';
import type { ApplicationEvent, TransactionResult } from '../../protocol/ports/storage.ts';
import type { BlockContext, Pair, StateReader, StateRules, StateWriter } from '../state/rules.ts';
import { accountOf, credit, debit, moveTotals, setAccount, shortOf } from './accounts.ts';
import { accountAddressOf, addressText } from './address.ts';
import { CODES, CODESPACE, type Refusal, refused } from './codes.ts';
import { type Crossings, createCrossings, stateNameOf } from './crossing.ts';
import { crossingEvents, eventsOf } from './events.ts';
import { punishAll } from './evidence.ts';
import { closeBlock, countWork, type Fee, feeOf, feeStateOf, refusalOfWork, workOf } from './fees.ts';
import { firstPairs } from './genesis.ts';
import { refusalOfLifetime } from './lifetime.ts';
import { parametersOf } from './parameters.ts';
import { answer } from './queries.ts';
import { ORDERING_KEY, orderingOf } from './sealed/parameters.ts';
import { withReveals } from './sealed/rules.ts';
import { depositOf, refusalOfOrdering, refusalOfSender, seal } from './sealed/seal.ts';
import { register, rotate, type StakeContext, stake, unstake, withdraw } from './stake.ts';
import { parseTransaction, type SigningDomain, signedPart, type Transaction } from './transaction.ts';
import { validatorRecordOf } from './validator-record.ts';

export interface LedgerOptions {
  /** The chain: what signatures are bound to. */
  readonly domain: ChainDomain;
  /** Checks new validators' proofs of possession. */
  readonly bls: BlsEngine;
  /** Its blocks carry VRF outputs (CS-17): without them a proposer could choose the order of sealed transfers (OR-5). */
  readonly vrf?: boolean;
}

/** A check admits nonces up to so many above the account's next one. @unit transactions @source chosen (LG-5) */
export const NONCE_GAP_MAX = 64n;
/** Each with its transaction, about 0.6 KB. @unit signatures @source chosen: about two full blocks, 10 MB */
const SIGNATURES_CACHED_MAX = 16_384;
/** Of the state's hash, and so of what other chains are shown of it. */
const [NAME, VERSION] = ['ledger', '2'];
const NOTHING: Uint8Array = new Uint8Array(0);

export function ledgerRules({ domain, bls, vrf }: LedgerOptions): StateRules {
  const signing: SigningDomain = { genesisHash: digestBytes(domain.genesisHash), chainId: domain.chainId };
  const signatures = createRecentCache<boolean>(SIGNATURES_CACHED_MAX);
  const isSigned = (bytes: Uint8Array, { publicKey, signature }: Transaction): boolean =>
    signatures.of(bytes, () => ed25519Verify(publicKey, signedPart(bytes, signing), signature));
  const registration = {
    domain: signing,
    verifyEd25519: ed25519Verify,
    verifyPossession: (key: Uint8Array, proof: Uint8Array) => bls.verifyPossession(key, proof),
  };
  const crossings = createCrossings(domain, bls, stateNameOf(NAME, VERSION));
  const admit = (bytes: Uint8Array, state: StateReader, { height }: BlockContext): Admitted | Refusal =>
    admission(bytes, state, height, isSigned);

  const rules: StateRules = {
    name: NAME,
    version: VERSION,
    begin(request) {
      refuseOtherChain(request, domain);
      const pairs = firstPairs(request, bls);
      refuseWithoutVrf(pairs, vrf);
      return pairs;
    },
    check: (bytes, state, height) => checked(bytes, state, height, { isSigned, crossings }),
    beginBlock: punishAll,
    execute(bytes, state, block) {
      const admitted = admit(bytes, state, block);
      if ('code' in admitted) return resultOf(admitted, 0n, []);
      charge(state, block, admitted);
      const { transaction, sender } = admitted;
      const refusal = act({ state, block, sender }, transaction, {
        register: (context, payload) => register(context, payload, transaction, registration),
        rotate: (context, payload) => rotate(context, payload, registration),
        seal: (context, payload) => seal(context, payload, transaction),
        cross: crossings.act,
      });
      const work = workOf(transaction.payload);
      return resultOf(
        refusal,
        work,
        refusal === undefined
          ? [...eventsOf(transaction, sender, admitted.fee), ...crossingEvents(transaction, state)]
          : [],
      );
    },
    settleFailed(bytes, state, block) {
      const admitted = admit(bytes, state, block);
      if (!('code' in admitted)) charge(state, block, admitted);
    },
    endBlock(state) {
      closeBlock(state, parametersOf(state));
      return [];
    },
    query: (path, data, state) => answer(path, data, state, domain),
  };
  return withReveals(rules, signing.genesisHash);
}

function refuseOtherChain({ chainId, genesisHash }: InitChainRequest, domain: ChainDomain): void {
  if (chainId !== domain.chainId) {
    throw new Error(`the ledger was made for chain "${domain.chainId}", the genesis is of "${chainId}"`);
  }
  if (genesisHash !== domain.genesisHash) {
    throw new Error(
      `the ledger was made for the genesis ${domain.genesisHash}, that of the node is ${genesisHash}`,
    );
  }
}

/** `vrf` is `params.vrf` of the genesis; where it is left out nothing is refused. */
function refuseWithoutVrf(pairs: readonly Pair[], vrf: boolean | undefined): void {
  if (vrf !== false || !pairs.some(([key]) => key === ORDERING_KEY)) return;
  throw new Error(
    "genesis app.state.parameters.ordering: commit_reveal takes its order from the blocks' VRF outputs: set params.vrf to true",
  );
}

type SignatureCheck = (bytes: Uint8Array, transaction: Transaction) => boolean;

/** A transaction that pays its fee, whether it then succeeds or not (LG-7). */
interface Admitted {
  readonly transaction: Transaction;
  readonly sender: Uint8Array;
  readonly fee: Fee;
}

/** LG-4 to LG-7 and LG-18, the cheap ones first: whoever has no coins costs no signature. */
function admission(
  bytes: Uint8Array,
  state: StateReader,
  height: Height,
  isSigned: SignatureCheck,
): Admitted | Refusal {
  const transaction = parseTransaction(bytes);
  if ('problem' in transaction) return refused(CODES.malformed, transaction.problem);
  const unwanted = refusalOfLifetime(transaction, height) ?? refusalOfOrdering(transaction, state);
  if (unwanted !== undefined) return unwanted;
  const sender = accountAddressOf(transaction.publicKey);
  const { nonce, balance } = accountOf(state, sender);
  if (transaction.nonce !== nonce) return wrongNonce(transaction.nonce, nonce);
  const feeState = feeStateOf(state);
  const full = refusalOfWork(feeState, parametersOf(state));
  if (full !== undefined) return full;
  const fee = feeOf(feeState.price, transaction, orderingOf(state)?.fee);
  if ('code' in fee) return fee;
  if (balance < fee.base + fee.tip) return shortOf(state, sender, balance, fee.base + fee.tip);
  return isSigned(bytes, transaction) ? { transaction, sender, fee } : unsigned(sender);
}

/**
 * For the mempool: a nonce may be a little ahead, and what is sent must be there too; LG-5 has what the mempool makes of the
 * sender.
 */
function checked(
  bytes: Uint8Array,
  state: StateReader,
  height: Height,
  { isSigned, crossings }: { readonly isSigned: SignatureCheck; readonly crossings: Crossings },
): CheckResult {
  const transaction = parseTransaction(bytes);
  if ('problem' in transaction) return checkResult(refused(CODES.malformed, transaction.problem));
  const unwanted =
    refusalOfLifetime(transaction, nextHeight(height)) ?? refusalOfOrdering(transaction, state);
  if (unwanted !== undefined) return checkResult(unwanted);
  const sender = accountAddressOf(transaction.publicKey);
  const { nonce, balance } = accountOf(state, sender);
  if (transaction.nonce < nonce || transaction.nonce > nonce + NONCE_GAP_MAX) {
    return checkResult(wrongNonce(transaction.nonce, nonce));
  }
  const fee = feeOf(feeStateOf(state).price, transaction, orderingOf(state)?.fee);
  if ('code' in fee) return checkResult(fee);
  const spent = spentBy(transaction, state) + fee.base + fee.tip;
  if (balance < spent) return checkResult(shortOf(state, sender, balance, spent));
  const harmless =
    refusalOfSeal(transaction, state, sender) ?? refusalOfCrossing(transaction, state, crossings);
  if (harmless !== undefined) return checkResult(harmless);
  if (!isSigned(bytes, transaction)) return checkResult(unsigned(sender));
  return {
    ...checkResult(undefined),
    priority: fee.tip,
    sender: { id: toHex(sender), sequence: transaction.nonce, next: nonce, cost: spent, funds: balance },
  };
}

function refusalOfSeal(
  { payload }: Transaction,
  state: StateReader,
  sender: Uint8Array,
): Refusal | undefined {
  const ordering = payload.kind === 'seal' ? orderingOf(state) : undefined;
  return ordering === undefined ? undefined : refusalOfSender(state, sender, ordering);
}

function refusalOfCrossing(
  { payload }: Transaction,
  state: StateReader,
  crossings: Crossings,
): Refusal | undefined {
  return 'chain' in payload ? crossings.refusalOf(payload, state) : undefined;
}

function charge(
  state: StateWriter,
  { proposer }: BlockContext,
  { transaction, sender, fee }: Admitted,
): void {
  const account = accountOf(state, sender);
  const balance = account.balance - fee.base - fee.tip;
  setAccount(state, sender, { nonce: account.nonce + 1n, balance });
  countWork(state, transaction.payload);
  const operator = fee.tip === 0n ? undefined : validatorRecordOf(state, addressBytes(proposer))?.operator;
  if (operator !== undefined) credit(state, operator, fee.tip);
  const burned = operator === undefined ? fee.base + fee.tip : fee.base;
  if (burned !== 0n) moveTotals(state, { burned });
}

interface Checked {
  readonly register: (context: StakeContext, payload: Parameters<typeof register>[1]) => Refusal | undefined;
  readonly rotate: (context: StakeContext, payload: Parameters<typeof rotate>[1]) => Refusal | undefined;
  readonly seal: (
    context: Omit<StakeContext, 'parameters'>,
    payload: Parameters<typeof seal>[1],
  ) => Refusal | undefined;
  readonly cross: Crossings['act'];
}

function act(
  place: Omit<StakeContext, 'parameters'>,
  { payload }: Transaction,
  rules: Checked,
): Refusal | undefined {
  const { state, sender } = place;
  if (payload.kind === 'transfer') {
    const short = debit(state, sender, payload.amount);
    if (short === undefined) credit(state, payload.to, payload.amount);
    return short;
  }
  if (payload.kind === 'seal') return rules.seal(place, payload);
  if ('chain' in payload) return rules.cross(place, payload);
  const context = { ...place, parameters: parametersOf(state) };
  switch (payload.kind) {
    case 'register':
      return rules.register(context, payload);
    case 'rotate':
      return rules.rotate(context, payload);
    case 'stake':
      return stake(context, payload);
    case 'unstake':
      return unstake(context, payload);
    case 'withdraw':
      return withdraw(context, payload);
  }
}

/** What leaves the account's balance besides the fee. */
function spentBy({ payload }: Transaction, state: StateReader): bigint {
  switch (payload.kind) {
    case 'transfer':
    case 'send':
    case 'register':
    case 'stake':
      return payload.amount;
    case 'seal': {
      const ordering = orderingOf(state);
      return ordering === undefined ? 0n : depositOf(ordering, payload.sizeClass);
    }
    default:
      return 0n;
  }
}

const wrongNonce = (nonce: bigint, next: bigint): Refusal =>
  refused(
    CODES.nonceWrong,
    `nonce ${nonce}, and the next of this account is ${next}${nonce < next ? ': it was done already' : ''}`,
  );

const unsigned = (sender: Uint8Array): Refusal =>
  refused(
    CODES.signatureWrong,
    `the signature is not that of ${addressText(sender)} for this chain: sign with its key, the chain id and the genesis hash`,
  );

const checkResult = (refusal: Refusal | undefined): CheckResult => ({
  code: refusal?.code ?? CODES.ok,
  log: refusal?.log ?? '',
  codespace: CODESPACE,
  priority: 0n,
});

const resultOf = (
  refusal: Refusal | undefined,
  work: bigint,
  events: readonly ApplicationEvent[],
): TransactionResult => ({
  code: refusal?.code ?? CODES.ok,
  data: NOTHING,
  log: refusal?.log ?? '',
  codespace: CODESPACE,
  gasWanted: work,
  gasUsed: work,
  events,
});
