/** Real sockets for the tests of applications in processes of their own: a folder, raw peers of both sides, a log application. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KindName } from '../../../src/application/socket/frames.ts';
import {
  encodeFrame,
  type Frame,
  FrameSplitter,
  openFrame,
  type Packable,
} from '../../../src/application/socket/frames.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { wallTime } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { digestBytes } from '../../../src/protocol/chain/parse.ts';
import type { FinalizeRequest, InitChainRequest } from '../../../src/protocol/ports/application.ts';
import { address, height } from '../../storage/fixtures.ts';

export const CHAIN = 'socket-chain';
export const GENESIS: InitChainRequest = {
  chainId: CHAIN,
  genesisHash: digestOf(new Uint8Array()),
  genesisTime: wallTime(1_700_000_000_000),
  validators: [],
  appState: { first: 'one' },
};

export const blockOf = (at: number, transactions: readonly Uint8Array[]): FinalizeRequest => ({
  height: height(at),
  blockId: digestOf(utf8(`block ${at}`)),
  time: wallTime(1_700_000_000_000 + at),
  proposer: address(1),
  randomness: digestOf(utf8(`randomness ${at}`)),
  transactions,
});

/** Files and servers of one test file. */
export class Ground {
  readonly dir = mkdtempSync(join(tmpdir(), 'althing-socket-'));
  readonly #closing: (() => unknown)[] = [];
  #count = 0;

  path(): string {
    this.#count += 1;
    return join(this.dir, `app${this.#count}.sock`);
  }

  /** Done at the end of the test, the newest first. */
  finally(close: () => unknown): void {
    this.#closing.push(close);
  }

  async settle(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }

  async remove(): Promise<void> {
    await this.settle();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** One end of a socket that says what a test wants, sense or nonsense. */
export class RawPeer {
  readonly socket: Socket;
  readonly frames: { readonly kind: KindName; readonly id: number; readonly reader: Frame['reader'] }[] = [];
  readonly closed: Promise<void>;
  onFrame: (frame: Frame, peer: RawPeer) => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    const splitter = new FrameSplitter();
    splitter.admitAll();
    socket.on('data', (chunk) =>
      splitter.push(chunk, (bytes) => {
        const frame = openFrame(bytes);
        this.frames.push(frame);
        this.onFrame(frame, this);
      }),
    );
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  send(kind: KindName, id: number, body: Packable = null): void {
    this.write(...encodeFrame(kind, id, body));
  }

  write(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.socket.write(piece);
  }

  /** The words of the refusal that it was sent; waits for the end of the connection. */
  async refusal(): Promise<string | undefined> {
    await this.closed;
    return this.frames.find(({ kind }) => kind === 'refusal')?.reader.text('refusal');
  }
}

export async function rawNode(ground: Ground, path: string, chainId = CHAIN): Promise<RawPeer> {
  const peer = await rawClient(ground, path);
  const greeted = new Promise<void>((resolve) => {
    peer.onFrame = () => resolve();
  });
  peer.send('greeting', 0, ['althing-application', 2, chainId]);
  await Promise.race([greeted, peer.closed]);
  return peer;
}

export async function rawClient(ground: Ground, path: string): Promise<RawPeer> {
  const socket = connect({ path });
  const peer = new RawPeer(socket);
  ground.finally(() => socket.destroy());
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return peer;
}

/** A server that answers frames as told; greets properly unless told otherwise. Its address. */
export async function rawApplication(
  ground: Ground,
  onFrame: (frame: Frame, peer: RawPeer) => void,
): Promise<string> {
  const path = ground.path();
  const server: Server = createServer((socket) => {
    const peer = new RawPeer(socket);
    peer.onFrame = (frame) => onFrame(frame, peer);
    ground.finally(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  ground.finally(() => server.close());
  return `unix:${path}`;
}

export const GREETING: Packable = ['althing-application', 2, ['takeSnapshot', 'restoreSnapshot']];
export const HASH = digestBytes(digestOf(utf8('hash')));

/** Greets, and leaves all other frames to `onFrame`. */
export const greetingFirst =
  (onFrame: (frame: Frame, peer: RawPeer) => void) =>
  (frame: Frame, peer: RawPeer): void => {
    if (frame.kind === 'greeting') peer.send('greeting', 0, GREETING);
    else onFrame(frame, peer);
  };
