/** `althing replay --verify`: all parts of all runs, on as many processors as there are. Boundary: worker threads. Rule RP-4, docs/journal.md. */
import { availableParallelism } from 'node:os';
import { basename, extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { thisProgram } from '../../node/version.ts';
import { isDamage } from '../../record/check-run.ts';
import type { Program } from '../../record/opening.ts';
import { type JournalFlaw, RunReader, RunUnreadable } from '../../record/run-reader.ts';
import { type PartVerified, partsOf, type VerificationPart } from '../../replay/verify.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { createOutput } from '../output.ts';
import { runLabel } from './locate.ts';
import { flawLine } from './verify-log.ts';
import type { PartAnswer } from './verify-worker.ts';

interface RunVerified {
  readonly run: string;
  readonly turns: number;
  readonly messages: number;
  readonly parts: number;
  readonly divergence: PartVerified['divergence'];
  readonly flaws: readonly JournalFlaw[];
  /** Why it was not verified, where it was not. */
  readonly refused?: string;
  /** What recorded it, where that is not this program. */
  readonly program?: Program;
}

interface RunOpened {
  readonly label: string;
  readonly flaws: readonly JournalFlaw[];
  readonly parts: readonly VerificationPart[];
  readonly refused?: string;
  readonly program?: Program;
}

/** Compiled where this module is. */
const PROGRAM = join(import.meta.dirname, `verify-worker${extname(import.meta.filename)}`);

/** @returns the exit code: 1 for a divergence, or a run of another program; 4 for damage */
export async function verifyRuns(dirs: readonly string[], json: boolean): Promise<number> {
  const runs = dirs.map(opened);
  const begun = performance.now();
  const answers = await verifyAll(runs.flatMap(({ parts }) => parts));
  const tookMs = performance.now() - begun;
  let next = 0;
  const results = runs.map(({ label, flaws, parts, refused, program }): RunVerified => {
    const told = answers.slice(next, next + parts.length);
    next += parts.length;
    const verified = told.flatMap((answer) => (answer.status === 'verified' ? [answer.verified] : []));
    const failed = refused ?? told.find((answer) => answer.status === 'failed')?.detail;
    return {
      ...(failed === undefined ? {} : { refused: failed }),
      ...(program === undefined ? {} : { program }),
      run: label,
      turns: sum(verified.map(({ turns }) => turns)),
      messages: sum(verified.map(({ messages }) => messages)),
      parts: parts.length,
      divergence: verified.find(({ divergence }) => divergence !== undefined)?.divergence,
      flaws: [...flaws, ...verified.flatMap((part) => part.flaws)],
    };
  });
  const messages = sum(results.map((result) => result.messages));
  const speed = Math.round((messages * 1_000) / Math.max(1, tookMs));
  createOutput(json).data({ runs: results, messages, tookMs, messagesPerSecond: speed }, [
    ...results.flatMap(linesOf),
    `${messages.toLocaleString('en')} messages in ${(tookMs / 1_000).toFixed(1)} s: ${speed.toLocaleString('en')} messages/s`,
  ]);
  if (results.some(({ divergence, refused, flaws }) => divergence ?? (flaws.length === 0 && refused)))
    return EXIT_CODES.runtime;
  return results.some(({ flaws }) => flaws.some(isDamage)) ? EXIT_CODES.corruptStore : EXIT_CODES.ok;
}

/** One run that cannot be read hides nothing of the others. */
function opened(dir: string): RunOpened {
  try {
    const run = new RunReader(dir);
    run.close();
    const { program } = run.opening;
    const isOther = program.digest !== thisProgram().digest;
    return { label: runLabel(run), flaws: run.flaws, parts: partsOf(run), ...(isOther ? { program } : {}) };
  } catch (error) {
    if (!(error instanceof RunUnreadable)) throw error;
    return { label: basename(dir), flaws: error.flaws, parts: [], refused: error.message };
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((left, right) => left + right, 0);

/** The answers in the order of the parts. */
async function verifyAll(parts: readonly VerificationPart[]): Promise<readonly PartAnswer[]> {
  const answers = new Map<number, PartAnswer>();
  const waiting = [...parts.entries()];
  const work = async (): Promise<void> => {
    const worker = new Worker(PROGRAM);
    try {
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
        answers.set(job[0], await answerOf(worker, job[1]));
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), parts.length) }, work));
  return parts.flatMap((_, place) => answers.get(place) ?? []);
}

function answerOf(worker: Worker, part: VerificationPart): Promise<PartAnswer> {
  return new Promise((resolve, reject) => {
    worker.once('message', (answer: PartAnswer) => {
      worker.removeAllListeners('error');
      resolve(answer);
    });
    worker.once('error', reject);
    worker.postMessage(part);
  });
}

function linesOf(verified: RunVerified): readonly string[] {
  const { run, turns, messages, parts, divergence, flaws, refused, program } = verified;
  if (refused !== undefined) return [`${run}: NOT VERIFIED: ${refused}`, ...flaws.map(flawLine)];
  const counts = `${messages.toLocaleString('en')} messages in ${turns.toLocaleString('en')} turns, ${parts} part${parts === 1 ? '' : 's'}`;
  const lines = [`${run}: ${counts}, ${divergence === undefined ? '0 divergences' : 'DIVERGED'}`];
  if (divergence !== undefined) {
    const { turn, expected, got } = divergence;
    lines.push(`  turn ${turn}`, `  expected ${expected}`, `  got      ${got}`);
    if (program !== undefined) {
      const { version, digest } = thisProgram();
      lines.push(
        `  recorded by another program, ${program.version} (${program.digest}); this is ${version} (${digest}): verify it with that one`,
      );
    }
  }
  return [...lines, ...flaws.map(flawLine)];
}
