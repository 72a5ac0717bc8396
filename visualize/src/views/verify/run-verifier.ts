/** Asks the worker, and the node for more epochs where the worker wants them. Boundary: worker, feed. Bounded: one task at a time. */
import type { CertificateAnswer, NodeIndex, Question } from '../../../../src/observe/feed/feed.ts';
import { fieldOf, listOf, textOf } from '../answers.ts';
import type { AskOn, Report, Trusted, VerifyTask } from './report.ts';

export interface WorkerTask {
  readonly id: number;
  readonly task: VerifyTask;
}

export interface WorkerAnswer {
  readonly id: number;
  readonly result: Report | AskOn;
  readonly tookMs: number;
}

export interface Verified {
  readonly report: Report;
  /** Hexadecimal, as the node gave it. */
  readonly certificate: Certificate;
  readonly tookMs: number;
}

export type Certificate = Pick<CertificateAnswer, 'proof' | 'epochs' | 'genesis' | 'scheme'>;

export interface Asked {
  readonly node: NodeIndex;
  readonly height: number;
  readonly block: string | undefined;
  /** Undefined: the genesis that the node gives. */
  readonly trusted: Trusted | undefined;
}

/** Answers of 16 epochs each: 1,024 epochs, which take minutes. Beyond, a later epoch should be trusted. @unit answers */
const ANSWERS_MAX = 64;
/** @source CertificateAnswer, feed.ts */
const EPOCHS_MAX = 16;
/** Pairings of 16 epochs on a slow machine. @unit ms */
const WORKER_MS_MAX = 60_000;

export class VerifierRun {
  readonly #worker = new Worker(new URL('./verify-worker.ts', import.meta.url), { type: 'module' });
  #lastId = 0;

  /** @throws Error with words for the reader */
  async verify(asked: Asked, ask: (question: Question) => Promise<unknown>): Promise<Verified> {
    const { node, height, block } = asked;
    let fromEpoch = 0;
    let tookMs = 0;
    for (let answers = 0; answers < ANSWERS_MAX; answers += 1) {
      const certificate = readCertificate(await ask({ kind: 'certificate', node, height, fromEpoch }));
      const trusted: Trusted = asked.trusted ?? {
        kind: 'genesis',
        document: certificate.genesis,
        isPasted: false,
      };
      const answer = await this.check({ ...certificate, trusted, height, block });
      tookMs += answer.tookMs;
      if ('verdict' in answer.result) return { report: answer.result, certificate, tookMs };
      fromEpoch = answer.result.fromEpoch;
    }
    throw new Error(
      `${ANSWERS_MAX * EPOCHS_MAX} epochs were followed and more are needed: give a later epoch that you trust`,
    );
  }

  /** One task, by the worker. @throws Error */
  check(task: VerifyTask): Promise<WorkerAnswer> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<WorkerAnswer>();
    const ending = new AbortController();
    const timer = setTimeout(
      () => reject(new Error('the check took too long and was given up')),
      WORKER_MS_MAX,
    );
    const { signal } = ending;
    this.#worker.addEventListener(
      'message',
      ({ data }: MessageEvent<WorkerAnswer>) => {
        if (data.id === id) resolve(data);
      },
      { signal },
    );
    this.#worker.addEventListener('error', ({ message }) => reject(new Error(message)), { signal });
    this.#worker.postMessage({ id, task } satisfies WorkerTask);
    return promise.finally(() => {
      clearTimeout(timer);
      ending.abort();
    });
  }

  close(): void {
    this.#worker.terminate();
  }
}

/** Gateway. @throws Error */
export function readCertificate(raw: unknown): Certificate {
  const proof = textOf(raw, 'proof');
  if (proof === undefined) throw new Error('the node’s answer is not in the shape of a certificate');
  const epochs = listOf(raw, 'epochs', EPOCHS_MAX).filter((epoch) => typeof epoch === 'string');
  const scheme = textOf(raw, 'scheme') === 'keyed-hash' ? 'keyed-hash' : 'bls12-381';
  return { proof, epochs, scheme, genesis: fieldOf(raw, 'genesis') };
}
