/**
 * An application that runs in a process of its own, as the executor sees it. When its connection ends, all that is in flight
 * rejects with the reason, and so does all that comes: the executor closes it and opens another. Boundary: sockets.
 * Rules AP-1 to AP-8, docs/application-protocol.md; EX-5.
 */
import { connect, type Socket } from 'node:net';
import type {
  Application,
  ApplicationSnapshot,
  BlockResult,
  FinalizeRequest,
  SnapshotChunks,
  SnapshotOffer,
} from '../../protocol/ports/application.ts';
import type { TransactionResult } from '../../protocol/ports/storage.ts';
import { SNAPSHOT_CHUNK_BYTES_MAX } from '../../protocol/sync/messages.ts';
import { BLOCK_ANSWER_BYTES_MAX } from '../answer-shapes.ts';
import { ApplicationGone, messageOf } from '../calls.ts';
import { type SocketAddress, socketAddress } from './address.ts';
import {
  APP_HASH,
  BLOCK,
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
import { ChunkSource, iteratorOf } from './chunks.ts';
import { Connection } from './connection.ts';
import { type Frame, ID_MAX, type KindName, type Packable } from './frames.ts';
import { APPLICATION_GREETING, NODE_GREETING } from './greeting.ts';
import { partsOf } from './parts.ts';
import { Nonsense, type WireReader } from './reader.ts';

/** Requests without an answer, those that the executor has given up included. Beyond: rejected. @unit requests @source checks of a second at 50,000 transactions/s */
export const REQUESTS_MAX = 65_536;
/** What the application has not read yet. Beyond: checks and queries are rejected. @unit bytes @source the largest block */
export const UNSENT_BYTES_MAX = 67_108_864;

/** What a value of a list takes beside its bytes. @unit bytes @source chosen: memory is at most twice what is counted, and kv's largest block has room */
const VALUE_BYTES = 16;

export interface RemoteOptions {
  /** `unix:/run/app.sock` or `tcp:127.0.0.1:26658` */
  readonly address: string;
  /** Of the node's chain: an application that serves another one refuses. */
  readonly chainId: string;
  /** What it must call itself. Left out: anything. */
  readonly name?: string;
  /** Aborted: the connection ends, during the opening too, and with it all that hangs. */
  readonly signal?: AbortSignal;
}

/**
 * Connects, greets, and asks for the name. How long it may take, the caller's signal says.
 * @throws (rejects) with the address and the reason in words
 */
export async function remoteApplication(options: RemoteOptions): Promise<Application> {
  const remote = new Remote(socketAddress(options.address), options);
  const methods = await remote.greeted;
  const application = remote.application(methods);
  if (options.name === undefined) return application;
  const { name } = await application.info();
  if (name === options.name) return application;
  await application.close?.();
  throw new Error(
    `${options.address}: "${name}" listens there, and the genesis (app.name) names "${options.name}": ` +
      'start that one, or correct application.address',
  );
}

interface Call {
  readonly what: string;
  /** @throws Nonsense: this call rejects, the others do not */
  readonly answered: (reader: WireReader) => void;
  readonly failed: (error: Error) => void;
  /** Results of a block. @throws Nonsense: the connection ends */
  readonly part?: (reader: WireReader) => void;
  /** What `restoreSnapshot` reads. */
  readonly chunks?: ChunkSource;
}

interface Streams extends Pick<Call, 'part' | 'chunks'> {
  /** The request went out under this id: what belongs to it may follow. */
  readonly sent?: (id: number) => void;
}

class Remote {
  readonly #address: SocketAddress;
  readonly #connection: Connection;
  readonly #greeting = Promise.withResolvers<ReadonlySet<string>>();
  readonly #calls = new Map<number, Call>();
  #isGreeted = false;
  #id = 0;
  #end: ApplicationGone | undefined;

  constructor(address: SocketAddress, { chainId, signal }: RemoteOptions) {
    this.#address = address;
    this.#connection = new Connection(socketTo(address), {
      received: (frame) => this.#received(frame),
      ended: (words) => this.#ended(words),
    });
    const leave = () => this.#connection.close('the node has given it up');
    if (signal?.aborted === true) leave();
    else signal?.addEventListener('abort', leave, { once: true });
    this.#connection.send('greeting', 0, NODE_GREETING.write(chainId));
  }

  /** The optional methods that it has. */
  get greeted(): Promise<ReadonlySet<string>> {
    return this.#greeting.promise;
  }

  application(methods: ReadonlySet<string>): Application {
    return {
      info: () => this.#call('info', 'info', null, INFO.read),
      initChain: (request) => this.#call('initChain', 'initChain', GENESIS.write(request), APP_HASH.read),
      checkTx: (transaction) => this.#question('checkTx', 'checkTx', transaction, CHECK.read),
      finalizeBlock: (request) => this.#finalizeBlock(request),
      query: (path, data, height) =>
        this.#question(`query of '${path}'`, 'query', QUERY.write({ path, data, height }), FOUND.read),
      ...(methods.has('prove')
        ? { prove: (key: Uint8Array) => this.#question('a proof', 'prove', key, PROVEN.read) }
        : {}),
      ...(methods.has('takeSnapshot') ? { takeSnapshot: () => this.#takeSnapshot() } : {}),
      ...(methods.has('restoreSnapshot')
        ? {
            restoreSnapshot: (offer: SnapshotOffer, chunks: SnapshotChunks) =>
              this.#restoreSnapshot(offer, chunks),
          }
        : {}),
      close: () => {
        this.#connection.close('the node has closed it');
        return this.#connection.closed;
      },
    };
  }

  #finalizeBlock(request: FinalizeRequest): Promise<BlockResult> {
    const { height, transactions } = request;
    const results: TransactionResult[] = [];
    let room = BLOCK_ANSWER_BYTES_MAX;
    const part = (reader: WireReader): void => {
      room -= reader.byteLength;
      if (room < 0) {
        throw new Nonsense(`results of more than ${BLOCK_ANSWER_BYTES_MAX} bytes for height ${height}`);
      }
      const count = reader.list('results');
      if (results.length + count > transactions.length) {
        throw new Nonsense(`${results.length + count} results for ${transactions.length} transactions`);
      }
      for (let left = count; left > 0; left -= 1) results.push(RESULT.read(reader));
      room -= VALUE_BYTES * reader.values;
    };
    const what = `finalizeBlock of height ${height}`;
    const body = BLOCK.write(request, transactions.length);
    const read = (reader: WireReader): BlockResult => ({ results, ...EXECUTED.read(reader) });
    const sent = (id: number): void => {
      for (const some of partsOf(transactions, ({ byteLength }) => byteLength)) {
        this.#connection.send('transactions', id, some);
      }
    };
    return this.#call(what, 'finalizeBlock', body, read, { part, sent });
  }

  #takeSnapshot(): Promise<ApplicationSnapshot | undefined> {
    return this.#call('takeSnapshot', 'takeSnapshot', null, (reader, id) => {
      const head = SNAPSHOT.read(reader);
      return head === undefined ? undefined : { ...head, chunks: this.#chunksOf(id) };
    });
  }

  /** One request a chunk: the reader's pace is the application's. */
  #chunksOf(snapshot: number): SnapshotChunks {
    const range = { min: 1, max: SNAPSHOT_CHUNK_BYTES_MAX };
    const read = (reader: WireReader) => (reader.isNil() ? undefined : reader.bytes('chunk', range));
    let isOver = false;
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      if (isOver) return { done: true, value: undefined };
      const value = await this.#call('reading the snapshot', 'readChunk', snapshot, read);
      isOver ||= value === undefined;
      return value === undefined ? { done: true, value } : { done: false, value };
    };
    const leave = async (): Promise<IteratorResult<Uint8Array>> => {
      // With its connection the application's side has let go of it.
      if (!isOver && this.#end === undefined) {
        isOver = true;
        await this.#call('leaving the snapshot', 'leaveSnapshot', snapshot, readNil);
      }
      return { done: true, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
  }

  async #restoreSnapshot(offer: SnapshotOffer, given: SnapshotChunks): Promise<void> {
    const chunks = new ChunkSource(iteratorOf(given));
    try {
      const what = `restoreSnapshot of height ${offer.height}`;
      await this.#call(what, 'restoreSnapshot', OFFER.write(offer), readNil, { chunks });
    } finally {
      await chunks.leave();
    }
  }

  /** Whoever asks them can do without: they are refused before too many pile up. */
  #question<Value>(
    what: string,
    kind: KindName,
    body: Packable,
    read: (reader: WireReader) => Value,
  ): Promise<Value> {
    const { unsent } = this.#connection;
    if (unsent <= UNSENT_BYTES_MAX) return this.#call(what, kind, body, read);
    const words = `it has not read ${unsent} bytes that wait for it, at most ${UNSENT_BYTES_MAX} may (AP-6)`;
    return Promise.reject(this.#error(words));
  }

  #call<Value>(
    what: string,
    kind: KindName,
    body: Packable,
    read: (reader: WireReader, id: number) => Value,
    { sent, ...streams }: Streams = {},
  ): Promise<Value> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    if (this.#calls.size >= REQUESTS_MAX) {
      return Promise.reject(
        this.#error(`it has ${REQUESTS_MAX} requests to answer, more are not sent (AP-6)`),
      );
    }
    do this.#id = (this.#id % ID_MAX) + 1;
    while (this.#calls.has(this.#id));
    const id = this.#id;
    return new Promise((resolve, failed) => {
      this.#connection.send(kind, id, body);
      this.#calls.set(id, {
        what,
        answered(reader) {
          const value = read(reader, id);
          reader.end();
          resolve(value);
        },
        failed,
        ...streams,
      });
      sent?.(id);
    });
  }

  #received({ kind, id, reader }: Frame): void {
    if (kind === 'refusal') {
      this.#connection.close(`it refuses this node: ${messageOf(reader.text('refusal'))}`);
      return;
    }
    if (!this.#isGreeted) {
      if (kind !== 'greeting') throw new Nonsense(`its first frame is of kind ${kind}, not a greeting`);
      const methods = APPLICATION_GREETING.read(reader);
      reader.end();
      this.#isGreeted = true;
      this.#connection.admitAll();
      this.#greeting.resolve(methods);
      return;
    }
    const call = this.#calls.get(id);
    if (call === undefined)
      throw new Nonsense(`${kind} of request ${id}, which is answered already or was never asked`);
    this.#ofCall(call, kind, id, reader);
  }

  #ofCall(call: Call, kind: KindName, id: number, reader: WireReader): void {
    if (kind === 'answer') {
      this.#calls.delete(id);
      try {
        call.answered(reader);
      } catch (error) {
        if (!(error instanceof Nonsense)) throw error;
        call.failed(
          this.#error(`nonsense for ${call.what}: ${error.message} (docs/application-protocol.md)`),
        );
      }
    } else if (kind === 'failure') {
      const words = reader.text('failure');
      reader.end();
      this.#calls.delete(id);
      call.failed(new Error(messageOf(words)));
    } else if (kind === 'results' && call.part !== undefined) {
      call.part(reader);
      reader.end();
    } else if (kind === 'chunkWanted' && call.chunks !== undefined) {
      this.#giveChunk(id, call.chunks);
    } else if (kind === 'chunksLeft' && call.chunks !== undefined) {
      void call.chunks.leave();
    } else throw new Nonsense(`${kind} is no answer to ${call.what}`);
  }

  /** One at a time: the next when the application has asked for it. */
  #giveChunk(id: number, chunks: ChunkSource): void {
    const give = (kind: KindName, body: Packable) => {
      if (this.#calls.has(id)) this.#connection.send(kind, id, body);
    };
    void chunks.next().then((step) => {
      if (step.status === 'chunk') give('chunk', step.bytes);
      else if (step.status === 'ended') give('chunksEnded', null);
      else give('chunksFailed', step.words);
    });
  }

  #ended(words: string): void {
    const error = this.#error(words);
    this.#end = error;
    this.#greeting.reject(error);
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { failed } of calls) failed(error);
  }

  #error(words: string): ApplicationGone {
    return new ApplicationGone(`${this.#address.text}: ${words}`);
  }
}

const readNil = (reader: WireReader): void => {
  if (!reader.isNil()) throw new Nonsense('nil is needed');
};

function socketTo(address: SocketAddress): Socket {
  return address.kind === 'unix'
    ? connect({ path: address.path })
    : connect({ host: address.host, port: address.port });
}
