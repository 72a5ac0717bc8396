/** Runs the verifier beside the page, which goes on meanwhile: two pairings in plain JavaScript take a while. Boundary: messages. */
import { createNobleEngine } from '../../../../src/crypto/bls/noble.ts';
import type { WorkerAnswer, WorkerTask } from './run-verifier.ts';
import { Verifier } from './verifier.ts';

const verifier = new Verifier(createNobleEngine());

addEventListener('message', ({ data }: MessageEvent<WorkerTask>) => {
  const began = performance.now();
  const answer: WorkerAnswer = {
    id: data.id,
    result: verifier.verify(data.task),
    tookMs: performance.now() - began,
  };
  postMessage(answer);
});
