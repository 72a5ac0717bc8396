/**
 * Tries an application out without a network: the same blocks through two fresh ones and through one that is opened
 * again, and every way in which they must agree. For the tests of whoever writes an application. docs/applications.md.
 */
import { utf8 } from '../base/bytes.ts';
import { wallTime } from '../base/units.ts';
import { digestOf } from '../protocol/chain/canonical.ts';
import { GENESIS_HEIGHT, nextHeight } from '../protocol/chain/ordinals.ts';
import { parseAddress } from '../protocol/chain/parse.ts';
import type { Digest, Height } from '../protocol/chain/types.ts';
import { randomnessOf } from '../protocol/ordering/randomness.ts';
import type {
  Application,
  BlockResult,
  FinalizeRequest,
  InitChainRequest,
} from '../protocol/ports/application.ts';
import type { TransactionResult } from '../protocol/ports/storage.ts';
import { MisshapenAnswer, readBlock, readGenesisState, readInfo } from './answer-shapes.ts';

export interface RehearsalOptions {
  /** An application without any state, each time another. */
  readonly fresh: () => Application | Promise<Application>;
  /** The last one again, after it was closed: with what it kept. Left out, it keeps nothing. */
  readonly reopen?: () => Application | Promise<Application>;
  readonly blocks: readonly (readonly Uint8Array[])[];
  readonly genesis?: Partial<InitChainRequest>;
}

export interface Rehearsal {
  /** What a node would stumble over; empty when the application is fit. */
  readonly problems: readonly string[];
  /** Of the last run, block by block. */
  readonly results: readonly (readonly TransactionResult[])[];
  readonly appHashes: readonly Digest[];
}

/** Rejects only when the application itself throws. */
export async function rehearse(options: RehearsalOptions): Promise<Rehearsal> {
  const problems: string[] = [];
  const requests = requestsOf(options.blocks);
  const first = await opened(options, problems);
  const expected = await executed(first, requests, problems);
  await first.close?.();
  const second = await opened(options, problems);
  compare(expected, await executed(second, requests, problems), 'a second fresh application', problems);
  await second.close?.();
  if (options.reopen !== undefined)
    await comeBack(await options.reopen(), requests, expected, genesisOf(options), problems);
  return {
    problems,
    results: expected.map(({ results }) => results),
    appHashes: expected.map(({ appHash }) => appHash),
  };
}

async function opened(options: RehearsalOptions, problems: string[]): Promise<Application> {
  const application = await options.fresh();
  const height =
    (await shaped('info', application.info(), readInfo, problems))?.executed.height ?? GENESIS_HEIGHT;
  if (height !== GENESIS_HEIGHT)
    problems.push(`a fresh application says it has executed height ${height}, not 0`);
  await shaped('initChain', application.initChain(genesisOf(options)), readGenesisState, problems);
  return application;
}

/** The answer, read as a node reads it; undefined, and a problem, where it is none (EX-5). */
async function shaped<Value>(
  what: string,
  answer: unknown,
  read: (given: unknown) => Value,
  problems: string[],
): Promise<Value | undefined> {
  try {
    return read(await answer);
  } catch (error) {
    if (!(error instanceof MisshapenAnswer)) throw error;
    problems.push(`${what} gave nonsense: ${error.message}`);
    return undefined;
  }
}

async function executed(
  application: Application,
  requests: readonly FinalizeRequest[],
  problems: string[],
): Promise<readonly BlockResult[]> {
  const answers: BlockResult[] = [];
  for (const request of requests) {
    const { height, transactions } = request;
    const where = `height ${height}: finalizeBlock`;
    const answer = (await shaped(where, application.finalizeBlock(request), readBlock, problems))?.result;
    if (answer === undefined) break;
    answers.push(answer);
    if (answer.results.length !== transactions.length) {
      problems.push(
        `height ${height}: ${answer.results.length} results for ${transactions.length} transactions`,
      );
    }
    const standing = (await shaped(`height ${height}: info`, application.info(), readInfo, problems))
      ?.executed;
    if (standing === undefined) break;
    if (standing.height !== height || standing.appHash !== answer.appHash) {
      problems.push(
        `height ${height}: info says height ${standing.height} and hash ${standing.appHash} right after it`,
      );
    }
  }
  return answers;
}

/** As a node does after a crash: from where the application stands, its last block once more if it has it. */
async function comeBack(
  application: Application,
  requests: readonly FinalizeRequest[],
  expected: readonly BlockResult[],
  genesis: InitChainRequest,
  problems: string[],
): Promise<void> {
  const who = 'the application opened again';
  const height = (await shaped(`${who}: info`, application.info(), readInfo, problems))?.executed.height;
  if (height !== undefined) {
    const from = Math.min(height, requests.length - 1);
    if (height === GENESIS_HEIGHT) await application.initChain(genesis);
    const answers: BlockResult[] = [];
    for (const request of requests.slice(from)) {
      const answer = application.finalizeBlock(request);
      const read = await shaped(`${who}: finalizeBlock`, answer, readBlock, problems);
      if (read !== undefined) answers.push(read.result);
    }
    compare(expected.slice(from), answers, `${who} at height ${height}`, problems);
  }
  await application.close?.();
}

function compare(
  expected: readonly BlockResult[],
  answers: readonly BlockResult[],
  who: string,
  problems: string[],
): void {
  const at = expected.findIndex((answer, index) => shown(answer) !== shown(answers[index]));
  if (at >= 0) {
    const here = `block ${at + 1} of ${expected.length}: ${shown(expected[at])} and ${shown(answers[at])}`;
    problems.push(`${who} answers otherwise, ${here}`);
  }
}

const shown = (answer: BlockResult | undefined): string =>
  answer === undefined
    ? 'nothing'
    : JSON.stringify(
        [answer.appHash, answer.results, answer.events, answer.validatorUpdates],
        (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
      );

function requestsOf(blocks: readonly (readonly Uint8Array[])[]): readonly FinalizeRequest[] {
  const proposer = parseAddress('00'.repeat(20));
  if (proposer === 'malformed') return [];
  let height: Height = GENESIS_HEIGHT;
  return blocks.map((transactions) => {
    height = nextHeight(height);
    const time = wallTime(height * 1_000);
    const blockId = digestOf(Uint8Array.of(height));
    return { height, blockId, time, proposer, randomness: randomnessOf(blockId, undefined), transactions };
  });
}

const genesisOf = ({ genesis }: RehearsalOptions): InitChainRequest => ({
  chainId: 'rehearsal',
  genesisHash: digestOf(utf8('rehearsal')),
  genesisTime: wallTime(0),
  validators: [],
  appState: {},
  ...genesis,
});
