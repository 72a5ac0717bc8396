/**
 * Plays Twins scenarios fast: many instances in one system of the runtime, production charts of consensus, virtual time,
 * short timeouts, a network that drops by the round of the message. Deterministic. Rules SM-1, SM-3, SM-4.
 */

import type { System, VirtualClock } from '../../actors/runtime/index.ts';
import { createSystem, seededRandom, virtualClock } from '../../actors/runtime/index.ts';
import { utf8 } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import { millis, wallTime } from '../../base/units.ts';
import { createKeyedHashEngine } from '../../crypto/bls/keyed-hash.ts';
import { sha256 } from '../../crypto/hash.ts';
import { digestOf } from '../../protocol/chain/canonical.ts';
import { DEFAULT_CHAIN_PARAMETERS } from '../../protocol/chain/genesis.ts';
import type { Address, ChainDomain, Validator } from '../../protocol/chain/types.ts';
import { addressOf, validatorSet } from '../../protocol/chain/validator-set.ts';
import { type EpochContext, firstEpoch } from '../../protocol/consensus/epoch.ts';
import type { Signer } from '../../protocol/consensus/safety.ts';
import { TIMEOUT_DEFAULTS, type TimeoutConfig } from '../../protocol/consensus/timeouts.ts';
import type { PeerMessage } from '../../protocol/consensus/types.ts';
import type { PeerMessageReceived } from '../../protocol/ports/network.ts';
import { SafetyChecker, type Violation } from '../checkers/index.ts';
import { roundOf } from '../round-rules.ts';
import { GENESIS_TIME, START_WALL_MS } from '../setting.ts';
import { replicaCells } from './replica.ts';
import { cellFor, type ReplicaAddresses, replicaAddresses } from './replica-addresses.ts';
import { instancesOf, type Partition, type TwinsScenario, validatorOfInstance } from './scenario.ts';

/** What happens to messages of rounds after the scenario's last. */
export type Afterwards =
  /** They are dropped, as in the paper: judged for safety only. */
  | 'stop'
  /** All is joined again, and all must commit. */
  | 'heal';

export interface ScenarioOutcome {
  readonly violations: readonly Violation[];
  /** Newest height that any instance committed. @unit blocks */
  readonly committedHeight: number;
  /** Greatest round of which anyone spoke. */
  readonly round: number;
  /** Messages that arrived. */
  readonly delivered: number;
  readonly virtualMs: number;
}

/**
 * The second instances' clocks are ahead by so much: else a twinned leader would propose the same block twice, and there
 * would be nothing to disagree on. @unit ms
 */
const TWIN_AHEAD_MS = 1;
/** From one instance to another. @unit ms of virtual time */
const LATENCY_MS = 1;
/** Longer than all steps of a round together, and than the pause between two answers to a laggard (50 ms). */
const ROUND_TIMEOUT_MS = 100;
/** After so long without progress there is none: every timeout was sent twice, and nothing is lost by chance. @unit ms */
const STILL_MS = 2.5 * ROUND_TIMEOUT_MS;
const TIMEOUTS: TimeoutConfig = {
  ...TIMEOUT_DEFAULTS,
  roundTimeoutMsMin: millis(ROUND_TIMEOUT_MS),
  roundTimeoutMsInitial: millis(ROUND_TIMEOUT_MS),
  roundTimeoutMsMax: millis(ROUND_TIMEOUT_MS),
  growth: 1,
  // Nothing is lost by chance: one repetition of a timeout helps as much as many.
  viewChangeShare: 1,
  emptyBlockIntervalMs: millis(0),
};

/** Blocks that a healed network must commit beyond what any instance had, and the time it has. @unit blocks, ms */
const HEALED_BLOCKS = 2;
const HEALED_MS_MAX = 60 * ROUND_TIMEOUT_MS;
/** Rounds after the scenario whose leaders are listed; then the table starts again. @unit rounds */
const ROUNDS_AFTER = 128;

export class TwinsExecutor {
  readonly #bls = createKeyedHashEngine();
  readonly #epoch: EpochContext;
  readonly #signers: readonly Signer[];

  /** @param validators how many there are, each of power 1; keys are the same for the same number. */
  constructor(validators: number) {
    const secrets = Array.from({ length: validators }, (_, index) => {
      const secret = this.#bls.generateSecret(sha256(utf8(`twins/secret/${index}`)));
      invariant(secret !== undefined, 'a digest is seed enough for a key');
      return secret;
    });
    const members = secrets.map((secret, index): Validator => {
      const consensusKey = this.#bls.publicKeyOf(secret);
      invariant(consensusKey !== undefined, 'a generated secret has a public key');
      const nodeKey = sha256(utf8(`twins/node/${index}`));
      return { address: addressOf(nodeKey), consensusKey, nodeKey, power: 1n };
    });
    const set = validatorSet(members);
    invariant(!('code' in set), 'a simulated set is a set');
    const domain: ChainDomain = { chainId: 'twins', genesisHash: digestOf(utf8('twins/genesis')) };
    this.#epoch = firstEpoch(domain, set, DEFAULT_CHAIN_PARAMETERS);
    this.#signers = secrets.map((secret, index): Signer => {
      const { address } = members[index] ?? { address: addressOf(secret) };
      return { address, sign: (message) => this.#bls.sign(secret, message), prove: () => undefined };
    });
  }

  run(scenario: TwinsScenario, afterwards: Afterwards = 'stop'): ScenarioOutcome {
    invariant(scenario.validators === this.#signers.length, 'a scenario is of as many validators', {
      scenario: scenario.validators,
      executor: this.#signers.length,
    });
    const run = new ScenarioRun(
      scenario,
      afterwards,
      (signers) => this.#start(scenario, signers),
      this.#signers,
    );
    return run.play();
  }

  #start(scenario: TwinsScenario, playground: ScenarioRun): readonly System[] {
    const { clock } = playground;
    const epoch: EpochContext = {
      ...this.#epoch,
      leaders: { kind: 'round-robin', turns: this.#turnsOf(scenario) },
    };
    const systemOf = (name: string, aheadMs: number): System =>
      createSystem({
        name,
        clock,
        random: seededRandom(name),
        wall: () => wallTime(clock.wall() + aheadMs),
      });
    const [firsts, seconds] = [systemOf('firsts', 0), systemOf('seconds', TWIN_AHEAD_MS)];
    return Array.from({ length: instancesOf(scenario) }, (_, instance) => {
      const system = instance < scenario.validators ? firsts : seconds;
      const cells = replicaCells({
        name: nameOf(instance),
        epoch,
        signer: this.#signerOf(validatorOfInstance(scenario, instance)),
        bls: this.#bls,
        timeouts: TIMEOUTS,
        genesisTime: GENESIS_TIME,
        surroundings: playground.surroundingsOf(instance),
      });
      for (const cell of cells) system.start(cell);
      return system;
    });
  }

  #signerOf(validator: number): Signer {
    const signer = this.#signers[validator];
    invariant(signer !== undefined, 'a validator has an index below their number', { validator });
    return signer;
  }

  /** turns[round mod length]: no one for round 0, the scenario's leaders, then everyone in turn. */
  #turnsOf({ rounds, validators }: TwinsScenario): readonly [Address, ...Address[]] {
    const leaders = rounds.map(({ leader }) => this.#signerOf(leader).address);
    const after = Array.from(
      { length: ROUNDS_AFTER },
      (_, index) => this.#signerOf(index % validators).address,
    );
    return [this.#signerOf(0).address, ...leaders, ...after];
  }
}

const nameOf = (instance: number): string => `i${instance}`;

/** One scenario being played. */
class ScenarioRun {
  readonly clock: VirtualClock = virtualClock({ startWallMs: START_WALL_MS });
  readonly #scenario: TwinsScenario;
  readonly #afterwards: Afterwards;
  readonly #signers: readonly Signer[];
  readonly #checker: SafetyChecker;
  /** By instance. */
  readonly #systems: readonly System[];
  readonly #places: readonly ReplicaAddresses[];
  /** Instances behind each address. */
  readonly #behind = new Map<Address, number[]>();
  /** Newest round of which each instance spoke, and its newest committed height. */
  readonly #rounds: number[];
  readonly #heights: number[];
  /** By round: who hears whom, and for its timeouts. */
  readonly #joined: readonly { readonly all: readonly boolean[]; readonly timeouts: readonly boolean[] }[];
  readonly #halted = new Set<number>();
  #healed = false;
  #inFlight = 0;
  /** When someone last entered a round or committed. */
  #progressAt = 0;
  #delivered = 0;

  constructor(
    scenario: TwinsScenario,
    afterwards: Afterwards,
    start: (run: ScenarioRun) => readonly System[],
    signers: readonly Signer[],
  ) {
    this.#scenario = scenario;
    this.#afterwards = afterwards;
    this.#signers = signers;
    const { twins } = scenario;
    this.#checker = new SafetyChecker(new Set(twins.flatMap((index) => signers[index]?.address ?? [])));
    const count = instancesOf(scenario);
    this.#places = Array.from({ length: count }, (_, instance) => replicaAddresses(nameOf(instance)));
    this.#rounds = new Array<number>(count).fill(0);
    this.#heights = new Array<number>(count).fill(0);
    this.#joined = scenario.rounds.map(({ groups, timeoutGroups = groups }) => ({
      all: joinedPairs(groups, count),
      timeouts: joinedPairs(timeoutGroups, count),
    }));
    for (let instance = 0; instance < count; instance += 1) {
      const address = this.#addressOf(instance);
      this.#behind.set(address, [...(this.#behind.get(address) ?? []), instance]);
    }
    this.#systems = start(this);
  }

  #addressOf(instance: number): Address {
    const signer = this.#signers[validatorOfInstance(this.#scenario, instance)];
    invariant(signer !== undefined, 'an instance is of a validator', { instance });
    return signer.address;
  }

  surroundingsOf(instance: number) {
    const address = this.#addressOf(instance);
    return {
      transmit: (to: Address, message: PeerMessage): void => this.#transmit(instance, to, message),
      committed: (block: Parameters<SafetyChecker['committed']>[1][number]): void => {
        this.#heights[instance] = block.block.header.height;
        this.#progressAt = this.clock.now();
        this.#checker.committed(address, [block]);
      },
      executed: (executed: Parameters<SafetyChecker['executed']>[1]): void =>
        this.#checker.executed(address, executed),
      alarmed: (detail: string): void => {
        // In production the alarm stops the node.
        this.#halted.add(instance);
        this.#checker.alarmed(address, detail);
      },
    };
  }

  play(): ScenarioOutcome {
    const { rounds } = this.#scenario;
    this.#connectAll();
    // A round that fails takes its timeout and two messages.
    const limit = rounds.length * (ROUND_TIMEOUT_MS + 4 * LATENCY_MS) + ROUND_TIMEOUT_MS;
    while (!this.#isOver(rounds.length) && this.clock.now() - this.#progressAt < STILL_MS) {
      if (!this.#toNextEvent(limit)) break;
    }
    const stuck = this.#afterwards === 'heal' ? this.#heal() : [];
    const poisoned = [...new Set(this.#systems)].reduce(
      (sum, system) => sum + (system.deadLetters.counts().get('poison') ?? 0),
      0,
    );
    const crashed: Violation[] =
      poisoned === 0 ? [] : [{ claim: 'no cell crashes', detail: `${poisoned} messages were poison` }];
    return {
      violations: [...this.#checker.violations, ...crashed, ...stuck],
      committedHeight: Math.max(...this.#heights),
      round: Math.max(...this.#rounds),
      delivered: this.#delivered,
      virtualMs: this.clock.now(),
    };
  }

  /** Every instance of an honest validator has entered a later round, and nothing is on its way any more. */
  #isOver(round: number): boolean {
    if (!this.#rounds.some((spoken) => spoken >= round)) return false;
    if (this.#afterwards === 'stop' && this.#inFlight > 0) return false;
    return this.#places.every(
      ({ viewChange }, instance) =>
        !this.#isHonest(instance) ||
        enteredRound(this.#systems[instance]?.ref(viewChange).info()?.snapshot) > round,
    );
  }

  /** False when nothing more happens before `limit`. */
  #toNextEvent(limit: number): boolean {
    const due = this.clock.nextDue();
    if (due === undefined || due > limit) return false;
    this.clock.advance(due - this.clock.now());
    return true;
  }

  #isHonest(instance: number): boolean {
    return instance < this.#scenario.validators && !this.#scenario.twins.includes(instance);
  }

  /** SM-5: with f twins at most, the honest commit again once they hear each other. */
  #heal(): readonly Violation[] {
    this.#healed = true;
    const target = Math.max(...this.#heights) + HEALED_BLOCKS;
    const healedAt = this.clock.now();
    const behind = (): boolean =>
      this.#heights.some((height, instance) => this.#isHonest(instance) && height < target);
    while (behind()) if (!this.#toNextEvent(healedAt + HEALED_MS_MAX)) break;
    if (!behind()) return [];
    const detail = `${this.#heights.join(', ')} after ${HEALED_MS_MAX} ms, wanted ${target}`;
    return [{ claim: 'a healed network commits again', detail }];
  }

  /** Block fetching asks connected holders only; partitions of a scenario drop messages, they break no connection. */
  #connectAll(): void {
    this.clock.settle();
    this.#places.forEach(({ stateSync }, instance) => {
      for (const { address } of this.#signers) {
        if (address === this.#addressOf(instance)) continue;
        this.#systems[instance]?.ref(stateSync).tell({ type: 'peer.connected', peer: address });
      }
    });
  }

  #transmit(from: number, to: Address, message: PeerMessage): void {
    if (this.#halted.has(from)) return;
    const sender = this.#addressOf(from);
    this.#checker.sent(sender, message, to);
    const round = roundOf(message);
    if (round !== undefined && round > (this.#rounds[from] ?? 0)) {
      this.#rounds[from] = round;
      this.#progressAt = this.clock.now();
    }
    for (const receiver of this.#behind.get(to) ?? []) {
      if (this.#stops(from, receiver, message, round)) continue;
      this.#inFlight += 1;
      this.clock.schedule(LATENCY_MS, () => this.#deliver(sender, receiver, message));
    }
  }

  #stops(from: number, to: number, { kind }: PeerMessage, round: number | undefined): boolean {
    if (this.#healed || round === undefined) return false;
    const joined = this.#joined[round - 1];
    if (joined === undefined) return this.#afterwards === 'stop' && round > this.#joined.length;
    const pairs = kind === 'ViewChange' ? joined.timeouts : joined.all;
    if (pairs[from * this.#places.length + to] !== true) return true;
    const { firewall = [] } = this.#scenario.rounds[round - 1] ?? {};
    return firewall.some(
      (wall) => wall.from === from && wall.to === to && (wall.kind === undefined || wall.kind === kind),
    );
  }

  #deliver(from: Address, to: number, message: PeerMessage): void {
    this.#inFlight -= 1;
    const place = this.#places[to];
    const cell = place === undefined ? undefined : cellFor(message.kind, place);
    if (cell === undefined || this.#halted.has(to)) return;
    this.#delivered += 1;
    const received: PeerMessageReceived = { type: 'message.received', from, message };
    this.#systems[to]?.ref(cell).tell(received);
  }
}

/** The present round in a view-change's snapshot; 0 before it began. */
function enteredRound(snapshot: unknown): number {
  if (!isRecord(snapshot) || !isRecord(snapshot['context'])) return 0;
  const { live } = snapshot['context'];
  const round = isRecord(live) && isRecord(live['pacemaker']) ? live['pacemaker']['round'] : undefined;
  return typeof round === 'number' ? round : 0;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** `from * count + to`: they share a group. */
function joinedPairs(groups: Partition, count: number): readonly boolean[] {
  const joined = new Array<boolean>(count * count).fill(false);
  for (const group of groups)
    for (const from of group) for (const to of group) joined[from * count + to] = true;
  return joined;
}
