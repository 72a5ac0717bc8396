/**
 * The committed chain as a row of epochs: each block is of the epoch that the blocks below it make, led by who leads there, and an
 * epoch ends where it has to, in the block that names the next. Reckoned anew from what was executed. Mutable memory. Rules CS-15,
 * CS-16, CS-17, SM-4.
 */
import type { VrfEngine } from '../../crypto/vrf.ts';
import { vrfInputOf } from '../../protocol/chain/canonical.ts';
import type { Address, Block, Header, Validator } from '../../protocol/chain/types.ts';
import { addressOf } from '../../protocol/chain/validator-set.ts';
import { type EpochContext, leaderAt } from '../../protocol/consensus/epoch.ts';
import type { ValidatorUpdate } from '../../protocol/ports/application.ts';
import type { CommittedBlock } from '../../protocol/ports/storage.ts';
import type { Report } from './claim.ts';
import {
  GAP_MAX,
  hashOf,
  leaderIn,
  passedOverIn,
  type Reckoned,
  type Records,
  seedAfter,
  seedWith,
} from './leadership.ts';

export const BY_LEADER = "a committed block is its round's leader's";
export const OF_ITS_EPOCH = 'a committed block is of the epoch that the chain below it makes';
export const ENDS_WHEN_DUE =
  'an epoch ends in the first block that states what asked for other validators, or at its length';
export const NAMES_NEXT = 'the last block of an epoch names the next: validators, seed, who is passed over';
export const EMPTY_END = 'the last block of an epoch is empty';
export const NO_SUFFIX = 'what stands above the end of an epoch is in no chain';

/** Blocks that wait for one below. @unit blocks @source chosen: a run has fewer */
const WAITING_MAX = 65_536;

export class EpochChain {
  readonly #first: EpochContext;
  readonly #vrf: VrfEngine;
  readonly #report: Report;
  readonly #waiting = new Map<number, CommittedBlock & { readonly by: string }>();
  readonly #updates = new Map<number, readonly ValidatorUpdate[]>();
  #epoch: Reckoned;
  /** Hash of `#epoch`, which every block of it names. */
  #hash: string;
  /** Of what the epoch's blocks come to. */
  #seed: string;
  #records: Records = new Map();
  #height = 0;
  #rootHeight = 0;
  /** What blocks up to here asked for is in the epoch's set. */
  #settled = 0;

  constructor(first: EpochContext, vrf: VrfEngine, report: Report) {
    const { epoch, set, descriptor } = first;
    this.#first = first;
    this.#vrf = vrf;
    this.#report = report;
    this.#epoch = { epoch, validators: set.validators, seed: descriptor.seed, passedOver: [] };
    this.#hash = hashOf(this.#epoch);
    this.#seed = descriptor.seed;
  }

  /** All nodes tell the same of a height: that their states are equal is another's claim. */
  executed(height: number, updates: readonly ValidatorUpdate[]): void {
    if (updates.length > 0) this.#updates.set(height, updates);
  }

  /** In any order, each as often as it is told. */
  committed(by: string, committed: CommittedBlock): void {
    const { height } = committed.block.header;
    if (height <= this.#height || this.#waiting.has(height) || this.#waiting.size >= WAITING_MAX) return;
    this.#waiting.set(height, { ...committed, by });
    for (;;) {
      const next = this.#waiting.get(this.#height + 1);
      if (next === undefined) return;
      this.#height += 1;
      this.#waiting.delete(this.#height);
      this.#judge(next.block, `height ${this.#height} of round ${next.block.header.round}, at ${next.by}`);
    }
  }

  #judge({ header, qc }: Block, at: string): void {
    const { epoch } = this.#epoch;
    const isOfIt = header.epoch === epoch && header.validatorsHash === this.#hash;
    if (!isOfIt)
      this.#report(OF_ITS_EPOCH, `${at}: of epoch ${header.epoch}, not ${epoch}, or of another set`);
    const leader = this.#leaderOf(header.round);
    if (header.proposer !== leader) this.#report(BY_LEADER, `${at}: by ${header.proposer}, leader ${leader}`);
    const isLast = header.nextValidatorsHash !== this.#hash;
    if (/^0+$/.test(header.nextValidatorsHash)) this.#report(NO_SUFFIX, at);
    if (isLast !== this.#isDue(header)) {
      const stated = `states height ${header.executed.height}, settled ${this.#settled}, root at ${this.#rootHeight}`;
      this.#report(ENDS_WHEN_DUE, `${at}: ${isLast ? 'ends its epoch' : 'does not end it'}, ${stated}`);
    }
    if (!isLast) {
      this.#count(header, qc.round);
      return;
    }
    if (header.batches.length > 0) this.#report(EMPTY_END, `${at}: ${header.batches.length} batches`);
    const next = this.#next(header.executed.height);
    const hash = hashOf(next);
    if (header.nextValidatorsHash !== hash) {
      const names = `${header.nextValidatorsHash}, not ${hash} of ${next.validators.length} validators`;
      this.#report(NAMES_NEXT, `${at}: ${names}, ${next.passedOver.length} passed over`);
    }
    this.#enter(next, hash, header);
  }

  #isDue({ height, executed }: Header): boolean {
    const { epochLength } = this.#first;
    if (epochLength > 0 && height - this.#rootHeight >= epochLength) return true;
    return this.#asked(executed.height).length > 0;
  }

  #asked(upTo: number): readonly ValidatorUpdate[] {
    return [...this.#updates]
      .filter(([height]) => height > this.#settled && height <= upTo)
      .sort(([left], [right]) => left - right)
      .flatMap(([, updates]) => updates);
  }

  #next(executed: number): Reckoned {
    const set = new Map<Address, Validator>(this.#epoch.validators.map((one) => [one.address, one]));
    for (const { nodeKey, consensusKey, power } of this.#asked(executed)) {
      const address = addressOf(nodeKey);
      if (power === 0n) set.delete(address);
      else set.set(address, { address, nodeKey, consensusKey, power });
    }
    const validators = [...set.values()].sort((left, right) => (left.address < right.address ? -1 : 1));
    const { epoch } = this.#epoch;
    const { leaderReputation } = this.#first.leadership;
    const passedOver = leaderReputation ? passedOverIn(validators, this.#records) : [];
    return { epoch: epoch + 1, validators, seed: seedAfter(epoch, this.#seed), passedOver };
  }

  #enter(next: Reckoned, hash: string, { height, executed }: Header): void {
    this.#epoch = next;
    this.#hash = hash;
    this.#seed = next.seed;
    this.#records = new Map();
    this.#rootHeight = height;
    this.#settled = executed.height;
  }

  /** CS-15, CS-17: the last block of an epoch, which names what the others came to, is not counted. */
  #count({ epoch, round, proposer, vrfProof }: Header, parentRound: number): void {
    const { leadership, domain } = this.#first;
    const author = this.#epoch.validators.find(({ address }) => address === proposer);
    if (leadership.vrf && author !== undefined) {
      const output = this.#vrf.verify(author.nodeKey, vrfInputOf(domain, epoch, round), vrfProof);
      if (output !== undefined) this.#seed = seedWith(this.#seed, output);
    }
    if (!leadership.leaderReputation) return;
    const records = new Map(this.#records);
    for (let at = Math.max(parentRound + 1, round - GAP_MAX); at <= round; at += 1) {
      const leader = this.#leaderOf(at);
      if (leader === undefined) continue;
      const { led, failed } = records.get(leader) ?? { led: 0, failed: 0 };
      records.set(leader, { led: led + 1, failed: failed + (at < round ? 1 : 0) });
    }
    this.#records = records;
  }

  /** Of the first epoch a scenario may have named them. */
  #leaderOf(round: number): Address | undefined {
    if (this.#epoch.epoch === this.#first.epoch) return leaderAt(this.#first, round as Header['round']);
    return leaderIn(this.#epoch, this.#first.leadership, round);
  }
}
