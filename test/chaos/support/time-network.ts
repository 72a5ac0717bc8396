/** Four validators with clocks and time sources of their own, and what each says of the time. Boundary: processes, RPC. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { eventually } from '../../cluster/support/local-network.ts';
import { type Launch, Validators } from '../../cluster/support/validators.ts';
import { ALL } from './chaos-network.ts';
import { type ClockError, clockLaunch, requireFaketime, setClock } from './faketime.ts';

const TIME = z.object({
  state: z.string(),
  led_by: z.string().nullable(),
  system_offset_ms: z.number(),
  error_ms: z.number().nullable(),
  updates: z.number(),
  may_propose: z.boolean(),
  alerts: z.array(z.object({ alert: z.string(), detail: z.string() })),
  alert_counts: z.record(z.string(), z.number()),
  servers: z.array(
    z.object({ server: z.string(), status: z.string(), why: z.string(), offset_ms: z.number().nullable() }),
  ),
  findings: z.object({ conflict: z.boolean() }).nullable(),
});
export type Time = z.infer<typeof TIME>;

const ROUNDS = z.object({
  rounds: z.array(z.object({ round: z.string(), leader: z.string(), refusal: z.string().nullish() })),
  view_changes: z.array(z.object({ round: z.string(), reason: z.string() })),
});

/** After a start, on a busy machine. @unit ms */
const START_MS_MAX = 60_000;

export class TimeNetwork {
  readonly validators: Validators;
  /** What the clocks are wrong by. @unit s */
  readonly #errors = new Map<number, number>();

  private constructor(validators: Validators) {
    this.validators = validators;
  }

  /** `errors`: of the clocks, by validator, @unit s. `env`: settings, for all or by validator. */
  static async create(
    errors: readonly [number, number, number, number],
    env: (index: number) => NodeJS.ProcessEnv,
    prepare: (validators: Validators) => void = () => undefined,
  ): Promise<TimeNetwork> {
    const library = requireFaketime();
    const launch = (index: number, { directory }: { readonly directory: string }): Launch => {
      const clock = clockLaunch(directory, index, library);
      return { ...clock, env: { ...clock.env, ...env(index) } };
    };
    const validators = await Validators.create({ launch, onEvent: () => undefined });
    const network = new TimeNetwork(validators);
    for (const index of ALL) network.setClock(index, errors[index] ?? 0);
    prepare(validators);
    for (const index of ALL) validators.start(index);
    return network;
  }

  /** In force within a second. */
  setClock(index: number, seconds: number): void {
    const error: ClockError = `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)} x1`;
    setClock(this.validators.network.directory, index, error);
    this.#errors.set(index, seconds);
  }

  async timeOf(index: number): Promise<Time> {
    return TIME.parse(await this.#get(index, 'althing_time'));
  }

  async roundsOf(index: number): Promise<z.infer<typeof ROUNDS>> {
    return ROUNDS.parse(await this.#get(index, 'althing_rounds'));
  }

  async heightOf(index: number): Promise<number> {
    const status = z.object({ sync_info: z.object({ latest_block_height: z.string() }) });
    return Number(status.parse(await this.#get(index, 'status')).sync_info.latest_block_height);
  }

  /** Adjusted time minus true time: the error of its clock is known, and it says how far that is from adjusted time. */
  errorOf(index: number, time: Time): number {
    return 1_000 * (this.#errors.get(index) ?? 0) - time.system_offset_ms;
  }

  /** What all say, once `probe` is true of each. */
  until(claim: string, probe: (time: Time) => boolean, among = ALL): Promise<readonly Time[]> {
    return eventually(claim, START_MS_MAX, async () => {
      const gone = among.find((index) => !this.validators.runs(index));
      if (gone !== undefined) throw new Error(`validator ${gone} ended: ${this.validators.wordsOf(gone)}`);
      // Not listening yet.
      const times = await Promise.all(among.map((index) => this.timeOf(index))).catch(() => undefined);
      return times?.every(probe) === true ? times : undefined;
    });
  }

  /** Blocks that `index` commits within `ms`. */
  async blocksWithin(index: number, ms: number): Promise<number> {
    const before = await this.heightOf(index);
    await sleep(ms);
    return (await this.heightOf(index)) - before;
  }

  remove(): Promise<void> {
    return this.validators.remove();
  }

  async #get(index: number, method: string): Promise<unknown> {
    const answer = await fetch(`http://${this.validators.network.rpcOf(index)}/${method}`);
    return z.object({ result: z.unknown() }).parse(await answer.json()).result;
  }
}

/** From the least to the greatest. */
export const spreadOf = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
