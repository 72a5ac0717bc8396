/**
 * Four validators as processes of their own under client load, for a test that breaks something, and the judgement that
 * follows every fault: nobody signed twice, no acknowledged transaction is lost on any validator, all are at the tip
 * and agree on blocks and application state. Rules SM-10, CS-3, CS-6, CS-9, ST-2, docs/simulation/chaos.md.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import type { EpochContext } from '../../../src/protocol/consensus/epoch.ts';
import { readAddresses, readEpoch } from '../../cluster/support/chain.ts';
import { Load } from '../../cluster/support/load.ts';
import { eventually } from '../../cluster/support/local-network.ts';
import { type SeenEnd, Validators, type ValidatorsOptions } from '../../cluster/support/validators.ts';
import { median, Watch } from '../../cluster/support/watch.ts';
import { WireEvidence } from '../../cluster/support/wire-evidence.ts';
import { differencesOf, readChain } from './chain-on-disk.ts';
import { SEED } from './settings.ts';

export const ALL: readonly number[] = [0, 1, 2, 3];

/** After a fault is over: timeouts that grew meanwhile, four starts at once on a busy machine. @unit ms */
const RECOVERY_MS_MAX = 60_000;
/** A start that has said nothing by then is looked at. @unit ms */
const STUCK_MS = 15_000;
/** Keys asked for in one request. @source rpc.batch_requests_max */
const QUERY_KEYS = 100;
/** Ends kept. @unit processes */
const ENDS_MAX = 10_000;

export interface ChaosOptions extends Pick<ValidatorsOptions, 'launch'> {
  /** Folder of a validator's home, as this process sees it; where it is not that of the network. */
  readonly homeSeen?: (index: number) => string;
  /** Processes run with a preload library, which may hang them before they begin. */
  readonly preloaded?: boolean;
  /** Of a transaction's value, at least. */
  readonly letters?: number;
  /** Before the first start. */
  readonly prepare?: (validators: Validators) => Promise<void> | void;
}

/** What a network went through; sums of several are told as one line. */
export interface Tally {
  readonly cycles: number;
  readonly kills: number;
  /** From a fault until all that were not hit commit again. @unit ms */
  readonly resumed: readonly number[];
  /** From a start until the validator is at the tip. @unit ms */
  readonly rejoined: readonly number[];
  readonly blocks: number;
  readonly votes: number;
  readonly acknowledged: number;
}

export class ChaosNetwork {
  readonly validators: Validators;
  readonly watch: Watch;
  /** How processes ended, the newest last. */
  readonly ends: SeenEnd[];
  readonly resumed: number[] = [];
  readonly rejoinedIn: number[] = [];
  cycles = 0;
  kills = 0;
  readonly #epoch: EpochContext;
  readonly #addresses: readonly Address[];
  readonly #evidence: WireEvidence;
  readonly #options: ChaosOptions;
  readonly #startedAt = new Map<number, number>();
  #load: Load | undefined;
  /** Acknowledged transactions that were found on all validators. */
  #confirmed = 0;
  #failed = false;

  private constructor(
    parts: {
      readonly validators: Validators;
      readonly watch: Watch;
      readonly ends: SeenEnd[];
      readonly epoch: EpochContext;
      readonly addresses: readonly Address[];
    },
    options: ChaosOptions,
  ) {
    this.validators = parts.validators;
    this.watch = parts.watch;
    this.ends = parts.ends;
    this.#epoch = parts.epoch;
    this.#addresses = parts.addresses;
    this.#evidence = new WireEvidence(parts.validators, parts.epoch);
    this.#options = options;
  }

  /** Four that commit, and a client of each. */
  static async create(options: ChaosOptions = {}): Promise<ChaosNetwork> {
    const watch = new Watch();
    const ends: SeenEnd[] = [];
    const onEnd = (end: SeenEnd): void => {
      ends.push(end);
      if (ends.length > ENDS_MAX) ends.shift();
    };
    const { launch } = options;
    const validators = await Validators.create({
      tap: true,
      onEvent: watch.take,
      onEnd,
      ...(launch === undefined ? {} : { launch }),
    });
    const { engine } = await loadBlsEngine();
    const epoch = readEpoch(validators.network.homeOf(0), engine);
    const addresses = readAddresses(validators.network, ALL.length, engine);
    const made = new ChaosNetwork({ validators, watch, ends, epoch, addresses }, options);
    try {
      await options.prepare?.(validators);
      await made.#begin();
    } catch (cause) {
      await made.remove();
      throw cause;
    }
    return made;
  }

  async #begin(): Promise<void> {
    for (const index of ALL) this.start(index);
    await this.progress(ALL);
    await this.rejoined();
    this.resumed.length = 0;
    this.rejoinedIn.length = 0;
    this.#load = new Load(this.validators.network, ALL, this.#options.letters);
    await this.#eventually('the load is committed', () =>
      this.acknowledged.length >= ALL.length ? true : undefined,
    );
  }

  get acknowledged(): readonly string[] {
    return this.#load?.acknowledged ?? [];
  }

  idOf(index: number): Address {
    const address = this.#addresses[index];
    if (address === undefined) throw new Error(`no validator ${index}`);
    return address;
  }

  /** Waits until the validator leads. */
  turnOf(index: number): Promise<void> {
    return this.watch.turnOf(this.#epoch, this.idOf(index));
  }

  start(index: number): void {
    const startedAt = now();
    this.#startedAt.set(index, startedAt);
    this.validators.start(index);
    if (this.#options.preloaded === true) void this.#startAgainIfStuck(index, startedAt);
  }

  /**
   * About one start in a hundred under libfiu waits for ever in a lock of its own, before the program has said a word. Such a
   * process is killed and started again; starts without a preload library are never helped.
   */
  async #startAgainIfStuck(index: number, startedAt: number): Promise<void> {
    const pid = this.validators.pid(index);
    await sleep(STUCK_MS);
    const isReady = (this.watch.readyAt.get(index) ?? 0) > startedAt;
    if (isReady || !this.validators.runs(index) || this.validators.pid(index) !== pid) return;
    if (this.validators.wordsOf(index) !== '' || !threadsOf(pid).includes('futex')) return;
    console.log(`validator ${index} hung in its preload library before it began: killed, started again`);
    await this.validators.kill(index);
    this.start(index);
  }

  /** kill -9 of some at once; their records are taken as evidence. */
  async kill(...indices: readonly number[]): Promise<void> {
    await Promise.all(indices.map((index) => this.validators.kill(index)));
    this.kills += indices.length;
    for (const index of indices) this.takeRecord(index);
  }

  /** Starts a validator and kills it so long after it says that it is ready. */
  async killWhenReady(index: number, afterMs: number): Promise<void> {
    this.start(index);
    const startedAt = this.#startedAt.get(index) ?? 0;
    await this.#eventually(`validator ${index} is ready`, () =>
      (this.watch.readyAt.get(index) ?? 0) > startedAt ? true : undefined,
    );
    await sleep(afterMs);
    await this.kill(index);
  }

  /** The safety record of one that does not run. */
  takeRecord(index: number): void {
    this.#evidence.takeRecord(index, this.idOf(index), this.#homeSeen(index));
  }

  /** How the newest process of a validator ended of itself. */
  async ended(index: number, withinMs = RECOVERY_MS_MAX): Promise<SeenEnd> {
    const life = this.validators.lives(index) - 1;
    return eventually(`validator ${index} ends`, withinMs, () =>
      this.ends.findLast((end) => end.validator === index && end.life === life),
    );
  }

  /** Waits until each of them commits a block above all that is known now. */
  async progress(indices: readonly number[], from = now()): Promise<void> {
    const tip = this.watch.tip(ALL);
    await this.#eventually(`${indices} commit above height ${tip}`, () =>
      indices.every((index) => (this.#newest(index)?.height ?? 0) > tip) ? true : undefined,
    );
    this.resumed.push(now() - from);
  }

  /** Waits until all run, and each that was started since the last time is at the tip. */
  async rejoined(): Promise<void> {
    for (const [index, startedAt] of [...this.#startedAt]) {
      await this.#eventually(`validator ${index} is at the tip again`, () => {
        const ready = (this.watch.readyAt.get(index) ?? 0) > startedAt;
        const newest = this.#newest(index);
        const tip = this.watch.tip(ALL);
        const there = ready && newest !== undefined && newest.at > startedAt && newest.height >= tip - 2;
        if (!there && !this.validators.runs(index)) throw new Error(this.#endOf(index));
        return there ? true : undefined;
      });
      this.rejoinedIn.push(now() - startedAt);
      this.#startedAt.delete(index);
    }
    for (const index of ALL) if (!this.validators.runs(index)) throw this.#failure(this.#endOf(index));
  }

  /** Everything so far: signatures, and the transactions acknowledged since the last time. All validators run. */
  async judge(): Promise<void> {
    this.#requireNoDoubleSign();
    const { acknowledged } = this;
    const end = acknowledged.length;
    for (const index of ALL) await this.#requireTransactions(index, acknowledged.slice(this.#confirmed, end));
    this.#confirmed = end;
  }

  /** The last judgement: also all blocks and states on all disks, from the first height on. Removes the network. */
  async finish(): Promise<Tally> {
    await this.#load?.stop();
    await this.judge();
    await this.#eventually('all are at one height', async () => {
      const heights = await Promise.all(ALL.map((index) => this.validators.network.height(index)));
      const known = heights.flatMap((height) => height ?? []);
      return known.length === ALL.length && Math.max(...known) - Math.min(...known) <= 2 ? true : undefined;
    });
    const { kills } = this;
    await this.kill(...ALL);
    this.#requireNoDoubleSign();
    const chains = ALL.map((index) => readChain(this.#homeSeen(index)));
    const differences = differencesOf(chains);
    if (differences.length > 0) throw this.#failure(differences.slice(0, 10).join('\n'));
    const own = this.#evidence.sightings.all.filter(({ life, act }) => life !== undefined && act === 'vote');
    const tally: Tally = {
      cycles: this.cycles,
      kills,
      resumed: this.resumed,
      rejoined: this.rejoinedIn,
      blocks: Math.max(...chains.map(({ blocks }) => blocks.size)),
      votes: own.length,
      acknowledged: this.acknowledged.length,
    };
    if (tally.votes === 0 || tally.acknowledged === 0)
      throw this.#failure('nothing was seen: nothing is judged');
    await this.remove();
    return tally;
  }

  /** Ends the processes. The homes go too, but for those of a failure. */
  async remove(): Promise<void> {
    const stopping = this.#load?.stop();
    for (const index of ALL) await this.validators.kill(index);
    if (!this.#failed) await this.validators.remove();
    await stopping;
  }

  /** The newest commit that it told. */
  #newest(index: number): { readonly height: number; readonly at: number } | undefined {
    return this.watch.commits.findLast(({ validator }) => validator === index);
  }

  #homeSeen(index: number): string {
    return this.#options.homeSeen?.(index) ?? this.validators.network.homeOf(index);
  }

  #requireNoDoubleSign(): void {
    const found = this.#evidence.violations(ALL);
    if (found.length > 0) throw this.#failure(JSON.stringify(found.slice(0, 5), undefined, 1));
  }

  async #requireTransactions(index: number, keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += QUERY_KEYS) {
      const asked = keys.slice(at, at + QUERY_KEYS);
      let missing: readonly string[] = asked;
      const found = await eventually('', RECOVERY_MS_MAX, async () => {
        const values = await this.validators.network.values(index, asked).catch(() => []);
        missing = asked.filter((key, place) => values[place] !== this.#load?.valueOf(key));
        if (missing.length === 0) return true;
        await sleep(100);
        return undefined;
      }).catch(() => false);
      if (!found) throw this.#failure(`acknowledged and lost on validator ${index}: ${missing.join(', ')}`);
    }
  }

  async #eventually<Value>(claim: string, probe: () => Promise<Value | undefined> | Value | undefined) {
    return eventually(claim, RECOVERY_MS_MAX, probe).catch((cause: unknown) => {
      throw this.#failure(cause instanceof Error ? cause.message : String(cause));
    });
  }

  #endOf(index: number): string {
    const end = this.ends.findLast(({ validator }) => validator === index);
    return `it ended with ${end?.code ?? end?.signal}: ${end?.stderr.slice(-1_000)}`;
  }

  /** For who looks for the cause: how far it is, and where its threads wait. */
  #standingOf(index: number): string {
    const pid = this.validators.pid(index);
    const { height } = this.#newest(index) ?? { height: 0 };
    const life = this.validators.lives(index) - 1;
    const ready = this.watch.readyAt.has(index) ? 'was ready' : 'never ready';
    return `validator ${index}: life ${life}, process ${pid}, ${ready}, height ${height}, ${threadsOf(pid)}`;
  }

  #failure(detail: string): Error {
    this.#failed = true;
    const kept = `its homes are in ${this.validators.network.directory}`;
    const standing = ALL.map((index) => this.#standingOf(index)).join('\n');
    return new Error(
      `ALTHING_CHAOS_SEED=${SEED}, cycle ${this.cycles}: ${detail}\n${kept}\n${standing}\n${this.validators.stderr.slice(-2_000)}`,
    );
  }
}

/** What the kernel says each thread waits for. */
function threadsOf(pid: number | undefined): string {
  try {
    const tasks = `/proc/${pid}/task`;
    return readdirSync(tasks)
      .map((task) => readFileSync(`${tasks}/${task}/wchan`, 'latin1'))
      .join(' ');
  } catch {
    return 'it does not run';
  }
}

export const now = (): number => performance.timeOrigin + performance.now();

/** One line that says what a class of faults went through; `more` is the class's own. */
export function summaryOf(name: string, tallies: readonly Tally[], more = ''): string {
  const sum = (of: (tally: Tally) => number): number =>
    tallies.reduce((total, tally) => total + of(tally), 0);
  const times = (of: (tally: Tally) => readonly number[]): string => {
    const values = tallies.flatMap(of);
    return values.length === 0 ? '-' : `${Math.round(median(values))}/${Math.round(Math.max(...values))}`;
  };
  return (
    `${name}: ${sum(({ cycles }) => cycles)} cycles, ${sum(({ kills }) => kills)} kills${more}; ms median/max: others ` +
    `commit again ${times(({ resumed }) => resumed)}, at the tip again ${times(({ rejoined }) => rejoined)}; ` +
    `${sum(({ blocks }) => blocks)} blocks, ${sum(({ votes }) => votes)} votes seen, 0 double signs; ` +
    `${sum(({ acknowledged }) => acknowledged)} transactions acknowledged, 0 lost`
  );
}
