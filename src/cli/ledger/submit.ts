/** From a command to a committed transaction of the ledger, and what is told of it. Boundary: HTTP, key files, stdout. */

import { accountAddressOf } from '../../application/ledger/address.ts';
import { coinsText } from '../../application/ledger/amount.ts';
import { type Payload, registrationBytes } from '../../application/ledger/transaction.ts';
import { loadBlsEngine } from '../../crypto/bls/select.ts';
import { ed25519Sign } from '../../crypto/ed25519.ts';
import { homePaths } from '../../node/config/home.ts';
import { readPassphrase } from '../../node/config/passphrase.ts';
import { describeKeyProblem } from '../../storage/key-problems.ts';
import { loadIdentity, loadKeys, type NodeIdentity } from '../../storage/key-store.ts';
import type { TargetOptions } from '../command.ts';
import { runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput, fields } from '../output.ts';
import { targetOf } from '../rpc-client.ts';
import { amountOfText, unitsOfText, validatorOf } from './arguments.ts';
import { askChain, askTurn, askValidator, readKey, type Sending, send } from './client.ts';
import { transferSealed } from './sealed.ts';

/** LG-9, CS-16: a commit of the transaction is not yet a vote. */
const POWER_WORDS = [
  "its power counts from the next epoch on, some blocks from now: `althing status` of the validator's node shows it",
];
const CHANGES_POWER: ReadonlySet<Payload['kind']> = new Set(['register', 'stake', 'unstake']);

/** @param payloadFor gets a reader of amounts in the chain's own coin */
export async function submit(
  options: TargetOptions & { readonly key: string; readonly tip: string; readonly also?: string },
  payloadFor: (sending: Sending, unitsOf: (text: string) => bigint) => Payload | Promise<Payload>,
): Promise<void> {
  const key = readKey(options.key);
  const target = targetOf(options);
  const chain = await askChain(target);
  const tip = unitsOfText(options.tip, chain);
  const others = (options.also?.split(',') ?? []).map((rpc) => targetOf({ rpc }));
  const turn = await askTurn(target, key.address, others);
  const sending = { target, chain, key, turn };
  const payload = await payloadFor(sending, (text) => amountOfText(text, chain));
  if (chain.sealFee !== undefined && (payload.kind === 'transfer' || payload.kind === 'send')) {
    const content = { transfers: [payload], chain: payload.kind === 'send' ? payload.chain : undefined };
    return transferSealed(options.key, sending, content, tip, createOutput(options.json === true));
  }
  const { hash, outcome, took } = await send(sending, payload, tip);
  const amount = 'amount' in payload ? payload.amount : undefined;
  createOutput(options.json === true).data(
    {
      kind: payload.kind,
      hash,
      height: String(outcome.height),
      ...(amount === undefined ? {} : { amount: amount.toString() }),
    },
    [
      ...fields([
        ['committed', `height ${outcome.height}, after ${took}`],
        ['hash', hash],
        [payload.kind, amount === undefined ? 'done' : coinsText(amount, chain)],
      ]),
      ...(CHANGES_POWER.has(payload.kind) ? POWER_WORDS : []),
    ],
  );
}

/** More stake for a validator that is there; else the registration of the home's node. */
export async function stakePayload(
  options: { readonly validator?: string; readonly home?: string },
  amount: bigint,
  { target, chain, key, turn }: Sending,
): Promise<Payload> {
  const { text, bytes } = validatorOf(options);
  const found = await askValidator(target, text);
  if (found !== undefined && found.stake > 0n) return { kind: 'stake', validator: bytes, amount };
  if (options.home === undefined) {
    throw usageFailure(
      `validator ${text} has no stake yet: give --home DIR of its node, whose keys register it`,
    );
  }
  return registration(options.home, text, amount, { chain, key, turn });
}

/** LG-19: the newest consensus key of the home, which `althing rotate-key` made. */
export function rotatePayload(home: string): Payload {
  const { nodeId, consensusKey, possession } = shownIdentity(home);
  const { bytes } = validatorOf({ validator: nodeId });
  return { kind: 'rotate', validator: bytes, consensusKey, possessionProof: possession };
}

function shownIdentity(home: string): NodeIdentity {
  const shown = loadIdentity(homePaths(home).keys);
  if (shown.status === 'refused') throw runtimeFailure(describeKeyProblem(shown.problem));
  return shown.identity;
}

async function registration(
  home: string,
  validator: string,
  amount: bigint,
  { chain, key, turn }: Omit<Sending, 'target'>,
): Promise<Payload> {
  const { engine } = await loadBlsEngine();
  const passphrase = readPassphrase(process.env);
  const folder = homePaths(home).keys;
  const keys = loadKeys(folder, { engine, ...(passphrase === undefined ? {} : { passphrase }) });
  if (keys.status === 'refused') throw runtimeFailure(describeKeyProblem(keys.problem));
  // The newest consensus key, with its proof: the home may have made one beside its first (LG-19).
  const { nodeKey, consensusKey, nodeId, possession: possessionProof } = shownIdentity(home);
  if (nodeId !== validator) {
    throw usageFailure(
      `--validator ${validator} is not the node of ${home}, which is ${nodeId}: leave it away`,
    );
  }
  const message = registrationBytes(consensusKey, accountAddressOf(key.publicKey), turn, chain.domain);
  const nodeSignature = ed25519Sign(keys.keys.nodeSecret, message) ?? new Uint8Array();
  return { kind: 'register', nodeKey, consensusKey, possessionProof, nodeSignature, amount };
}
