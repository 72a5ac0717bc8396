/** Types for charts without casts: `types`, `declare`, `on`. Pure. Rule RT-16, docs/runtime.md. */
import type { EventObject, MachineContext } from 'xstate';

/** The types of a chart, given to `setup({ types: types<…>() })`. */
export interface ChartTypes<Context extends MachineContext, Event extends EventObject, Input, Output> {
  context?: Context;
  events?: Event;
  input?: Input;
  output?: Output;
}

/** `setup({ types: types<Context, Event, Input>() })`: only types, the value is empty. */
export function types<
  Context extends MachineContext,
  Event extends EventObject,
  Input = unknown,
  Output = unknown,
>(): ChartTypes<Context, Event, Input, Output> {
  return {};
}

/**
 * The event types that may come from outside (RT-16), checked to be all of the union and nothing else:
 * `declare<RoundMessage>()('proposal.received', 'vote.received')`.
 */
export function declare<Public extends { readonly type: string }>() {
  return <const Names extends readonly Public['type'][]>(
    ...names: Names & Complete<Public['type'], Names>
  ): readonly Public['type'][] => names;
}

type Complete<All extends string, Names extends readonly string[]> = [Exclude<All, Names[number]>] extends [
  never,
]
  ? readonly string[]
  : readonly [`missing event type: ${Exclude<All, Names[number]>}`];

/** The member of a union of events with that type. */
export type EventOf<Event extends { readonly type: string }, Type extends Event['type']> = Extract<
  Event,
  { readonly type: Type }
>;

/**
 * Narrows the event of an action's, guard's or delay's function: `assign(on('vote.received', ({ event }) => …))`.
 * Throws when the chart runs it on another event, which crashes the cell: the chart is wrong.
 */
export function on<
  Args extends { readonly event: EventObject },
  const Type extends Args['event']['type'],
  Result,
>(type: Type, handle: (args: Narrowed<Args, Type>) => Result): (args: Args) => Result {
  return (args) => {
    if (!isNarrowed(args, type)) {
      throw new Error(`on('${type}') ran on the event '${args.event.type}': fix the chart's transition`);
    }
    return handle(args);
  };
}

export type Narrowed<Args extends { readonly event: EventObject }, Type extends string> = Args & {
  readonly event: Extract<Args['event'], { readonly type: Type }>;
};

function isNarrowed<Args extends { readonly event: EventObject }, Type extends string>(
  args: Args,
  type: Type,
): args is Narrowed<Args, Type> {
  return args.event.type === type;
}
