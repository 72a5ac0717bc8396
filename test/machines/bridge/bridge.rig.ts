/** The bridge chart with what it tells its neighbours, noted by address; for tests. */

import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { GATHER_MS } from '../../../src/machines/bridge/bridge.gathering.ts';
import type { BridgeInput } from '../../../src/machines/bridge/bridge.live.ts';
import { bridgeMachine } from '../../../src/machines/bridge/bridge.machine.ts';
import { load } from '../../../src/machines/bridge/bridge.setup.ts';
import { BRIDGE_DEFAULTS, type BridgeConfig } from '../../../src/protocol/bridge/config.ts';
import type { BridgeMessage } from '../../../src/protocol/bridge/messages.ts';
import { transactionHashOf } from '../../../src/protocol/chain/batch.ts';
import type { Address, Digest, ExecutedState } from '../../../src/protocol/chain/types.ts';
import type { OperationsAnswered } from '../../../src/protocol/ports/bridge.ts';
import type { TransactionOutcome } from '../../../src/protocol/ports/execution.ts';
import type { Admission } from '../../../src/protocol/ports/mempool.ts';
import type { CommittedBlock } from '../../../src/protocol/ports/storage.ts';
import type { Message } from '../../../src/protocol/supervision/effect.ts';
import { blockExecuted, committedAt, stateAfter } from '../../protocol/bridge/operations-of.ts';
import { height, round, world } from '../../protocol/consensus/fixture.ts';
import { type Reach, reachOf, toldTo } from '../reach.ts';

export type BridgeReach = Reach<typeof bridgeMachine>;
type Chart = ReturnType<BridgeReach['start']>;
type BridgeEvent = Parameters<Chart['send']>[0];

export const place = world();
/** Validators 0 to 3; this node is the first. */
export const [SELF, A, B, C] = [0, 1, 2, 3].map((index) => place.addressAt(index)) as [
  Address,
  Address,
  Address,
  Address,
];
export const STRANGER = world([1n], 'elsewhere').addressAt(0);

export const bridgeReach = (): BridgeReach => reachOf(bridgeMachine, 'bridge');

/** Names of what `bridge.forwarding.test.ts`, `bridge.checking.test.ts` and `bridge.sharing.test.ts` must reach; all others `bridge.test.ts`. */
export const isOfHandingOver = (name: string): boolean =>
  /call\.failed|breaker\.changed|gather\.due|^bridge on message\.received \[0\]/.test(name);
export const isOfChecking = (name: string): boolean => /check\.|sync\.statusChanged/.test(name);
export const isOfSharing = (name: string): boolean => /sharing|^bridge on message\.received \[1\]/.test(name);

export interface RigOptions {
  readonly config?: Partial<BridgeConfig>;
  readonly self?: Address;
  /** Connected from the start. Default: A and B, which is a quorum with SELF. */
  readonly connected?: readonly Address[];
  readonly from?: number;
  readonly input?: Partial<BridgeInput>;
  /** False: storage has not said the committed height, which is 0. */
  readonly knowsHeight?: boolean;
}

const isAnswer = (message: Message): message is OperationsAnswered => message.type === 'operations.answered';

export class Rig {
  readonly chart: Chart;
  now: number;
  readonly toStorage: Message[] = [];
  readonly toMempool: Message[] = [];
  readonly toExecutor: Message[] = [];
  readonly toNetworkSync: Message[] = [];
  readonly toRouter: Message[] = [];
  readonly toAlarm: Message[] = [];
  readonly toRoundManager: Message[] = [];
  readonly toListener: Message[] = [];
  readonly toBreakers: { readonly peer: string; readonly message: Message }[] = [];
  readonly answers: OperationsAnswered[] = [];
  #tag = 0;

  constructor(reach: BridgeReach, options: RigOptions = {}) {
    this.now = options.from ?? 0;
    const input: BridgeInput = {
      config: { ...BRIDGE_DEFAULTS, ...options.config },
      self: options.self ?? SELF,
      validators: place.epoch.set,
      batchTtlHeights: 10,
      deduplicationHeights: 50,
      storage: 'storage',
      mempool: 'mempool',
      executor: 'executor',
      networkSync: 'network-sync',
      router: 'router',
      alarm: 'alarm',
      roundManager: 'round-manager',
      listeners: ['listener'],
      ...options.input,
    };
    this.chart = reach.start(input, { now: monotonic(this.now) });
    this.#note(this.chart.effects);
    if (options.knowsHeight !== false) this.findTip(0);
    for (const peer of options.connected ?? [A, B]) this.connect(peer);
  }

  /** Storage says how far the chain is. */
  findTip(at: number): void {
    const { blockId: id } = place.epoch.rootQC;
    const executed = stateAfter(at);
    this.send({ type: 'tip.found', tag: 0, base: height(0), height: height(at), id, executed });
  }

  get context() {
    return this.chart.snapshot.context;
  }

  get reach() {
    return this.chart.snapshot.value.reach;
  }

  blamed(): readonly Message[] {
    return this.toRouter.filter(({ type }) => type === 'peer.misbehaved');
  }

  get load(): number {
    return load(this.context);
  }

  send(event: BridgeEvent) {
    return this.#note(this.chart.send(event, { now: monotonic(this.now) }));
  }

  /** Lets the one timer with this delay ring. */
  elapse(delayMs: number): void {
    this.now += delayMs;
    this.#note(this.chart.elapse(delayMs, { now: monotonic(this.now) }));
  }

  /** The moment is over in which operations are gathered (BR-8). */
  gather(): void {
    this.now += GATHER_MS;
    this.send({ type: 'gather.due' });
  }

  connect(peer: Address): void {
    this.send({ type: 'peer.connected', peer });
  }

  disconnect(peer: Address): void {
    this.send({ type: 'peer.disconnected', peer });
  }

  /** By a client; its tag. */
  submit(...transactions: readonly Uint8Array[]): number {
    this.#tag += 1;
    this.send({
      type: 'operations.submitted',
      replyTo: 'client',
      tag: this.#tag,
      client: 'test',
      transactions,
    });
    return this.#tag;
  }

  hear(from: Address, message: BridgeMessage) {
    return this.send({ type: 'message.received', from, message });
  }

  /** The mempool judges the newest question, or that with `tag`; what it does not refuse is admitted. */
  judge(refusals: Readonly<Record<number, Admission>> = {}, tag = this.asked().tag): void {
    const question = this.questions().find((one) => one.tag === tag);
    const admissions = (question?.transactions ?? []).map(
      (transaction, index): Admission =>
        refusals[index] ?? { status: 'admitted', hash: transactionHashOf(transaction) },
    );
    this.send({ type: 'transactions.admitted', tag, admissions });
  }

  /** What the mempool was asked. */
  questions(): readonly { readonly tag: number; readonly transactions: readonly Uint8Array[] }[] {
    return this.toMempool.flatMap((message) =>
      'transactions' in message && 'tag' in message
        ? [{ tag: Number(message['tag']), transactions: message['transactions'] as readonly Uint8Array[] }]
        : [],
    );
  }

  asked() {
    return this.questions().at(-1) ?? { tag: -1, transactions: [] };
  }

  /** Admissions of the client's submission, as codes; `admitted` where it was. */
  codes(tag: number): readonly string[] | undefined {
    const answer = this.answers.find((one) => one.tag === tag);
    return answer?.admissions.map((one) => (one.status === 'admitted' ? 'admitted' : one.code));
  }

  logs(tag: number): readonly string[] {
    const answer = this.answers.find((one) => one.tag === tag);
    return answer?.admissions.flatMap((one) => (one.status === 'refused' ? [one.log] : [])) ?? [];
  }

  execute(state: ExecutedState, ...transactions: readonly TransactionOutcome[]): void {
    this.send(blockExecuted(state, ...transactions));
  }

  executeTo(from: number, to: number): void {
    for (let at = from; at <= to; at += 1) this.execute(stateAfter(at));
  }

  commit(...blocks: readonly CommittedBlock[]): void {
    this.send({ type: 'blocks.committed', blocks });
  }

  commitAt(at: number): void {
    this.commit(committedAt(at));
  }

  failRound(value: number): void {
    this.send({
      type: 'round.failed',
      epoch: place.epoch.epoch,
      round: round(value),
      leader: A,
      reason: 'LeaderTimeout',
      duration: millis(1_000),
      at: wallTime(this.now),
    });
  }

  /** What the router was asked to send to peers. */
  sent(): readonly { readonly to: unknown; readonly message: BridgeMessage }[] {
    return this.toRouter.flatMap((message) =>
      'outgoing' in message
        ? (message['outgoing'] as readonly { to: unknown; message: BridgeMessage }[])
        : [],
    );
  }

  /** Calls that breakers were asked for, oldest first. */
  calls() {
    return this.toBreakers.flatMap(({ peer, message }) =>
      message.type === 'call.requested' && 'message' in message
        ? [{ peer: peer as Address, message: message['message'] as BridgeMessage & { tag: number } }]
        : [],
    );
  }

  expired(): readonly Digest[] {
    return this.toListener.flatMap((message) => ('ids' in message ? (message['ids'] as Digest[]) : []));
  }

  #note(effects: ReturnType<Chart['send']>) {
    this.toStorage.push(...toldTo(effects, 'storage'));
    this.toMempool.push(...toldTo(effects, 'mempool'));
    this.toExecutor.push(...toldTo(effects, 'executor'));
    this.toNetworkSync.push(...toldTo(effects, 'network-sync'));
    this.toRouter.push(...toldTo(effects, 'router'));
    this.toAlarm.push(...toldTo(effects, 'alarm'));
    this.toRoundManager.push(...toldTo(effects, 'round-manager'));
    this.toListener.push(...toldTo(effects, 'listener'));
    this.answers.push(...toldTo(effects, 'client').filter(isAnswer));
    for (const effect of effects) {
      if (effect.kind === 'tell' && effect.to.startsWith('bridge/'))
        this.toBreakers.push({ peer: effect.to.slice('bridge/'.length), message: effect.message });
    }
    return effects;
  }
}

export const SECOND = millis(1_000);
