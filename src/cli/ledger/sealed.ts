/**
 * A transfer on a chain that takes them sealed: kept, sealed, revealed when that is committed, followed to its execution; and
 * taken up again wherever a command stopped. Boundary: HTTP, disk, stdout. docs/ledger.md, "Commands".
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { accountAddressOf } from '../../application/ledger/address.ts';
import { coinsText } from '../../application/ledger/amount.ts';
import { CODES } from '../../application/ledger/codes.ts';
import { encodeContent, type SealedContent } from '../../application/ledger/sealed/content.ts';
import { encodeReveal } from '../../application/ledger/sealed/reveal.ts';
import { toHex } from '../../base/bytes.ts';
import { commitIdOf, commitmentOf, SALT_BYTES } from '../../protocol/ordering/commitment.ts';
import { sizeClassFor } from '../../protocol/ordering/size-classes.ts';
import { askHeights, type Ended, endOperation, wordsOfEnd } from '../commit.ts';
import { runtimeFailure, usageFailure } from '../failure.ts';
import { fields, type Output } from '../output.ts';
import type { RpcTarget } from '../rpc-client.ts';
import { askSeal, type SealAnswer, type Sending, signedFor } from './client.ts';
import { forgetSeal, keepSeal, type PendingSeal, pendingSeals } from './seal-files.ts';

/** Between two looks at a seal. @unit ms @source chosen: about a block */
const LOOK_MS = 500;
/** While no block comes. @unit ms @source that of an operation at a terminal (commit.ts) */
const SILENCE_MS_MAX = 60_000;

type EndedSeal = Extract<SealAnswer, { readonly closed_at: number }>;

/** From the key's file on; what is printed is that it was done. */
export async function transferSealed(
  keyFile: string,
  sending: Sending,
  content: SealedContent,
  tip: bigint,
  output: Output,
): Promise<void> {
  const pending = await sealedBy(sending, content, tip);
  keepSeal(keyFile, pending);
  output.note(`sealed as ${pending.id}; should this stop, go on with: althing ledger resume`);
  tellEnd(output, [await carried(sending.target, keyFile, pending, output)]);
}

/** All that are not ended, one after the other. */
export async function resumeSealed(
  keyFile: string,
  target: RpcTarget,
  chainId: string,
  output: Output,
): Promise<void> {
  const pending = pendingSeals(keyFile);
  const [stranger] = pending.filter((seal) => seal.chainId !== chainId);
  if (stranger !== undefined) {
    throw usageFailure(
      `${keyFile} has a sealed transfer of chain "${stranger.chainId}", and ${target.url} is of "${chainId}": give the --rpc of its chain`,
    );
  }
  const ends: Told[] = [];
  for (const seal of pending) ends.push(await carried(target, keyFile, seal, output));
  tellEnd(output, ends);
}

async function sealedBy(
  sending: Sending,
  { transfers, chain: other }: SealedContent,
  tip: bigint,
): Promise<PendingSeal> {
  const { chain, key, turn } = sending;
  const content = encodeContent(transfers, other);
  const sizeClass = sizeClassFor(content.byteLength);
  if (sizeClass === undefined)
    throw usageFailure(`${transfers.length} transfers are more than one seal holds`);
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const { genesisHash, chainId } = chain.domain;
  const sealer = { genesisHash, sender: accountAddressOf(key.publicKey), nonce: turn.nonce };
  const commitment = commitmentOf(sealer, content, salt);
  const id = commitIdOf(sealer, commitment);
  const seal = await signedFor(sending, { kind: 'seal', sizeClass, commitment }, tip);
  const sum = transfers.reduce((total, { amount }) => total + amount, 0n);
  return {
    ...{ id: toHex(id), chainId, lastHeight: Number(turn.lastHeight) },
    ...{ seal, reveal: encodeReveal({ id, salt, content }), words: coinsText(sum, chain) },
  };
}

interface Told {
  readonly pending: PendingSeal;
  readonly end: EndedSeal;
}

/** What is next follows from what the chain knows of the seal: so it is the same after a crash. */
async function carried(
  target: RpcTarget,
  keyFile: string,
  pending: PendingSeal,
  output: Output,
): Promise<Told> {
  let [newest, heardAt] = [-1, performance.now()];
  for (;;) {
    const { height, seal } = await askSeal(target, pending.id);
    if (height > newest) [newest, heardAt] = [height, performance.now()];
    if (performance.now() - heardAt > SILENCE_MS_MAX)
      throw runtimeFailure(silenceWords(target, pending, seal));
    switch (seal.status) {
      case 'unknown':
        // What it may be revealed in is short: the next step comes at once.
        if (await isCommitted(target, keyFile, pending)) continue;
        break;
      case 'sealed':
        if (await isRevealed(target, pending, output)) continue;
        break;
      case 'revealed':
        break;
      default:
        forgetSeal(keyFile, pending);
        return { pending, end: seal };
    }
    await sleep(LOOK_MS);
  }
}

const silenceWords = (target: RpcTarget, { id }: PendingSeal, { status }: SealAnswer): string =>
  `seal ${id} is ${status}, and ${target.url} has had no block for ${SILENCE_MS_MAX / 1_000} s: go on with althing ledger resume`;

/** Sent again, the same transaction is done once at most (LG-5): whatever had become of it. */
async function isCommitted(target: RpcTarget, keyFile: string, pending: PendingSeal): Promise<boolean> {
  const { height } = await askHeights(target);
  if (height > pending.lastHeight) return forgotten(target, keyFile, pending);
  const ended = await endOperation(target, pending.seal, { expiresAtHeight: pending.lastHeight });
  const { outcome } = ended;
  if (outcome.status === 'committed' && outcome.result.code === 0) return true;
  // It was done in somebody else's operation, or that of a command before this one.
  const { seal } = await askSeal(target, pending.id);
  if (seal.status !== 'unknown') return true;
  // These two mean that its nonce is gone. Whatever else was wrong: its bytes may still be done up to the last height (LG-18).
  const code = codeOf(ended);
  if (code === CODES.balanceTooLow || code === CODES.nonceWrong) forgetSeal(keyFile, pending);
  throw runtimeFailure(`nothing was sealed: ${wordsOfRefusal(ended)}`);
}

function forgotten(target: RpcTarget, keyFile: string, { id, lastHeight, words }: PendingSeal): never {
  forgetSeal(keyFile, { id });
  throw runtimeFailure(
    `seal ${id} (${words}): ${target.url} knows nothing of it above height ${lastHeight}. It was never sealed and never will be, ` +
      'or it ended more than 1000 heights ago: look at the balances before you send it again',
  );
}

async function isRevealed(target: RpcTarget, pending: PendingSeal, output: Output): Promise<boolean> {
  const ended = await endOperation(target, pending.reveal);
  const { outcome } = ended;
  if (outcome.status === 'committed' && outcome.result.code === 0) {
    output.note(`revealed at height ${outcome.height}; executed when its set is closed`);
    return true;
  }
  // Whoever was told of it may have been faster (LG-23); what else was wrong is asked anew until the window closes.
  const code = codeOf(ended);
  if (code === undefined || code === CODES.alreadyRevealed || code === CODES.sealClosed) return false;
  throw runtimeFailure(
    `seal ${pending.id} cannot be revealed: ${wordsOfRefusal(ended)}; its deposit is lost when its window closes`,
  );
}

const codeOf = ({ outcome }: Ended): number | undefined =>
  outcome.status === 'committed' ? outcome.result.code : undefined;

const wordsOfRefusal = ({ hash, outcome }: Ended): string =>
  outcome.status === 'committed'
    ? `in block ${outcome.height}, but it failed: ${outcome.result.log} (code ${outcome.result.code})`
    : wordsOfEnd(hash, outcome);

const WORDS = {
  done: 'done',
  failed: 'nothing was moved: the balance did not cover it at the close; the deposit is burned',
  withheld: 'nothing was moved: it was not revealed in time; the deposit is burned',
  refused: 'nothing was moved: the other chain takes no more at present; the deposit is back',
} as const;

/** Fails where one did not end well, after all are told. */
function tellEnd(output: Output, ends: readonly Told[]): void {
  output.data(
    ends.map(({ pending, end }) => ({
      kind: 'transfer',
      seal: pending.id,
      outcome: end.status,
      sealed_height: String(end.height),
      height: String(end.closed_at),
      place: end.place,
    })),
    ends.flatMap(({ pending, end }) =>
      fields([
        ['executed', `height ${end.closed_at}, place ${end.place} of the set of height ${end.height}`],
        ['seal', pending.id],
        ['transfer', `${pending.words}: ${WORDS[end.status]}`],
      ]),
    ),
  );
  const bad = ends.filter(({ end }) => end.status !== 'done');
  if (bad.length > 0) throw runtimeFailure(`${bad.length} of ${ends.length} sealed transfers moved nothing`);
}
