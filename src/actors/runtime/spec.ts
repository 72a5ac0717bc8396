/** What a user writes to describe cells: `child(…)` and `supervisor(…)`, as data. Pure. Rules RT-1 to RT-4, docs/runtime.md. */
import type { AnyActorLogic, InputFrom } from 'xstate';
import { invariant } from '../../base/invariant.ts';
import { type Millis, millis } from '../../base/units.ts';
import {
  type AutoShutdown,
  type Backoff,
  type ChildSpec,
  INTENSITY_DEFAULT,
  PERIOD_DEFAULT_MS,
  type RestartType,
  SHUTDOWN_DEFAULT_MS,
  type Shutdown,
  type Strategy,
} from '../../protocol/supervision/child.ts';
import type { RosterInput } from '../../protocol/supervision/roster.ts';
import type { BoundaryLogic } from './boundary.ts';
import { MAILBOX_DEFAULTS, type MailboxOptions } from './mailbox.ts';

/** What a cell can run: an XState machine, a `fromTransition` reducer, a boundary actor, or a supervisor. */
export type CellLogic = AnyActorLogic | BoundaryLogic<never> | SupervisorLogic;

/** A supervisor's specification with the logic of its children. */
export interface SupervisorLogic {
  readonly supervisor: RosterInput;
  readonly specs: ReadonlyMap<string, CellSpec>;
  readonly templates: ReadonlyMap<string, CellSpec>;
}

/** One cell to start: who it is, what it runs, how it is treated. */
export interface CellSpec extends ChildSpec {
  readonly logic: CellLogic;
  readonly input: unknown;
  readonly mailbox: MailboxOptions;
  /** The only event types that the outside may send (RT-16); left out, those that the chart's transitions name. */
  readonly publicEvents: readonly string[] | undefined;
  /** Event types that take the control lane (RT-7). */
  readonly controlEvents: readonly string[];
}

export interface ChildOptions<Input> {
  /** Default `permanent`. */
  readonly restart?: RestartType;
  /** Default 5 s, and `infinity` for a supervisor. */
  readonly shutdown?: Shutdown;
  readonly significant?: boolean;
  readonly backoff?: Backoff;
  readonly mailbox?: Partial<MailboxOptions>;
  readonly publicEvents?: readonly string[];
  readonly controlEvents?: readonly string[];
  readonly input?: Input;
}

/** What logic takes as input. */
export type LogicInput<Logic> =
  Logic extends BoundaryLogic<infer Input>
    ? Input
    : Logic extends AnyActorLogic
      ? InputFrom<Logic>
      : undefined;

type OptionsOf<Logic> =
  undefined extends LogicInput<Logic>
    ? [options?: ChildOptions<LogicInput<Logic>>]
    : [options: ChildOptions<LogicInput<Logic>> & { readonly input: LogicInput<Logic> }];

/** A child's specification. `id` is unique among its siblings; it may hold '/' inside. */
export function child<Logic extends CellLogic>(
  id: string,
  logic: Logic,
  ...[options]: OptionsOf<Logic>
): CellSpec {
  const given: ChildOptions<unknown> = options ?? {};
  invariant(/^[^/]+(\/[^/]+)*$/.test(id), "a child's id is names joined by '/'", { id });
  const isSupervisor = 'supervisor' in logic;
  const base = {
    id,
    logic,
    restart: given.restart ?? 'permanent',
    shutdown: given.shutdown ?? (isSupervisor ? 'infinity' : SHUTDOWN_DEFAULT_MS),
    significant: given.significant ?? false,
    input: given.input,
    mailbox: { ...MAILBOX_DEFAULTS, ...given.mailbox },
    publicEvents: given.publicEvents,
    controlEvents: given.controlEvents ?? [],
  } as const;
  return given.backoff === undefined ? base : { ...base, backoff: given.backoff };
}

export interface SupervisorOptions {
  readonly strategy?: Strategy;
  /** Most restarts in `period`; default 1. */
  readonly intensity?: number;
  /** Default 5 s. */
  readonly period?: Millis;
  /** In start order; stopped in reverse. */
  readonly children?: readonly CellSpec[];
  /** Kinds of children to start on request, with `{ type: 'child.start', template, id, input }`. */
  readonly templates?: readonly CellSpec[];
  readonly autoShutdown?: AutoShutdown;
}

/** A supervisor: logic for a `child`. Defaults as OTP's: one_for_one, 1 restart in 5 s. */
export function supervisor(options: SupervisorOptions): SupervisorLogic {
  const { children = [], templates = [], autoShutdown = 'never' } = options;
  const specs = new Map(children.map((spec) => [spec.id, spec]));
  invariant(specs.size === children.length, 'children of a supervisor have distinct ids', {
    ids: children.map(({ id }) => id),
  });
  for (const { id, significant, restart, backoff } of [...children, ...templates]) {
    // OTP: a permanent child never ends for good, so it cannot be significant.
    invariant(
      !significant || (restart !== 'permanent' && autoShutdown !== 'never'),
      'a significant child is transient or temporary, under autoShutdown',
      { id, restart, autoShutdown },
    );
    if (backoff !== undefined) assertBackoff(id, backoff);
  }
  return {
    supervisor: {
      strategy: options.strategy ?? 'one_for_one',
      intensity: options.intensity ?? INTENSITY_DEFAULT,
      period: options.period ?? millis(PERIOD_DEFAULT_MS),
      autoShutdown,
      children: children.map(toChildSpec),
      templates: templates.map(toChildSpec),
    },
    specs,
    templates: new Map(templates.map((spec) => [spec.id, spec])),
  };
}

function assertBackoff(id: string, { min, max, factor, jitter }: Backoff): void {
  invariant(
    min > 0 && max >= min && factor >= 1 && jitter >= 0 && jitter <= 1,
    'a backoff has 0 < min <= max, factor >= 1, 0 <= jitter <= 1',
    { id, min, max, factor, jitter },
  );
}

function toChildSpec({ id, restart, shutdown, significant, backoff }: CellSpec): ChildSpec {
  const spec = { id, restart, shutdown, significant };
  return backoff === undefined ? spec : { ...spec, backoff };
}
