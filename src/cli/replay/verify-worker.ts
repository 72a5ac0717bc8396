/** A worker thread of `althing replay --verify`: verifies the parts that it is sent, one after the other. Boundary: messages. Rule RP-4. */
import { parentPort } from 'node:worker_threads';
import { RunReader } from '../../record/run-reader.ts';
import { REPLAYED_BY } from '../../replay/replayed-by.ts';
import { type PartVerified, type VerificationPart, verifyPart } from '../../replay/verify.ts';

/** What a worker thread answers. */
export type PartAnswer =
  | { readonly status: 'verified'; readonly verified: PartVerified }
  | { readonly status: 'failed'; readonly detail: string };

/** Parts come run by run: finding what is where in one takes long where it has thousands of segments. */
let opened: RunReader | undefined;

function runAt(dir: string): RunReader {
  if (opened?.dir === dir) return opened;
  opened?.close();
  opened = undefined;
  opened = new RunReader(dir);
  return opened;
}

function answerTo(part: VerificationPart): PartAnswer {
  try {
    return { status: 'verified', verified: verifyPart(runAt(part.dir), part, REPLAYED_BY) };
  } catch (error) {
    return { status: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', (part: VerificationPart) => parentPort?.postMessage(answerTo(part)));
