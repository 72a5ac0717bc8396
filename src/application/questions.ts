/** Checks and queries: asked of the application beside its blocks, answered one by one. Rules EX-2, EX-6, docs/applications.md. */
import type { BoundaryContext } from '../actors/runtime/index.ts';
import { transactionHashOf } from '../protocol/chain/batch.ts';
import { parseOperation } from '../protocol/chain/operation.ts';
import type { Digest, Height } from '../protocol/chain/types.ts';
import type { Application, CheckResult, ProvenValue, QueryResult } from '../protocol/ports/application.ts';
import {
  DUPLICATE_CODE,
  type ExecutionReply,
  type ExecutionRequest,
  NODE_CODESPACE,
  PROVEN_PATH,
} from '../protocol/ports/execution.ts';
import { readAnswer, readCheck, readProven, readQuery } from './answer-shapes.ts';
import type { FailureCode } from './block-runner.ts';
import { ApplicationGone, type Calls, failureOf } from './calls.ts';
import type { ExecutorOptions, ExecutorTimes } from './executor-options.ts';

export type Question = Extract<ExecutionRequest, { readonly type: 'check.requested' | 'query.requested' }>;

/** Code of a check that threw: the transaction is not admitted, the others are not concerned. */
const CHECK_THREW_CODE = 1;

const DUPLICATE_CHECK: CheckResult = {
  code: DUPLICATE_CODE,
  log: 'was committed before',
  codespace: NODE_CODESPACE,
  priority: 0n,
};

export interface Asked {
  readonly application: Application;
  readonly calls: Calls;
  readonly times: ExecutorTimes;
  readonly context: BoundaryContext<undefined>;
  readonly report: ExecutorOptions['report'];
  knows(hash: Digest): boolean;
  /** Of the newest block that the application has executed. */
  readonly height: Height;
}

export function answerQuestion(asked: Asked, question: Question): void {
  const { application, calls, times, context, height } = asked;
  const { replyTo, tag } = question;
  const tell = (reply: ExecutionReply) => context.tell(replyTo, reply);
  const failed = (detail: string) => {
    asked.report?.({ status: 'unanswered', detail });
    refuseQuestion(context, question, 'APPLICATION_FAILED', detail);
  };
  const { refusal } = calls;
  if (refusal !== undefined) {
    failed(refusal);
    return;
  }
  if (question.type === 'query.requested') {
    const { path, data, height, prove } = question;
    calls.make({
      name: `query of '${path}'`,
      limit: times.queryMax,
      run: () =>
        prove === true
          ? proven(application, path, data)
          : readAnswer(application.query(path, data, height), readQuery),
      done: (result) => tell({ type: 'query.answered', tag, result }),
      failed,
    });
    return;
  }
  calls.make({
    name: 'checkTx',
    limit: times.checkMax,
    run: () => checked(asked, question.transactions, question.hashes),
    done: (results) => tell({ type: 'check.answered', tag, results, height }),
    failed,
  });
}

export function refuseQuestion(
  context: BoundaryContext<undefined>,
  question: Question,
  code: FailureCode,
  detail: string,
): void {
  const refusal: ExecutionReply = { type: 'execution.failed', tag: question.tag, code, detail };
  context.tell(question.replyTo, refusal);
}

/** A pair of the newest state, whatever the application answers to its own paths. */
function proven(application: Application, path: string, key: Uint8Array): QueryResult | Promise<QueryResult> {
  if (application.prove === undefined) throw new Error('it proves nothing: ask without prove');
  if (path !== PROVEN_PATH)
    throw new Error(`'${path}' cannot be proven: ask for '${PROVEN_PATH}', with a key of the state as data`);
  const answer = (value: ProvenValue) => provenResult(key, value);
  const found = readAnswer(application.prove(key), readProven);
  return found instanceof Promise ? found.then(answer) : answer(found);
}

const provenResult = (key: Uint8Array, { height, value, proof }: ProvenValue): QueryResult => ({
  code: 0,
  log: value === undefined ? 'does not exist' : 'exists',
  codespace: NODE_CODESPACE,
  key,
  value: value ?? new Uint8Array(0),
  height,
  proof: { isPresent: value !== undefined, bytes: proof },
});

function checked(
  asked: Asked,
  transactions: readonly Uint8Array[],
  hashes: readonly Digest[] | undefined,
): readonly CheckResult[] | Promise<readonly CheckResult[]> {
  const settled: CheckResult[] = [];
  const results = transactions.map((transaction, index) => {
    const known = asked.knows(hashes?.[index] ?? transactionHashOf(transaction));
    const result = known
      ? DUPLICATE_CHECK
      : checkOne(asked.application, parseOperation(transaction)?.payload ?? transaction);
    if (!(result instanceof Promise)) settled.push(result);
    return result;
  });
  // Without a promise among them nothing waits for a turn of the event loop.
  return settled.length === results.length ? settled : Promise.all(results);
}

function checkOne(application: Application, transaction: Uint8Array): CheckResult | Promise<CheckResult> {
  try {
    const result = readAnswer(application.checkTx(transaction), readCheck);
    return result instanceof Promise ? result.catch(threw) : result;
  } catch (error) {
    return threw(error);
  }
}

/** EX-6. Where there is no application to ask, the question fails, and not the transaction. */
function threw(error: unknown): CheckResult {
  if (error instanceof ApplicationGone) throw error;
  const log = `checkTx ${failureOf(error, 'threw')}`;
  return { code: CHECK_THREW_CODE, log, codespace: NODE_CODESPACE, priority: 0n };
}
