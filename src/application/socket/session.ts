/**
 * One node's connection, as the application's process serves it: requests in, answers out, one life of the application from
 * its opening to its close. Requests are begun as they come and answered when they are done. Boundary: sockets.
 * Rules AP-4, AP-6, AP-7, docs/application-protocol.md.
 */
import type { Application, SnapshotChunks } from '../../protocol/ports/application.ts';
import {
  MisshapenAnswer,
  readAnswer,
  readBlock,
  readCheck,
  readGenesisState,
  readInfo,
  readProven,
  readQuery,
  readSnapshot,
} from '../answer-shapes.ts';
import { messageOf } from '../calls.ts';
import {
  APP_HASH,
  BLOCK,
  type BlockHead,
  CHECK,
  EXECUTED,
  FOUND,
  GENESIS,
  INFO,
  OFFER,
  PROVEN,
  QUERY,
  RESULT,
  SNAPSHOT,
} from './bodies.ts';
import { ChunkInbox, type ChunkIterator, type ChunkStep, iteratorOf } from './chunks.ts';
import type { Connection } from './connection.ts';
import { type Frame, ID_MAX, type Packable } from './frames.ts';
import { partsOf } from './parts.ts';
import { Nonsense, type WireReader } from './reader.ts';

/** Requests that the application has not answered. Beyond: the connection ends. @unit requests @source REQUESTS_MAX of the node, and room */
const RUNNING_MAX = 131_072;
/** Answers that the node has not read. Beyond: no request is read until it has. @unit bytes */
const UNSENT_BYTES_MAX = 16_777_216;
/** Snapshots that are being read. Beyond: `takeSnapshot` fails. @unit snapshots @source a node reads one; a lost one may be on its way out */
const SNAPSHOTS_MAX = 4;

/** A block whose transactions are coming. */
interface Coming {
  readonly id: number;
  readonly head: BlockHead;
  readonly transactions: Uint8Array[];
}

export class Session {
  readonly #connection: Connection;
  readonly #application: Application;
  readonly #running = new Set<Promise<void>>();
  readonly #snapshots = new Map<number, ChunkIterator>();
  #block: Coming | undefined;
  #restore: { readonly id: number; readonly inbox: ChunkInbox } | undefined;

  constructor(connection: Connection, application: Application) {
    this.#connection = connection;
    this.#application = application;
  }

  /** @throws Nonsense: the connection ends */
  receive({ kind, id, reader }: Frame): void {
    if (this.#running.size > RUNNING_MAX)
      throw new Nonsense(`more than ${RUNNING_MAX} requests wait for answers`);
    const application = this.#application;
    switch (kind) {
      case 'info':
        nothing(reader);
        this.#answer(id, () => readAnswer(application.info(), readInfo), INFO.write);
        return;
      case 'initChain': {
        const genesis = bodyOf(reader, GENESIS.read);
        this.#answer(id, () => readAnswer(application.initChain(genesis), readGenesisState), APP_HASH.write);
        return;
      }
      case 'checkTx': {
        const transaction = bodyOf(reader, (from) => from.bytes('transaction'));
        this.#answer(id, () => readAnswer(application.checkTx(transaction), readCheck), CHECK.write);
        return;
      }
      case 'query': {
        const { path, data, height } = bodyOf(reader, QUERY.read);
        this.#answer(id, () => readAnswer(application.query(path, data, height), readQuery), FOUND.write);
        return;
      }
      case 'prove': {
        const key = bodyOf(reader, (from) => from.bytes('key'));
        this.#answer(id, () => readAnswer(application.prove?.(key), readProven), PROVEN.write);
        return;
      }
      case 'finalizeBlock':
        this.#begin(id, bodyOf(reader, BLOCK.read));
        return;
      case 'transactions':
        this.#fill(id, reader);
        return;
      case 'refusal':
        this.#connection.close(`the node refuses the application: ${reader.text('refusal')}`);
        return;
      default:
        this.#receiveOfSnapshots({ kind, id, reader });
    }
  }

  /** The node is gone: resolves when nothing of the application runs any more, and it is closed. */
  async end(): Promise<void> {
    this.#restore?.inbox.finish();
    for (const iterator of this.#snapshots.values()) await quietly(() => iterator.leave());
    await Promise.allSettled(this.#running);
    await this.#application.close?.();
  }

  #receiveOfSnapshots({ kind, id, reader }: Frame): void {
    switch (kind) {
      case 'takeSnapshot':
        nothing(reader);
        this.#takeSnapshot(id);
        return;
      case 'readChunk': {
        const iterator = this.#snapshotOf(reader);
        this.#answer(id, () => iterator.next(), chunkOf);
        return;
      }
      case 'leaveSnapshot': {
        const snapshot = bodyOf(reader, (from) => from.whole('snapshot', ID_MAX));
        const iterator = this.#snapshots.get(snapshot);
        this.#snapshots.delete(snapshot);
        this.#answer(
          id,
          () => iterator?.leave(),
          () => null,
        );
        return;
      }
      case 'restoreSnapshot':
        this.#restoreSnapshot(id, reader);
        return;
      case 'chunk':
        this.#chunk(id, { status: 'chunk', bytes: bodyOf(reader, (from) => from.bytes('chunk')) });
        return;
      case 'chunksEnded':
        nothing(reader);
        this.#chunk(id, { status: 'ended' });
        return;
      case 'chunksFailed':
        this.#chunk(id, { status: 'failed', words: bodyOf(reader, (from) => from.text('words')) });
        return;
      default:
        throw new Nonsense(`a node sends no ${kind}`);
    }
  }

  #begin(id: number, head: BlockHead): void {
    if (this.#block !== undefined)
      throw new Nonsense('a block begins before all transactions of the last have come');
    this.#block = { id, head, transactions: [] };
    this.#finalizeWhenWhole(this.#block);
  }

  #fill(id: number, reader: WireReader): void {
    const block = this.#block;
    if (block?.id !== id)
      throw new Nonsense(`transactions of request ${id}, which is no block that waits for any`);
    const count = reader.list('transactions', block.head.count - block.transactions.length);
    for (let left = count; left > 0; left -= 1) block.transactions.push(reader.bytes('transaction'));
    reader.end();
    this.#finalizeWhenWhole(block);
  }

  #finalizeWhenWhole({ id, head: { count, ...head }, transactions }: Coming): void {
    if (transactions.length < count) return;
    this.#block = undefined;
    this.#answer(
      id,
      () => readAnswer(this.#application.finalizeBlock({ ...head, transactions }), readBlock),
      ({ result: { results, ...rest } }) => {
        for (const some of partsOf(results, RESULT.bytesOf)) {
          this.#connection.send('results', id, some.map(RESULT.write));
        }
        return EXECUTED.write(rest);
      },
    );
  }

  #takeSnapshot(id: number): void {
    if (this.#snapshots.size >= SNAPSHOTS_MAX) {
      this.#fail(id, new Error(`${SNAPSHOTS_MAX} snapshots are being read: leave one`));
      return;
    }
    this.#answer(
      id,
      () => readAnswer(this.#application.takeSnapshot?.(), readSnapshot),
      (snapshot) => {
        if (snapshot === undefined) return SNAPSHOT.write(undefined);
        const head = SNAPSHOT.write(snapshot);
        this.#keep(id, snapshot.chunks);
        return head;
      },
    );
  }

  #keep(id: number, chunks: SnapshotChunks): void {
    const iterator = iteratorOf(chunks);
    this.#snapshots.set(id, {
      next: async () => {
        try {
          const step = await iterator.next();
          if (step.done === true) this.#snapshots.delete(id);
          return step;
        } catch (error) {
          this.#snapshots.delete(id);
          throw error;
        }
      },
      leave: iterator.leave,
    });
  }

  #snapshotOf(reader: WireReader): ChunkIterator {
    const snapshot = bodyOf(reader, (from) => from.whole('snapshot', ID_MAX));
    const iterator = this.#snapshots.get(snapshot);
    if (iterator !== undefined) return iterator;
    const words = `there is no snapshot ${snapshot}, or it is read or left`;
    return { next: () => Promise.reject(new Error(words)), leave: () => undefined };
  }

  #restoreSnapshot(id: number, reader: WireReader): void {
    const offer = bodyOf(reader, OFFER.read);
    const restore = this.#application.restoreSnapshot?.bind(this.#application);
    if (restore === undefined) {
      this.#fail(id, new Error('the application restores no snapshots'));
      return;
    }
    this.#restore?.inbox.finish();
    const inbox = new ChunkInbox(
      () => this.#connection.send('chunkWanted', id),
      () => this.#connection.send('chunksLeft', id),
    );
    this.#restore = { id, inbox };
    const run = async () => {
      try {
        await restore(offer, inbox);
      } finally {
        inbox.finish();
      }
    };
    this.#answer(id, run, () => null);
  }

  #chunk(id: number, step: ChunkStep): void {
    if (this.#restore?.id !== id) throw new Nonsense(`a chunk for request ${id}, which restores no snapshot`);
    this.#restore.inbox.take(step);
  }

  /** Ends in exactly one answer or failure. What answers at once is answered at once. */
  #answer<Value>(id: number, act: () => Value | Promise<Value>, write: (value: Value) => Packable): void {
    const done = (value: Value): void => {
      try {
        this.#connection.send('answer', id, write(value));
      } catch (error) {
        this.#fail(id, error);
      }
      if (this.#connection.unsent > UNSENT_BYTES_MAX) this.#connection.readWhenTaken();
    };
    let value: Value | Promise<Value>;
    try {
      value = act();
    } catch (error) {
      this.#fail(id, error);
      return;
    }
    if (!(value instanceof Promise)) {
      done(value);
      return;
    }
    const running = value
      .then(done, (error: unknown) => this.#fail(id, error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #fail(id: number, error: unknown): void {
    const words = messageOf(error);
    this.#connection.send('failure', id, error instanceof MisshapenAnswer ? `nonsense: ${words}` : words);
  }
}

/** The body, and nothing behind it. */
function bodyOf<Value>(reader: WireReader, read: (reader: WireReader) => Value): Value {
  const value = read(reader);
  reader.end();
  return value;
}

const nothing = (reader: WireReader): void => {
  if (!reader.isNil()) throw new Nonsense('nil is needed, there is nothing to say');
  reader.end();
};

const chunkOf = (step: IteratorResult<Uint8Array, unknown>): Packable =>
  step.done === true ? null : step.value;

async function quietly(act: () => unknown): Promise<void> {
  try {
    await act();
  } catch {
    // The snapshot is lost anyway; what the application is next asked for says what ails it.
  }
}
