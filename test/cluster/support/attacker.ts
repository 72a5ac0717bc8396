/**
 * A Byzantine validator, or a stranger, by hand: the keys of a home that no process runs, production handshakes, and
 * then any bytes whatever. Rules TP-1 to TP-11 from the other side.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { realClock } from '../../../src/actors/runtime/index.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';
import { ECVRF } from '../../../src/crypto/vrf.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import type { EpochContext } from '../../../src/protocol/consensus/epoch.ts';
import type { Signer } from '../../../src/protocol/consensus/safety.ts';
import { INSTANCE_BYTES } from '../../../src/protocol/transport/limits.ts';
import type { Role, WireMessage } from '../../../src/protocol/transport/messages.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import { type DialOutcome, dial } from '../../../src/transport/dial.ts';
import type { SelfDescription } from '../../../src/transport/handshake.ts';
import { type NodeIdentity, nodeIdentity } from '../../../src/transport/identity.ts';
import type { ProvenSocket } from '../../../src/transport/websocket.ts';
import { readAddresses, readEpoch, readKeys } from './chain.ts';
import { eventually } from './local-network.ts';
import type { Validators } from './validators.ts';

const clock = realClock();

/** What the attacker knows: everything but the honest validators' secrets. */
export class Attacker {
  readonly validators: Validators;
  readonly index: number;
  readonly bls: BlsEngine;
  readonly epoch: EpochContext;
  readonly signer: Signer;
  readonly #identity: NodeIdentity;
  /** Node ids by index of the home. */
  readonly #ids: readonly Address[];

  private constructor(
    validators: Validators,
    index: number,
    bls: BlsEngine,
    read: { readonly epoch: EpochContext; readonly ids: readonly Address[]; readonly secrets: Secrets },
  ) {
    this.validators = validators;
    this.index = index;
    this.bls = bls;
    this.epoch = read.epoch;
    this.#ids = read.ids;
    this.#identity = nodeIdentity(read.secrets.nodeSecret);
    const { consensusSecret, nodeSecret } = read.secrets;
    this.signer = {
      address: this.#identity.id,
      sign: (message) => bls.sign(consensusSecret, message),
      prove: (input) => ECVRF.prove(nodeSecret, input),
    };
  }

  /** Takes the keys of home `index`. */
  static async create(validators: Validators, index: number): Promise<Attacker> {
    const { engine } = await loadBlsEngine();
    const { network } = validators;
    const epoch = readEpoch(network.homeOf(index), engine);
    const ids = readAddresses(network, epoch.set.validators.length, engine);
    const secrets = readKeys(network.homeOf(index), engine);
    return new Attacker(validators, index, engine, { epoch, ids, secrets });
  }

  idOf(index: number): Address {
    const id = this.#ids[index];
    if (id === undefined) throw new Error(`no validator ${index}`);
    return id;
  }

  peerPort(index: number): number {
    return this.validators.network.basePort + 10 * index;
  }

  /** One handshake by the book; `as` a stranger has a fresh key. */
  async attempt(victim: number, as: 'validator' | 'stranger', tamper: Tamper = {}): Promise<DialOutcome> {
    const { role = as === 'validator' ? 'validator' : 'full', ...tampered } = tamper;
    const self: SelfDescription = {
      identity: as === 'validator' ? this.#identity : nodeIdentity(new Uint8Array(randomBytes(32))),
      chain: this.epoch.domain,
      role: () => role,
      moniker: 'mallory',
      instance: new Uint8Array(randomBytes(INSTANCE_BYTES)),
      epoch: () => this.epoch.epoch,
      ...tampered,
    };
    return dial({
      self,
      endpoint: { host: '127.0.0.1', port: this.peerPort(victim) },
      expectedPeer: this.idOf(victim),
      clock,
      signal: new AbortController().signal,
      insecure: false,
      onUpgrading: () => undefined,
    });
  }

  /** A proven connection to a victim; tried again while the victim's own dial is in the way. */
  connect(victim: number, as: 'validator' | 'stranger' = 'validator', tamper: Tamper = {}): Promise<Line> {
    return eventually(`the attacker is connected to ${victim}`, 10_000, async () => {
      const outcome = await this.attempt(victim, as, tamper);
      return outcome.outcome === 'proven' ? new Line(outcome.proven) : undefined;
    });
  }
}

interface Secrets {
  readonly nodeSecret: Uint8Array;
  readonly consensusSecret: Uint8Array;
}

/** What a liar writes into its Hello. */
export type Tamper = Partial<Pick<SelfDescription, 'moniker' | 'chain'>> & { readonly role?: Role };

/** One open connection: answers pings, so that only its attack can end it. */
export class Line {
  readonly #proven: ProvenSocket;
  /** What came, newest last; at most 4,096. */
  readonly received: WireMessage[] = [];
  /** The close code and reason, once the victim has hung up. */
  closed: { readonly code: number; readonly reason: string } | undefined;

  constructor(proven: ProvenSocket) {
    this.#proven = proven;
    const { ws } = proven;
    ws.on('message', (data: Buffer) => this.#take(data));
    ws.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    ws.resume();
  }

  get isOpen(): boolean {
    return this.#proven.ws.readyState === WebSocket.OPEN;
  }

  #take(data: Buffer): void {
    const decoding = decode(data);
    if (decoding.outcome !== 'decoded') return;
    if (decoding.message.kind === 'Ping') this.say({ kind: 'Pong', nonce: decoding.message.nonce });
    this.received.push(decoding.message);
    if (this.received.length > 4_096) this.received.shift();
  }

  /** A message as an honest program would write it. */
  say(message: WireMessage): void {
    this.frame(bytesOf(message));
  }

  /** Any bytes as one WebSocket message. */
  frame(bytes: Uint8Array): void {
    if (this.isOpen) this.#proven.ws.send(bytes, { binary: true }, () => undefined);
  }

  text(words: string): void {
    if (this.isOpen) this.#proven.ws.send(words, () => undefined);
  }

  /** Bytes beneath the WebSocket. */
  raw(bytes: Uint8Array): void {
    this.#proven.socket.write(bytes);
  }

  /** The first `count` frames as fast as the socket takes them; ends early when the victim hangs up. */
  async flood(count: number, frameAt: (index: number) => Uint8Array): Promise<number> {
    for (let sent = 0; sent < count; sent += 1) {
      if (!this.isOpen) return sent;
      this.frame(frameAt(sent));
      while (this.isOpen && this.#proven.ws.bufferedAmount > 1_048_576) await sleep(1);
      if (sent % 256 === 0) await sleep(0);
    }
    return count;
  }

  async ended(withinMs = 10_000): Promise<string> {
    const end = await eventually('the victim hangs up', withinMs, () => this.closed);
    return end.reason === '' ? String(end.code) : end.reason;
  }

  close(): void {
    this.#proven.ws.terminate();
  }
}

/** The frame of a message; throws for what our own codec would not send. */
export function bytesOf(message: WireMessage): Uint8Array {
  const encoding = encode(message);
  if (encoding.outcome === 'refused') throw new Error(JSON.stringify(encoding.refusal));
  return encoding.frame.bytes;
}
