/** The generator as its parent sees it: a process that takes orders and answers. Boundary: processes. */
import { fork } from 'node:child_process';
import type { CommitBook } from '../../src/cli/bench/commits.ts';
import { type Judged, type Order, type Pace, REPORT, type Report, type Sent } from './talk.ts';

/** How often the generator is told what is committed. @unit ms */
const TELL_INTERVAL = 10;

export class Clients {
  readonly #process = fork(new URL('./generator.ts', import.meta.url), { execArgv: [] });
  readonly #telling: NodeJS.Timeout;

  constructor(commits: CommitBook, begin: Omit<Extract<Order, { kind: 'begin' }>, 'kind'>) {
    this.#order({ kind: 'begin', ...begin });
    this.#telling = setInterval(() => {
      const { height, transactions: operations } = commits;
      this.#order({ kind: 'committed', height, operations });
    }, TELL_INTERVAL);
  }

  /** Sends, and waits for the last answers. */
  async run(pace: Pace, seconds: number): Promise<Sent> {
    this.#order({ kind: 'run', pace, seconds });
    const report = await this.#answer();
    if (report.kind === 'sent') return report;
    throw new Error('the generator told of blocks, and was asked to run');
  }

  /** What of the newest run is in these blocks. */
  async judge(blocks: Extract<Order, { kind: 'judge' }>['blocks']): Promise<Judged> {
    this.#order({ kind: 'judge', blocks });
    const report = await this.#answer();
    if (report.kind === 'judged') return report;
    throw new Error('the generator told of a run, and was asked of blocks');
  }

  close(): void {
    clearInterval(this.#telling);
    if (this.#process.connected) this.#process.disconnect();
  }

  /** When the generator has ended, `#answer` says so. */
  #order(one: Order): void {
    if (this.#process.connected) this.#process.send(one);
  }

  #answer(): Promise<Report> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the generator ended (${code})`));
      this.#process.once('exit', ended);
      this.#process.once('message', (message) => {
        this.#process.off('exit', ended);
        resolve(REPORT.parse(message));
      });
    });
  }
}
