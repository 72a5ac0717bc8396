/**
 * Replicas made of nothing but the pure rules, under a random scheduler that delays, loses, repeats and reorders
 * messages, fires timeouts, crashes replicas, and can run two instances of one key (twins). It knows no charts: what it
 * finds is a fault of the rules. A mutant is another `Rules` value; a safety breach is a value, with its seed.
 */
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { blockIdOf, digestOf } from '../../../src/protocol/chain/canonical.ts';
import { nextRound } from '../../../src/protocol/chain/ordinals.ts';
import { digestBytes } from '../../../src/protocol/chain/parse.ts';
import type { Address, Block, BlockId } from '../../../src/protocol/chain/types.ts';
import {
  type BlockTree,
  certifyBlock,
  expectedExecuted,
  genesisRoot,
  insertBlock,
  missingFor,
  noteExecuted,
  parentFacts,
  plantTree,
} from '../../../src/protocol/consensus/block-tree.ts';
import { verifyViewChange } from '../../../src/protocol/consensus/certificates.ts';
import { type CommitStep, commitReady } from '../../../src/protocol/consensus/commit-rule.ts';
import { type EpochContext, leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import {
  adoptCertificates,
  answerToLaggard,
  failuresOf,
  justificationOf,
  type Pacemaker,
  setCommitted,
  startPacemaker,
} from '../../../src/protocol/consensus/pacemaker.ts';
import { buildBlock, checkProposal, judgeProposal } from '../../../src/protocol/consensus/proposal.ts';
import {
  castVote,
  emptyRecord,
  type Signer,
  signProposal,
  signTimeout,
} from '../../../src/protocol/consensus/safety.ts';
import { TIMELINESS_DEFAULTS } from '../../../src/protocol/consensus/timeliness.ts';
import { TIMEOUT_DEFAULTS } from '../../../src/protocol/consensus/timeouts.ts';
import type {
  NewViewMessage,
  ProposalMessage,
  QcMessage,
  SafetyRecord,
  ViewChangeMessage,
  VoteMessage,
} from '../../../src/protocol/consensus/types.ts';
import {
  type Certificates,
  NONE_VERIFIED,
  rememberQC,
  rememberTC,
  type VerifiedCertificates,
  verifyCertificates,
} from '../../../src/protocol/consensus/verified.ts';
import {
  addViewChange,
  EMPTY_VIEW_CHANGE_BOOK,
  forgetViewChangesBelow,
  type ViewChangeBook,
} from '../../../src/protocol/consensus/view-change-book.ts';
import {
  addVote,
  EMPTY_VOTE_BOOK,
  forgetVotesBelow,
  type VoteBook,
} from '../../../src/protocol/consensus/vote-book.ts';
import { GENESIS_APP_HASH, GENESIS_TIME, seeded, type World } from './fixture.ts';

/** The rules that mutants replace. */
export interface Rules {
  readonly castVote: typeof castVote;
  readonly signTimeout: typeof signTimeout;
  readonly commitReady: (tree: BlockTree) => CommitStep;
  /** The record that a crashed replica finds. */
  readonly recover: (record: SafetyRecord, rootRecord: SafetyRecord) => SafetyRecord;
  readonly epoch: (epoch: EpochContext) => EpochContext;
}

export const TRUE_RULES: Rules = {
  castVote,
  signTimeout,
  commitReady,
  recover: (record) => record,
  epoch: (epoch) => epoch,
};

export interface Weather {
  readonly seed: number;
  readonly steps: number;
  /** Chance that a message to a replica is lost. */
  readonly loss: number;
  /** Chance that a delivered message stays in flight, to be delivered again. */
  readonly repeat: number;
  /** Longest span under one partition, in steps; the replicas are split anew after each span. 0: no partitions. */
  readonly partition: number;
  /** Chance that whoever forms a QC is cut off with it at once. */
  readonly hide: number;
  /** Chance a step that some replica's round times out. */
  readonly timeout: number;
  /** Chance a step that some replica crashes and restarts from what is durable. */
  readonly crash: number;
  /** Keys that run as two independent instances: Byzantine, up to f. */
  readonly twins: readonly number[];
}

type ModelMessage = ProposalMessage | VoteMessage | QcMessage | ViewChangeMessage | NewViewMessage;

interface Replica {
  readonly signer: Signer;
  readonly honest: boolean;
  record: SafetyRecord;
  pacemaker: Pacemaker;
  votes: VoteBook;
  timeouts: ViewChangeBook;
  tree: BlockTree;
  verified: VerifiedCertificates;
  waiting: readonly ProposalMessage[];
}

interface Flight {
  readonly to: number;
  readonly from: number;
  readonly message: ModelMessage;
}

export interface ModelResult {
  readonly seed: number;
  /** Height of the highest commit of an honest replica. */
  readonly height: number;
  readonly round: number;
  /** First breach of safety, in words; undefined when there was none. */
  readonly breach?: string;
}

/** Runs one schedule to its end or to the first breach. The same weather gives the same run. */
export function runModel(place: World, weather: Weather, rules: Rules = TRUE_RULES): ModelResult {
  const model = new Model(place, weather, rules);
  return model.run();
}

class Model {
  readonly #place: World;
  readonly #epoch: EpochContext;
  readonly #rules: Rules;
  readonly #weather: Weather;
  readonly #random: () => number;
  readonly #replicas: Replica[];
  readonly #archive = new Map<BlockId, Block>();
  readonly #chain = new Map<number, BlockId>();
  #flights: Flight[] = [];
  #breach: string | undefined;
  #now = 0;
  /** Side of each replica in the current partition. */
  #sides: readonly boolean[] = [];
  #partitionEnds = 0;

  constructor(place: World, weather: Weather, rules: Rules) {
    this.#place = place;
    this.#epoch = rules.epoch(place.epoch);
    this.#rules = rules;
    this.#weather = weather;
    this.#random = seeded(weather.seed);
    const instances = place.validators.flatMap((_, index) =>
      weather.twins.includes(index) ? [index, index] : [index],
    );
    this.#replicas = instances.map((index) =>
      this.#born(place.signer(index), !weather.twins.includes(index)),
    );
  }

  run(): ModelResult {
    for (const replica of this.#replicas) this.#propose(replica);
    for (let step = 0; step < this.#weather.steps && this.#breach === undefined; step += 1) this.#step();
    const honest = this.#replicas.filter((replica) => replica.honest);
    return {
      seed: this.#weather.seed,
      height: Math.max(...honest.map(({ tree }) => tree.root.height)),
      round: Math.max(...honest.map(({ pacemaker }) => pacemaker.round)),
      ...(this.#breach === undefined ? {} : { breach: this.#breach }),
    };
  }

  #step(): void {
    const { crash, timeout, loss, repeat } = this.#weather;
    this.#now += 1;
    if (this.#now >= this.#partitionEnds) this.#partition();
    const draw = this.#random();
    if (draw < crash) this.#crash(this.#pick(this.#replicas));
    else if (draw < crash + timeout || !this.#deliver(loss, repeat)) this.#giveUp(this.#pick(this.#replicas));
  }

  /** Delivers one message that may pass; false when there is none. What the cut holds back arrives later, or never. */
  #deliver(loss: number, repeat: number): boolean {
    const open = this.#flights.filter(({ to, from }) => this.#sides[to] === this.#sides[from]);
    const flight = open[Math.floor(this.#random() * open.length)];
    if (flight === undefined) return false;
    if (this.#random() >= repeat) this.#flights.splice(this.#flights.indexOf(flight), 1);
    const target = this.#replicas[flight.to];
    if (target !== undefined && this.#random() >= loss) this.#receive(target, flight);
    return true;
  }

  #receive(replica: Replica, { message, from }: Flight): void {
    if (message.kind === 'Proposal') this.#proposal(replica, message, this.#addressOf(from));
    else if (message.kind === 'Vote') this.#vote(replica, message.vote);
    else if (message.kind === 'QC') this.#certificates(replica, { qc: message.qc });
    else if (message.kind === 'NewView') this.#certificates(replica, { tc: message.tc });
    else this.#viewChange(replica, message);
  }

  #proposal(replica: Replica, message: ProposalMessage, from: Address): void {
    const limits = { batchesMax: 4, bytesMax: 4096 };
    const received = { message, from };
    const check = checkProposal(this.#epoch, this.#place, replica.verified, limits, received);
    replica.verified = check.verified;
    if (check.status === 'refused') return;
    this.#adopt(replica, { qc: message.block.qc, tc: message.tc });
    this.#fetch(replica, message.block.qc.blockId);
    replica.tree = insertBlock(replica.tree, { id: check.blockId, block: message.block }).tree;
    this.#commit(replica);
    this.#vote(replica, message.vote);
    this.#consider(replica, message);
  }

  #consider(replica: Replica, message: ProposalMessage): void {
    const { block, tc } = message;
    const expected = expectedExecuted(replica.tree, block.qc);
    const verdict = judgeProposal({
      block,
      currentRound: replica.pacemaker.round,
      parent: parentFacts(replica.tree, block.qc),
      executed: expected.status === 'known' ? expected.executed : undefined,
      nextHash: this.#epoch.hash,
      batches: { status: 'held' },
      receivedAt: this.#wall(),
      now: this.#wall(),
      roundsSinceCommit: failuresOf(replica.pacemaker),
      timeliness: TIMELINESS_DEFAULTS,
    });
    if (verdict.status === 'parked') replica.waiting = [...replica.waiting.slice(-7), message];
    if (verdict.status !== 'valid') return;
    const answer = this.#rules.castVote(this.#epoch.domain, replica.signer, replica.record, { block, tc });
    if (answer.status === 'refused') return;
    if (answer.status === 'signed') replica.record = answer.record;
    const { round } = block.header;
    const collectors = new Set([leaderAt(this.#epoch, round), leaderAt(this.#epoch, nextRound(round))]);
    this.#send(replica, { kind: 'Vote', vote: answer.vote }, collectors);
  }

  #vote(replica: Replica, vote: VoteMessage['vote']): void {
    const { book, outcome } = addVote(replica.votes, this.#epoch, this.#place.bls, vote);
    replica.votes = book;
    if (outcome.status === 'conflict') this.#accuse(vote.validator);
    if (outcome.status !== 'certified') return;
    replica.verified = rememberQC(this.#epoch.domain, replica.verified, outcome.qc);
    this.#adopt(replica, { qc: outcome.qc });
    if (this.#random() < this.#weather.hide) this.#hide(replica);
    if (this.#random() < 0.3) this.#send(replica, { kind: 'QC', qc: outcome.qc });
  }

  /** CS-14: never against an honest validator, through crashes and races. */
  #accuse(address: Address): void {
    const honest = this.#replicas.some((replica) => replica.honest && replica.signer.address === address);
    if (honest) this.#breach ??= 'evidence accuses an honest validator';
  }

  #certificates(replica: Replica, certificates: Certificates): void {
    const outcome = verifyCertificates(this.#epoch, this.#place.bls, replica.verified, certificates);
    replica.verified = outcome.verified;
    this.#adopt(replica, outcome);
  }

  #viewChange(replica: Replica, message: ViewChangeMessage): void {
    this.#certificates(replica, { qc: message.highQC, tc: message.lastTC });
    if (message.lastVote !== undefined) this.#vote(replica, message.lastVote);
    if (message.round < replica.pacemaker.round) {
      const leader = leaderAt(this.#epoch, replica.pacemaker.round);
      const answer = answerToLaggard(replica.pacemaker, { height: replica.tree.root.height, leader });
      this.#send(replica, answer, new Set([message.validator]));
      return;
    }
    if (verifyViewChange(this.#epoch, this.#place.bls, message) !== 'valid') return;
    const { book, outcome } = addViewChange(replica.timeouts, this.#epoch, this.#place.bls, message, {
      currentRound: replica.pacemaker.round,
      self: replica.signer.address,
    });
    replica.timeouts = book;
    if (outcome.status !== 'counted') return;
    if (outcome.amplify) this.#giveUp(replica);
    if (outcome.tc === undefined) return;
    replica.verified = rememberTC(this.#epoch.domain, replica.verified, outcome.tc);
    this.#adopt(replica, { tc: outcome.tc });
  }

  #adopt(replica: Replica, certificates: Certificates): void {
    const now = monotonic(this.#now);
    const leader = leaderAt(this.#epoch, replica.pacemaker.round);
    const step = adoptCertificates(replica.pacemaker, certificates, leader, now, TIMEOUT_DEFAULTS);
    replica.pacemaker = step.pacemaker;
    if (step.qcAdopted) {
      replica.tree = certifyBlock(replica.tree, step.pacemaker.highQC);
      const missing = missingFor(replica.tree, step.pacemaker.highQC);
      if (missing !== undefined) this.#fetch(replica, missing);
      this.#commit(replica);
    }
    if (step.entered === undefined) return;
    const oldest = replica.pacemaker.round;
    replica.votes = forgetVotesBelow(replica.votes, replica.record.lastVotedRound);
    replica.timeouts = forgetViewChangesBelow(replica.timeouts, oldest);
    this.#propose(replica);
    const { waiting } = replica;
    replica.waiting = [];
    for (const message of waiting) this.#consider(replica, message);
  }

  #propose(replica: Replica): void {
    const { round } = replica.pacemaker;
    const leader = leaderAt(this.#epoch, round);
    if (leader !== replica.signer.address || replica.record.lastVotedRound >= round) return;
    const { qc, tc } = justificationOf(replica.pacemaker);
    const parent = parentFacts(replica.tree, qc);
    const expected = expectedExecuted(replica.tree, qc);
    if (parent === undefined || expected.status !== 'known') return;
    const block = buildBlock(this.#epoch, {
      round,
      proposer: leader,
      qc,
      time: wallTime(Math.max(this.#wall(), parent.time + 1)),
      executed: expected.executed,
      nextHash: this.#epoch.hash,
      batches: [],
    });
    const answer = signProposal(this.#epoch.domain, replica.signer, replica.record, { block, tc, leader });
    if (answer.status === 'refused') return;
    if (answer.status === 'signed') replica.record = answer.record;
    this.#archive.set(blockIdOf(this.#epoch.domain, block), block);
    this.#send(replica, answer.proposal);
  }

  #giveUp(replica: Replica): void {
    const { pacemaker, record, signer } = replica;
    const answer = this.#rules.signTimeout(this.#epoch.domain, signer, record, {
      round: pacemaker.round,
      highQC: pacemaker.highQC,
      lastTC: pacemaker.lastTC,
      reason: 'LeaderTimeout',
      height: replica.tree.root.height,
      tick: 0,
    });
    if (answer.status === 'refused') return;
    replica.record = answer.record;
    this.#send(replica, answer.message);
  }

  #commit(replica: Replica): void {
    for (;;) {
      const step = this.#rules.commitReady(replica.tree);
      if (step.status === 'conflict' && replica.honest) {
        this.#breach ??= `a commit proof contradicts height ${step.height}`;
      }
      if (step.status !== 'committed') return;
      replica.tree = step.tree;
      for (const { id, block } of step.blocks) {
        const { height, round } = block.header;
        const decided = this.#chain.get(height) ?? id;
        if (replica.honest) this.#chain.set(height, decided);
        if (replica.honest && decided !== id) this.#breach ??= `two blocks committed at height ${height}`;
        const appHash = digestOf(digestBytes(id));
        replica.tree = noteExecuted(replica.tree, id, { height, appHash });
        replica.pacemaker = setCommitted(replica.pacemaker, round);
      }
    }
  }

  /** Stands for sync: the ancestors of `id` that anyone ever proposed. */
  #fetch(replica: Replica, id: BlockId): void {
    const missing: { readonly id: BlockId; readonly block: Block }[] = [];
    let wanted = id;
    while (wanted !== replica.tree.root.id && !replica.tree.blocks.has(wanted)) {
      const block = this.#archive.get(wanted);
      if (block === undefined || block.header.height <= replica.tree.root.height) return;
      missing.push({ id: wanted, block });
      wanted = block.header.parentId;
    }
    for (const node of missing.reverse()) replica.tree = insertBlock(replica.tree, node, true).tree;
  }

  #crash(replica: Replica): void {
    const born = this.#born(replica.signer, replica.honest);
    replica.record = this.#rules.recover(replica.record, born.record);
    const { highQC, lastTC } = replica.record;
    replica.pacemaker = startPacemaker({
      highQC,
      lastTC,
      committedRound: replica.tree.root.round,
      hasWork: true,
      now: monotonic(this.#now),
    });
    replica.votes = EMPTY_VOTE_BOOK;
    replica.timeouts = EMPTY_VIEW_CHANGE_BOOK;
    replica.verified = NONE_VERIFIED;
    replica.waiting = [];
    const own = this.#rules === TRUE_RULES ? replica.record.lastVote : undefined;
    if (own !== undefined) this.#send(replica, { kind: 'Vote', vote: own });
    this.#propose(replica);
  }

  #born(signer: Signer, honest: boolean): Replica {
    const root = genesisRoot(this.#epoch, { time: GENESIS_TIME, appHash: GENESIS_APP_HASH });
    const record = emptyRecord(this.#epoch.rootQC);
    return {
      signer,
      honest,
      record,
      pacemaker: startPacemaker({
        highQC: record.highQC,
        committedRound: root.round,
        hasWork: true,
        now: monotonic(0),
      }),
      votes: EMPTY_VOTE_BOOK,
      timeouts: EMPTY_VIEW_CHANGE_BOOK,
      tree: plantTree(root, this.#epoch.rootQC),
      verified: NONE_VERIFIED,
      waiting: [],
    };
  }

  #send(replica: Replica, message: ModelMessage, to?: ReadonlySet<Address>): void {
    for (const [index, { signer }] of this.#replicas.entries()) {
      if (to !== undefined && !to.has(signer.address)) continue;
      this.#flights.push({ to: index, from: this.#replicas.indexOf(replica), message });
    }
    // Overflow of the model's network: the oldest are lost.
    if (this.#flights.length > FLIGHTS_MAX) this.#flights = this.#flights.slice(-FLIGHTS_MAX);
  }

  #partition(): void {
    const { partition } = this.#weather;
    this.#partitionEnds = this.#now + 1 + Math.floor(this.#random() * partition);
    const draw = this.#random();
    const alone = Math.floor(this.#random() * this.#replicas.length);
    this.#sides = this.#replicas.map((_, index) => {
      if (partition === 0 || draw < 0.3) return true;
      return draw < 0.6 ? index !== alone : this.#random() < 0.5;
    });
  }

  /** What breaks protocols of this family: the one who knows the best QC is not heard, and the others go on without. */
  #hide(knowing: Replica): void {
    this.#sides = this.#replicas.map((replica) => replica !== knowing);
    this.#partitionEnds = this.#now + 1 + Math.floor(this.#random() * this.#weather.partition);
    this.#flights = [];
    for (const replica of this.#replicas) if (replica !== knowing) this.#giveUp(replica);
  }

  #addressOf(index: number): Address {
    const replica = this.#replicas[index];
    if (replica === undefined) throw new Error(`no replica ${index}`);
    return replica.signer.address;
  }

  #pick<T>(from: readonly T[]): T {
    const chosen = from[Math.floor(this.#random() * from.length)];
    if (chosen === undefined) throw new Error('nothing to pick from');
    return chosen;
  }

  readonly #wall = () => wallTime(GENESIS_TIME + millis(1_000) + this.#now);
}

/** @unit messages */
const FLIGHTS_MAX = 60;

/** A weather of its own for each seed. */
export function weatherOf(seed: number, twins: readonly number[] = [], steps = 600): Weather {
  const random = seeded(seed ^ 0x5eed);
  return {
    seed,
    steps,
    loss: random() < 0.5 ? 0 : random() * 0.1,
    repeat: random() * 0.05,
    partition: 50 + random() * 250,
    hide: random() < 0.2 ? 0 : 0.5 + random() * 0.4,
    timeout: random() * 0.02,
    crash: random() < 0.5 ? 0 : random() * 0.02,
    twins,
  };
}
