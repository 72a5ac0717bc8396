/** One verification after the other, by the worker. Boundary: worker, feed. */
import { useEffect, useRef, useState } from 'react';
import { usePageStore } from '../../feed/use-page.ts';
import { bytesOf, hexOf, withFlippedBit } from './hex.ts';
import { type Asked, type Verified, VerifierRun } from './run-verifier.ts';

export type Work =
  | { readonly status: 'idle' }
  | { readonly status: 'busy' }
  | { readonly status: 'failed'; readonly words: string }
  | Done;

export interface Done {
  readonly status: 'done';
  readonly asked: Asked;
  readonly verified: Verified;
  /** The bit of the proof that the reader turned over. */
  readonly tampered: number | undefined;
}

interface VerifierHandle {
  readonly work: Work;
  verify(asked: Asked): void;
  /** Turns one bit over and checks again; undefined: the proof as the node gave it. */
  tamper(done: Done, bit: number | undefined): void;
}

export function useVerifier(): VerifierHandle {
  const store = usePageStore();
  const run = useRef<VerifierRun>(undefined);
  const [work, setWork] = useState<Work>({ status: 'idle' });
  useEffect(
    () => () => {
      run.current?.close();
      run.current = undefined;
    },
    [],
  );
  const verifier = (): VerifierRun => {
    run.current ??= new VerifierRun();
    return run.current;
  };
  const settle = (doing: Promise<Done>): void => {
    setWork({ status: 'busy' });
    doing.then(setWork, (problem) =>
      setWork({ status: 'failed', words: problem instanceof Error ? problem.message : String(problem) }),
    );
  };
  return {
    work,
    verify: (asked) =>
      settle(
        verifier()
          .verify(asked, (question) => store.ask(question))
          .then((verified): Done => ({ status: 'done', asked, verified, tampered: undefined })),
      ),
    tamper: (done, bit) => settle(checkAgain(verifier(), done, bit)),
  };
}

async function checkAgain(verifier: VerifierRun, done: Done, bit: number | undefined): Promise<Done> {
  const { asked, verified } = done;
  const { certificate } = verified;
  const bytes = bytesOf(certificate.proof) ?? new Uint8Array(0);
  const proof = bit === undefined ? certificate.proof : hexOf(withFlippedBit(bytes, bit));
  const { height, block } = asked;
  const trusted = asked.trusted ?? { kind: 'genesis', document: certificate.genesis, isPasted: false };
  // The epochs are known by now: without proofs of more, none is asked for.
  const { result, tookMs } = await verifier.check({
    ...certificate,
    proof,
    epochs: [],
    trusted,
    height,
    block,
  });
  if (!('verdict' in result)) throw new Error('the verifier asked for an epoch in vain');
  return { status: 'done', asked, verified: { report: result, certificate, tookMs }, tampered: bit };
}
