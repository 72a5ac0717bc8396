/** What a node answers its viewers: blocks with results, and what proves them to who believes nothing. Reads through the port. IN-1, docs/inspector.md. */
import type { BlockAnswer, CertificateAnswer, Question } from '../../observe/feed/feed.ts';
import { type Outcome, refusedWith } from '../../observe/feed/source.ts';
import { toView } from '../../observe/feed/view.ts';
import { transactionHashOf } from '../../protocol/chain/batch.ts';
import { genesisToJson } from '../../protocol/chain/genesis.ts';
import { parseEpoch, parseHeight } from '../../protocol/chain/parse.ts';
import type { Digest, Height } from '../../protocol/chain/types.ts';
import { encodeEpochProof, encodeProvenHeader } from '../../protocol/light/encoding.ts';
import type { CommittedBlock, TransactionResult } from '../../protocol/ports/storage.ts';
import type { NodePort, StoredBlock, StoredResults } from '../../rpc/node-port.ts';
import { blockRow } from './chain.ts';
import type { NodeLens } from './lens.ts';

/** The first of a block. @unit transactions @source the contract */
const TRANSACTIONS_MAX = 256;
/** Of one transaction. @unit letters @source the contract */
const SHOWN_MAX = 256;
/** Of one answer; the page asks on for the rest. @unit proofs, bytes @source the contract */
const EPOCHS_MAX = 16;
const EPOCHS_BYTES_MAX = 1_048_576;

type Port = Pick<NodePort, 'block' | 'blockResults' | 'provenHeader' | 'epochProofs' | 'genesis'>;

/** Never rejects. */
export async function answerQuestion(
  question: Question,
  port: Port,
  lens: NodeLens | undefined,
): Promise<Outcome> {
  try {
    return await answer(question, port, lens);
  } catch (failure) {
    return refusedWith('FAILED', failure instanceof Error ? failure.message : String(failure));
  }
}

async function answer(question: Question, port: Port, lens: NodeLens | undefined): Promise<Outcome> {
  if (question.kind === 'message') {
    const message = lens?.message(question.id);
    return message === undefined
      ? refusedWith('NOT_KEPT', `${question.id} is not among the newest messages: only those are kept`)
      : { status: 'done', answer: message };
  }
  const height = parseHeight(question.height);
  if (height === 'malformed') return refusedWith('MALFORMED', `${question.height} is no height`);
  if (question.kind === 'block') return answerBlock(port, height);
  return answerCertificate(port, height, question.fromEpoch ?? 0);
}

async function answerBlock(port: Port, height: Height): Promise<Outcome> {
  const stored = await port.block({ height });
  if (stored === undefined)
    return refusedWith('NOT_STORED', `the block of height ${height} is not stored here`);
  const results = await port.blockResults(height);
  return { status: 'done', answer: blockAnswer(stored, results) };
}

function blockAnswer(
  { committed, transactions }: StoredBlock,
  results: StoredResults | undefined,
): BlockAnswer {
  const outcomes = new Map(results?.transactions.map(({ hash, result }) => [hash, result]));
  const told = transactions.map((bytes) => {
    const hash = transactionHashOf(bytes);
    return { hash, byteLength: bytes.byteLength, bytes, result: outcomes.get(hash) };
  });
  return describeBlock(committed, told, results === undefined ? 'committed' : 'executed');
}

/** A committed block as the page shows it. @param transactions of all its batches, in order, with their results where they are known */
export function describeBlock(
  committed: CommittedBlock,
  transactions: readonly {
    readonly hash: Digest;
    readonly byteLength: number;
    /** Undefined where they cannot be had. */
    readonly bytes: Uint8Array | undefined;
    readonly result: (Pick<TransactionResult, 'code'> & Partial<TransactionResult>) | undefined;
  }[],
  status: 'committed' | 'executed',
): BlockAnswer {
  const { header } = committed.block;
  const view: unknown = toView(header);
  return {
    block: blockRow(committed, status),
    header: typeof view === 'object' && view !== null ? { ...view } : {},
    batches: header.batches.map(({ digest, count, bytes }) => ({ digest, count, bytes })),
    transactions: transactions.slice(0, TRANSACTIONS_MAX).map(({ hash, byteLength, bytes, result }) => ({
      ...{ hash, bytes: byteLength, shown: bytes === undefined ? 'not in the journal' : shownOf(bytes) },
      ...(result === undefined ? {} : { code: result.code }),
      ...(result?.log === undefined || result.log === '' ? {} : { log: cut(result.log) }),
    })),
    transactionsTotal: transactions.length,
  };
}

const cut = (text: string): string => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);

/** As text where it is some. */
function shownOf(bytes: Uint8Array): string {
  const front = Buffer.from(bytes.subarray(0, 4 * SHOWN_MAX));
  const text = front.toString('utf8');
  return cut(/^[\P{C}\s]*$/u.test(text) && !text.includes('\uFFFD') ? text : front.toString('hex'));
}

async function answerCertificate(port: Port, height: Height, from: number): Promise<Outcome> {
  const fromEpoch = parseEpoch(from);
  if (fromEpoch === 'malformed') return refusedWith('MALFORMED', `fromEpoch: ${from} is no epoch`);
  const proof = await port.provenHeader(height);
  if (proof === undefined)
    return refusedWith(
      'NOT_PROVEN',
      `the commit of height ${height} cannot be proven here: take one below the newest`,
    );
  const { epoch } = proof.path[0].header;
  const { proofs } = await port.epochProofs(fromEpoch, EPOCHS_BYTES_MAX);
  const needed = proofs.slice(0, Math.max(0, Math.min(EPOCHS_MAX, epoch - fromEpoch)));
  const certificate: CertificateAnswer = {
    proof: Buffer.from(encodeProvenHeader(proof)).toString('hex'),
    epochs: needed.map((one) => Buffer.from(encodeEpochProof(one)).toString('hex')),
    genesis: genesisToJson(port.genesis()),
    scheme: 'bls12-381',
  };
  return { status: 'done', answer: certificate };
}
