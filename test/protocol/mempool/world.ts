/**
 * Mempools with what stands around them, as plain values under a clock of the test: a disk that keeps what was persisted,
 * an executor that knows what was executed, links that deliver, and a chain of one leader at a time.
 */
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { type Monotonic, monotonic, wallTime } from '../../../src/base/units.ts';
import { parseBatch, transactionHashOf, transactionsOf } from '../../../src/protocol/chain/batch.ts';
import { digestOf, merkleRootOf, NO_EVIDENCE } from '../../../src/protocol/chain/canonical.ts';
import { DEFAULT_CHAIN_PARAMETERS } from '../../../src/protocol/chain/genesis.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT, ROOT_ROUND } from '../../../src/protocol/chain/ordinals.ts';
import { parseBlockId, parseHeight } from '../../../src/protocol/chain/parse.ts';
import type {
  Address,
  BatchDigest,
  BatchReference,
  Digest,
  Height,
  ValidatorSet,
} from '../../../src/protocol/chain/types.ts';
import { addressOf, validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import { firstEpoch } from '../../../src/protocol/consensus/epoch.ts';
import type { Outgoing } from '../../../src/protocol/consensus/types.ts';
import { DUPLICATE_RESULT } from '../../../src/protocol/execution/outcome.ts';
import { DEFAULT_MEMPOOL_CONFIG, type MempoolConfig } from '../../../src/protocol/mempool/config.ts';
import { emptyMempool, type MempoolState } from '../../../src/protocol/mempool/state.ts';
import {
  handle,
  type MempoolEvent,
  type MempoolPeerMessage,
  start,
} from '../../../src/protocol/mempool/step.ts';
import type { CheckResult } from '../../../src/protocol/ports/application.ts';
import type { EpochBegan } from '../../../src/protocol/ports/consensus.ts';
import type { BlockExecuted, ExecutionRequest } from '../../../src/protocol/ports/execution.ts';
import type { Admission, MempoolReply } from '../../../src/protocol/ports/mempool.ts';
import type { NetworkRequest } from '../../../src/protocol/ports/network.ts';
import type { CommittedBlock, StorageRequest } from '../../../src/protocol/ports/storage.ts';
import type { Effect } from '../../../src/protocol/supervision/effect.ts';

export const height = (value: number): Height => {
  const parsed = parseHeight(value);
  if (parsed === 'malformed') throw new Error(`${value} is no height`);
  return parsed;
};

/** `powers[i]` is validator i's, in the set's order of addresses. */
export function setOf(powers: readonly number[]): ValidatorSet {
  const keys = powers.map((_, index) => {
    const nodeKey = new Uint8Array(32).fill(index + 1);
    const consensusKey = new Uint8Array(48).fill(index + 1);
    return { address: addressOf(nodeKey), nodeKey, consensusKey };
  });
  keys.sort((left, right) => (left.address < right.address ? -1 : 1));
  const set = validatorSet(keys.map((key, index) => ({ ...key, power: BigInt(powers[index] ?? 1) })));
  if ('code' in set) throw new Error(set.code);
  return set;
}

/** Word of an epoch with these validators (CS-16). */
export const began = (set: ValidatorSet): EpochBegan => ({
  type: 'epoch.began',
  epoch: firstEpoch({ chainId: 'mempool', genesisHash: NO_EVIDENCE }, set, DEFAULT_CHAIN_PARAMETERS),
});

export const addressAt = (set: ValidatorSet, index: number): Address => {
  const validator = set.validators[index];
  if (validator === undefined) throw new Error(`no validator ${index}`);
  return validator.address;
};

export const SMALL: MempoolConfig = {
  ...DEFAULT_MEMPOOL_CONFIG,
  batchBytesMax: 4_096,
  transactionBytesMax: 256,
  batchTtlHeights: 10,
  sealBytes: 512,
  sealBytesMax: 4_096,
  pendingBytesMax: 8_192,
  pendingCountMax: 200,
  authorBytesMax: 16_384,
  serveBytesMax: 8_192,
  recoveryBytes: 700,
  senderPendingMax: 8,
  senderWaitingMax: 3,
  waitingMax: 5,
};

/** The transactions of a batch. */
export const textsOf = (encoding: Uint8Array): readonly string[] => {
  const view = parseBatch(encoding, SMALL);
  return view === 'malformed' ? [] : transactionsOf(view).map((each) => Buffer.from(each).toString());
};

/** What the application says of a transaction such as `p5 @ada:3 next=1 cost=2 funds=9`; it names no sender of others. */
function senderIn(text: string): Pick<CheckResult, 'sender'> {
  const named = /@(\w+):(\d+)/.exec(text);
  if (named === null) return {};
  const of = (name: string) => BigInt(new RegExp(`${name}=(\\d+)`).exec(text)?.[1] ?? '0');
  const sender = { id: named[1] ?? '', sequence: BigInt(named[2] ?? '0') };
  return { sender: { ...sender, next: of('next'), cost: of('cost'), funds: of('funds') } };
}

/** A committed block whose certificates nobody looks at. */
export function committedBlock(
  at: Height,
  batches: readonly BatchReference[],
  proposer: Address,
): CommittedBlock {
  const id = parseBlockId(digestOf(utf8(`block ${at}`)));
  if (id === 'malformed') throw new Error('a digest is an id');
  const qc = {
    epoch: FIRST_EPOCH,
    round: ROOT_ROUND,
    height: at,
    blockId: id,
    parentId: id,
    parentRound: ROOT_ROUND,
    signers: new Uint8Array(0),
    signature: new Uint8Array(0),
  };
  const header = {
    epoch: FIRST_EPOCH,
    round: ROOT_ROUND,
    height: at,
    parentId: id,
    time: wallTime(at),
    proposer,
    batches,
    batchesRoot: merkleRootOf(batches.map(({ digest }) => digest)),
    executed: { height: GENESIS_HEIGHT, appHash: digestOf() },
    validatorsHash: digestOf(),
    nextValidatorsHash: digestOf(),
    evidenceHash: NO_EVIDENCE,
    vrfProof: new Uint8Array(0),
  };
  return { id, block: { header, qc }, qc, commitProof: qc };
}

/** What a cell asks for, by the effects of its steps. */
interface Told {
  readonly to: string;
  readonly message: { readonly type: string };
}

const told = (effects: readonly Effect[]): readonly Told[] =>
  effects.flatMap((effect) => (effect.kind === 'tell' ? [{ to: effect.to, message: effect.message }] : []));

export class Node {
  readonly address: Address;
  readonly disk = new Map<BatchDigest, Uint8Array>();
  readonly committedDigests = new Set<BatchDigest>();
  readonly executedHashes = new Set<Digest>();
  readonly admissions = new Map<number, readonly Admission[]>();
  readonly payloads = new Map<number, readonly BatchReference[]>();
  readonly answers: MempoolReply[] = [];
  readonly expired: Digest[] = [];
  readonly accusations: { readonly peer: Address; readonly code: string }[] = [];
  readonly committedHeights: CommittedBlock[] = [];
  readonly sent: Outgoing[] = [];
  hasWork = false;
  diskFails = false;
  /** Requests to the disk get lost. */
  diskSilent = false;
  application: 'answers' | 'fails' | 'is silent' = 'answers';
  /** Tags of the checks that the application was asked for, in order. */
  readonly asked: number[] = [];
  /** What was looked for on the disk, in order. */
  readonly looked: BatchDigest[] = [];
  alive = true;
  state: MempoolState;
  timers = new Map<string, { readonly due: number; readonly event: MempoolEvent }>();

  constructor(address: Address, state: MempoolState) {
    this.address = address;
    this.state = state;
  }
}

export class World {
  readonly set: ValidatorSet;
  readonly config: MempoolConfig;
  readonly nodes: readonly Node[];
  /** False drops the message. */
  link: (from: number, to: number) => boolean = () => true;
  now: Monotonic = monotonic(0);
  height = 0;
  #tag = 0;
  readonly #queue: (() => void)[] = [];
  #draining = false;

  constructor(powers: readonly number[], config: MempoolConfig = SMALL) {
    this.set = setOf(powers);
    this.config = config;
    this.nodes = this.set.validators.map(({ address }) => new Node(address, this.#fresh(address)));
    for (const node of this.nodes) this.#begin(node);
  }

  node(index: number): Node {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`no node ${index}`);
    return node;
  }

  /** Everything that follows from one message happens before this returns, but for timers. */
  send(index: number, event: MempoolEvent): void {
    const node = this.node(index);
    this.#queue.push(() => {
      if (!node.alive) return;
      const step = handle(node.state, event, this.now);
      node.state = step.state;
      this.#perform(node, step.effects);
    });
    this.#drain();
  }

  /** The submission's tag. */
  submit(index: number, transactions: readonly (string | Uint8Array)[], client = 'client'): number {
    this.#tag += 1;
    const bytes = transactions.map((each) => (typeof each === 'string' ? utf8(each) : each));
    this.send(index, {
      type: 'transactions.submitted',
      client,
      transactions: bytes,
      hashes: bytes.map(transactionHashOf),
      replyTo: 'client',
      tag: this.#tag,
    });
    return this.#tag;
  }

  payload(
    index: number,
    options: Partial<{
      at: number;
      exclude: readonly BatchDigest[];
      bytesMax: number;
      countMax: number;
    }> = {},
  ) {
    this.#tag += 1;
    const { at = this.height + 1, exclude = [], bytesMax = 1e9, countMax = 1_000 } = options;
    const request = { exclude, bytesMax, countMax, replyTo: 'round', tag: this.#tag };
    this.send(index, { type: 'payload.requested', height: height(at), ...request });
    return this.node(index).payloads.get(this.#tag) ?? [];
  }

  /** Time passes in steps of a millisecond; timers go off. */
  advance(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      const next = this.nodes.flatMap(({ timers }) => [...timers.values()].map(({ due }) => due));
      this.now = monotonic(Math.min(end, Math.max(this.now, Math.min(...next, end))));
      let fired = false;
      this.nodes.forEach((node, index) => {
        for (const [key, { due, event }] of [...node.timers]) {
          if (due > this.now) continue;
          node.timers.delete(key);
          fired = true;
          this.send(index, event);
        }
      });
      if (!fired && this.now >= end) return;
    }
  }

  /** A block of these batches is committed and executed everywhere, or at `at` alone. */
  commit(
    references: readonly BatchReference[],
    at: readonly number[] = this.nodes.map((_, index) => index),
  ): void {
    this.height += 1;
    const block = committedBlock(height(this.height), references, addressAt(this.set, 0));
    for (const node of this.nodes) node.committedHeights.push(block);
    for (const index of at) this.catchUp(index);
  }

  /** Delivers the blocks that a node has not heard of. */
  catchUp(index: number): void {
    const node = this.node(index);
    const blocks = node.committedHeights.splice(0);
    if (!node.alive) {
      node.committedHeights.push(...blocks);
      return;
    }
    for (const block of blocks) {
      for (const { digest } of block.block.header.batches) node.committedDigests.add(digest);
      this.send(index, { type: 'blocks.committed', blocks: [block] });
      this.send(index, this.#executed(node, block));
    }
  }

  /** kill -9: only the disk stays. */
  crash(index: number): void {
    const node = this.node(index);
    node.alive = false;
    node.timers.clear();
  }

  /** A process begins on what the disk holds; its peers greet it. */
  restart(index: number): void {
    const node = this.node(index);
    node.alive = true;
    node.timers = new Map();
    node.state = this.#fresh(node.address);
    this.#begin(node);
    this.catchUp(index);
    this.nodes.forEach((other, at) => {
      if (at === index || !other.alive) return;
      this.send(at, { type: 'peer.connected', peer: node.address });
      this.send(index, { type: 'peer.connected', peer: other.address });
    });
  }

  receive(index: number, from: number | Address, message: MempoolPeerMessage): void {
    const sender = typeof from === 'number' ? this.node(from).address : from;
    this.send(index, { type: 'message.received', from: sender, message });
  }

  #fresh(author: Address): MempoolState {
    return emptyMempool(
      {
        config: this.config,
        author,
        validators: this.set,
        addresses: {
          self: author,
          storage: 'storage',
          executor: 'executor',
          network: 'network',
          bridge: 'bridge',
          pacemakers: ['pacemaker'],
          listeners: ['listener'],
        },
      },
      this.now,
    );
  }

  #begin(node: Node): void {
    const step = start(node.state);
    node.state = step.state;
    this.#queue.push(() => this.#perform(node, step.effects));
    this.#drain();
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
    this.#draining = false;
  }

  #perform(node: Node, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'startTimer') {
        const event = asTimer(effect.message.type);
        node.timers.set(effect.key, { due: this.now + effect.delayMs, event });
      }
    }
    for (const { to, message } of told(effects)) {
      if (to === 'storage') this.#storage(node, asStorage(message));
      else if (to === 'executor') this.#executor(node, asExecution(message));
      else if (to === 'network') this.#network(node, asNetwork(message));
      else this.#reply(node, asReply(message));
    }
  }

  #storage(node: Node, request: StorageRequest): void {
    const index = this.nodes.indexOf(node);
    if (request.type === 'batches.requested') node.looked.push(...request.digests);
    if (node.diskSilent) return;
    switch (request.type) {
      case 'batches.persistRequested': {
        const { tag, batches, type } = request;
        if (node.diskFails) {
          this.send(index, { type: 'storage.failed', tag, request: type, code: 'FULL', detail: 'no room' });
          return;
        }
        for (const { digest, bytes } of batches) node.disk.set(digest, bytes);
        this.send(index, { type: 'batches.persisted', tag, digests: batches.map(({ digest }) => digest) });
        return;
      }
      case 'batches.requested': {
        const { tag, digests } = request;
        const batches = digests.flatMap((digest) => {
          const bytes = node.disk.get(digest);
          return bytes === undefined ? [] : [{ digest, bytes }];
        });
        const missing = digests.filter((digest) => !node.disk.has(digest));
        this.send(index, { type: 'batches.found', tag, batches, missing });
        return;
      }
      case 'batches.uncommittedRequested': {
        const { tag, after = '', bytesMax } = request;
        const rest = [...node.disk]
          .filter(([digest]) => digest > after && !node.committedDigests.has(digest))
          .sort(([left], [right]) => (left < right ? -1 : 1));
        let bytes = 0;
        const batches = rest.flatMap(([digest, encoding], at) => {
          bytes += encoding.byteLength;
          return at > 0 && bytes > bytesMax ? [] : [{ digest, bytes: encoding }];
        });
        const more = batches.length < rest.length;
        const committed = node.committedHeights[0]?.block.header.height ?? this.height + 1;
        const found = { tag, batches, more, height: height(committed - 1) };
        this.send(index, { type: 'batches.uncommittedFound', ...found });
        return;
      }
      case 'batches.released':
        for (const digest of request.digests) node.disk.delete(digest);
        return;
      default:
        throw new Error(`a mempool does not ask storage for ${request.type}`);
    }
  }

  #executor(node: Node, request: ExecutionRequest): void {
    if (request.type !== 'check.requested') throw new Error(`a mempool does not ask for ${request.type}`);
    const index = this.nodes.indexOf(node);
    const { tag, transactions } = request;
    node.asked.push(tag);
    if (node.application === 'fails') {
      this.send(index, { type: 'execution.failed', tag, code: 'APPLICATION_FAILED', detail: 'gone' });
    }
    if (node.application !== 'answers') return;
    if (transactions.some((each) => Buffer.from(each).toString() === 'hang')) return;
    const results = transactions.map((each): CheckResult => {
      const text = Buffer.from(each).toString();
      if (node.executedHashes.has(transactionHashOf(each))) return { ...DUPLICATE_RESULT, priority: 0n };
      const priority = BigInt(/^p(\d+)/.exec(text)?.[1] ?? '0');
      const code = text.startsWith('bad') ? 7 : 0;
      return { code, log: 'ruled', codespace: 'app', priority, ...senderIn(text) };
    });
    this.send(index, { type: 'check.answered', tag, results, height: GENESIS_HEIGHT });
  }

  #network(node: Node, request: NetworkRequest): void {
    if (request.type === 'peer.misbehaved') {
      node.accusations.push({ peer: request.peer, code: request.code });
      return;
    }
    const from = this.nodes.indexOf(node);
    if (request.type === 'guest.askRequested') {
      const { turn, message } = request;
      const guests = this.nodes.filter(
        ({ address }, index) =>
          !node.state.validators.indexByAddress.has(address) &&
          this.link(from, index) &&
          this.link(index, from),
      );
      const guest = guests[turn % Math.max(1, guests.length)];
      if (guest !== undefined)
        this.#network(node, { type: 'network.sendRequested', outgoing: [{ to: [guest.address], message }] });
      return;
    }
    if (request.type !== 'network.sendRequested') throw new Error(`a mempool does not ask ${request.type}`);
    for (const outgoing of request.outgoing) {
      node.sent.push(outgoing);
      const { to, message } = outgoing;
      if (message.kind !== 'Batch' && message.kind !== 'BatchAck' && message.kind !== 'GetBatch') {
        throw new Error(`a mempool does not send ${message.kind}`);
      }
      this.nodes.forEach((receiver, index) => {
        if (to !== 'all' && !to.includes(receiver.address)) return;
        if (index !== from && !this.link(from, index)) return;
        this.send(index, { type: 'message.received', from: node.address, message });
      });
    }
  }

  #reply(node: Node, reply: MempoolReply): void {
    node.answers.push(reply);
    if (reply.type === 'transactions.admitted') node.admissions.set(reply.tag, reply.admissions);
    if (reply.type === 'payload.selected') node.payloads.set(reply.tag, reply.batches);
    if (reply.type === 'transactions.expired') node.expired.push(...reply.hashes);
    if (reply.type === 'work.changed') node.hasWork = reply.hasWork;
  }

  #executed(node: Node, block: CommittedBlock): BlockExecuted {
    const encodings = block.block.header.batches.map(({ digest }) =>
      this.nodes.map(({ disk }) => disk.get(digest)).find((bytes) => bytes !== undefined),
    );
    const transactions = encodings.flatMap((bytes) => {
      const view = bytes === undefined ? 'malformed' : parseBatch(bytes, this.config);
      if (view === 'malformed') throw new Error('a committed batch is on somebody’s disk');
      return transactionsOf(view);
    });
    const executed = transactions.map((bytes) => {
      const hash = transactionHashOf(bytes);
      const { code, codespace } = DUPLICATE_RESULT;
      const isKnown = node.executedHashes.has(hash);
      node.executedHashes.add(hash);
      return { hash, byteLength: bytes.byteLength, code: isKnown ? code : 0, codespace };
    });
    const { height: at, round, proposer, time } = block.block.header;
    return {
      type: 'block.executed',
      blockId: block.id,
      round,
      proposer,
      time,
      executed: { height: at, appHash: digestOf(utf8(toHex(utf8(String(at))))) },
      transactions: executed,
      validatorUpdates: [],
    };
  }
}

// What a cell tells another is typed at the sender; the effect's type has forgotten it.
const asStorage = (message: { readonly type: string }): StorageRequest => message as StorageRequest;
const asExecution = (message: { readonly type: string }): ExecutionRequest => message as ExecutionRequest;
const asNetwork = (message: { readonly type: string }): NetworkRequest => message as NetworkRequest;
const asReply = (message: { readonly type: string }): MempoolReply => message as MempoolReply;
const asTimer = (type: string): MempoolEvent => ({ type }) as MempoolEvent;
