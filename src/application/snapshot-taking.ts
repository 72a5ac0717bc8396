/**
 * When the executor takes a snapshot of the application, and how it is read: after every so many heights, one at a time,
 * a chunk whenever the keeper wants one. What fails costs the snapshot, never a block. Rule SY-10, docs/applications.md.
 */
import type { Millis } from '../base/units.ts';
import type { ExecutedState, Height } from '../protocol/chain/types.ts';
import type { Application, ApplicationSnapshot, SnapshotChunks } from '../protocol/ports/application.ts';
import type { SnapshotNews, SnapshotOrder } from '../protocol/ports/snapshots.ts';
import { readAnswer, readChunk, readSnapshot } from './answer-shapes.ts';
import type { Calls } from './calls.ts';

/** Heights between two snapshots. @unit heights @source 500 s at 20 blocks/s: a newcomer has twice that for the download */
export const SNAPSHOT_INTERVAL_HEIGHTS = 10_000;

export interface SnapshotTakingOptions {
  /** 0: never. @unit heights */
  readonly intervalHeights: number;
  /** How long the application may take for each step. */
  readonly stepMax: Millis;
  readonly calls: Calls;
  readonly tell: (news: SnapshotNews) => void;
}

interface Reading {
  readonly height: Height;
  readonly next: () => Uint8Array | undefined | Promise<Uint8Array | undefined>;
  readonly leave: () => unknown;
  /** The keeper's wish is being fulfilled. */
  busy: boolean;
}

export class SnapshotTaking {
  readonly #options: SnapshotTakingOptions;
  #reading: Reading | undefined;
  /** The height at which one was due is passed, and no header would have stated it. */
  #isOwed = false;

  constructor(options: SnapshotTakingOptions) {
    this.#options = options;
  }

  /**
   * Whether the state after `height` is to be kept: all nodes take the same heights. While a node catches up, only the last
   * one below the tip, and none while another is being read. A block that was committed together with one above it is passed
   * over for the next: headers state the newest of them alone, and where a validator is down it may be the same one of each
   * turn of the leaders.
   */
  isDue(height: Height, committedHeight: Height, isCommittedAlone: boolean): boolean {
    const { intervalHeights } = this.#options;
    if (intervalHeights === 0 || height === 0) return false;
    const isRegular = height % intervalHeights === 0;
    const isFarBehind = height + intervalHeights <= committedHeight;
    if (isFarBehind) this.#isOwed = false;
    if (isFarBehind || this.#reading !== undefined) return false;
    const isDue = isRegular || this.#isOwed;
    this.#isOwed = isDue && !isCommittedAlone;
    return isDue && isCommittedAlone;
  }

  /** Before the next block. `done` is called once, whatever becomes of it; a synchronous application calls it at once. */
  take(application: Application, executed: ExecutedState, done: () => void): void {
    const { calls, stepMax, tell } = this.#options;
    const run = () =>
      readAnswer(application.takeSnapshot?.(), (given) => {
        const snapshot = readSnapshot(given);
        return snapshot && { ...snapshot, ...iteratorOf(snapshot.chunks) };
      });
    const taken = (snapshot: (ApplicationSnapshot & Pick<Reading, 'next' | 'leave'>) | undefined): void => {
      if (snapshot !== undefined) {
        const { next, leave, format } = snapshot;
        const { height } = snapshot.executed;
        const reading: Reading = { height, next, leave, busy: false };
        if (height === executed.height) {
          this.#reading = reading;
          tell({ type: 'snapshot.taken', executed: snapshot.executed, format });
        } else this.#leave(reading);
      }
      done();
    };
    calls.hold({ name: 'takeSnapshot', limit: stepMax, run, done: taken, failed: () => done() });
  }

  receive(order: SnapshotOrder): void {
    const reading = this.#reading;
    if (reading === undefined) {
      // An earlier life of the executor was reading it.
      if (order.type === 'snapshotChunk.wanted') this.#tellLost(order.height, 'the executor began anew');
      return;
    }
    if (order.height !== undefined && order.height !== reading.height) return;
    if (order.type === 'snapshot.released') this.#leave(reading);
    else if (!reading.busy) this.#readOn(reading);
  }

  /** The application is closed: nothing more of it can be read. */
  lose(detail: string): void {
    if (this.#reading !== undefined) this.#lost(this.#reading, detail);
  }

  #readOn(reading: Reading): void {
    const { calls, stepMax, tell } = this.#options;
    const { height } = reading;
    reading.busy = true;
    calls.make({
      name: 'reading the snapshot',
      limit: stepMax,
      run: () => reading.next(),
      done: (chunk) => {
        if (this.#reading !== reading) return;
        reading.busy = false;
        if (chunk !== undefined) return tell({ type: 'snapshotChunk.read', height, bytes: chunk });
        this.#reading = undefined;
        tell({ type: 'snapshot.read', height });
      },
      failed: (detail) => (this.#reading === reading ? this.#lost(reading, detail) : undefined),
    });
  }

  #lost(reading: Reading, detail: string): void {
    this.#leave(reading);
    this.#tellLost(reading.height, detail);
  }

  #tellLost(height: Height, detail: string): void {
    this.#options.tell({ type: 'snapshot.lost', height, detail });
  }

  /** The application may let go of what it kept apart. */
  #leave(reading: Reading): void {
    if (this.#reading === reading) this.#reading = undefined;
    const { calls, stepMax } = this.#options;
    const run = () => reading.leave();
    calls.make({ name: 'leaving the snapshot', limit: stepMax, run, done: nothing, failed: nothing });
  }
}

function iteratorOf(chunks: SnapshotChunks): Pick<Reading, 'next' | 'leave'> {
  const iterator =
    Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  return { next: () => readAnswer(iterator.next(), readChunk), leave: () => iterator.return?.() };
}

const nothing = (): void => {};
