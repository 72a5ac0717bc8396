/**
 * A tree of cells as data, and back: which cells there are, what they are given, which chart each runs; functions and boundary actors stand
 * in it by name. A journal that carries one is replayed without anything that built the tree. Pure. Rules RT-15, RP-1, RP-8.
 */
import { type AnyStateMachine, StateMachine } from 'xstate';
import { type BoundaryLogic, handler, isBoundaryLogic } from './boundary.ts';
import { chartOf } from './chart.ts';
import type { Outside } from './outside.ts';
import type { CellLogic, CellSpec, SupervisorLogic } from './spec.ts';

/** Stands in data where a function was: its name. No message between nodes can carry such a key. */
const FUNCTION = '\0function';
/** Stands in data where a property was that is read anew each time: the name of its getter. */
const GETTER = '\0getter';

/** What stands for a function in data that goes into a journal. */
export const functionMark = (name: string): unknown => ({ [FUNCTION]: name });

/** Puts functions back, in place: for data that was just read and that nobody else holds. */
export function revive(value: unknown, functionOf: (name: string) => unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (value instanceof Map) {
    for (const [key, one] of value) if (isContainer(one)) value.set(key, revive(one, functionOf));
    return value;
  }
  if (value instanceof Set) return value;
  const fields = value as Record<string, unknown>;
  const name = fields[FUNCTION];
  if (typeof name === 'string') return functionOf(name);
  for (const key in fields) {
    const field = fields[key];
    if (!isContainer(field)) continue;
    const next = revive(field, functionOf);
    if (next !== field) fields[key] = next;
  }
  return value;
}

const isContainer = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);

export type BlueprintLogic =
  | { readonly kind: 'boundary' }
  /** `spawned`: kinds of children that are boundary actors. */
  | {
      readonly kind: 'chart';
      readonly chart: string;
      readonly hash: string;
      readonly spawned: readonly string[];
    }
  | {
      readonly kind: 'supervisor';
      readonly roster: SupervisorLogic['supervisor'];
      readonly children: readonly CellBlueprint[];
      readonly templates: readonly CellBlueprint[];
    };

export type CellBlueprint = Omit<CellSpec, 'logic'> & { readonly logic: BlueprintLogic };

/** What a replay may call itself, by name: pure, and without a secret. */
export type PureFunctions = Readonly<Record<string, (...given: never[]) => unknown>>;

type AnyFunction = (...given: unknown[]) => unknown;

/** Getters may make functions anew each time: what nobody holds is forgotten. */
type FunctionNames = WeakMap<object, string>;

/** Roots as a recorded system is to start them, with what a journal says of them. */
export interface Recordable {
  readonly roots: readonly CellSpec[];
  readonly blueprints: readonly CellBlueprint[];
  /** The name of a function that cells hold; undefined for one that came from elsewhere. */
  readonly nameOf: (work: unknown) => string | undefined;
}

/**
 * The same roots, whose cells get what their inputs' functions and getters give through `outside`, but for the `pure` ones.
 * @throws Error for a root that no journal can tell of: reducers, charts that spawn charts with boundary actors
 */
export function recordable(roots: readonly CellSpec[], outside: Outside, pure: PureFunctions): Recordable {
  const names: FunctionNames = new WeakMap(
    Object.entries(pure).map(([name, work]): [object, string] => [work, `pure/${name}`]),
  );
  const rewriter = new Rewriter(outside, names);
  const rewritten = roots.map((spec) => rewriter.spec(spec, spec.id));
  return {
    roots: rewritten,
    blueprints: rewritten.map((spec) => blueprintOf(spec, rewriter)),
    nameOf: (work) => (typeof work === 'function' ? names.get(work) : undefined),
  };
}

/** Roots for a replay. */
export interface Rebuilt {
  readonly roots: readonly CellSpec[];
  readonly functionOf: (name: string) => AnyFunction;
  /** The name of one that `functionOf` gave. */
  readonly nameOf: (work: unknown) => string | undefined;
}

export interface RebuildOptions {
  readonly outside: Outside;
  readonly pure: PureFunctions;
  /** By their ids. */
  readonly charts: ReadonlyMap<string, AnyStateMachine>;
}

/** @throws Error naming the chart or the pure function that this program has not got */
export function rebuilt(blueprints: readonly CellBlueprint[], options: RebuildOptions): Rebuilt {
  const { outside, pure, charts } = options;
  const functions = new Map<string, AnyFunction>();
  const names = new Map<unknown, string>();
  const recalled = (name: string): AnyFunction => {
    const recall = outside.wrap<unknown[], unknown>(name, notHere(name));
    return (...given) => revive(recall(...given), functionOf);
  };
  const functionOf = (name: string): AnyFunction => {
    const known = functions.get(name);
    if (known !== undefined) return known;
    const own = name.startsWith('pure/') ? ownOf(pure, name.slice('pure/'.length)) : undefined;
    if (own === undefined && name.startsWith('pure/'))
      throw new Error(`the journal's cells call '${name}', which this program has not got`);
    // Gateway: called with what the recorded one was called with.
    const work = (own as AnyFunction | undefined) ?? recalled(name);
    functions.set(name, work);
    names.set(work, name);
    return work;
  };
  const builder = new Builder(charts, functionOf);
  return {
    roots: blueprints.map((root) => builder.spec(root)),
    functionOf,
    nameOf: (work) => names.get(work),
  };
}

/** Not what every object inherits: a journal may name anything. */
const ownOf = (pure: PureFunctions, name: string): PureFunctions[string] | undefined =>
  Object.hasOwn(pure, name) ? pure[name] : undefined;

const notHere = (name: string) => (): never => {
  throw new Error(`'${name}' is not called in a replay`);
};

/** Charts of a tree by their ids, with a hash of each: a replay by other charts is another run. */
export function chartsOf(blueprints: readonly CellBlueprint[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = ({ logic }: CellBlueprint): void => {
    if (logic.kind === 'chart') found.set(logic.chart, logic.hash);
    if (logic.kind === 'supervisor') for (const spec of [...logic.children, ...logic.templates]) visit(spec);
  };
  for (const root of blueprints) visit(root);
  return found;
}

/** Puts wrapped functions and getters in the place of those in inputs. */
class Rewriter {
  readonly #outside: Outside;
  /** Of wrapped and pure functions. */
  readonly names: FunctionNames;
  readonly getters = new Map<unknown, string>();
  /** What each function and object with functions became: shared ones stay shared. */
  readonly #become = new WeakMap<object, unknown>();

  constructor(outside: Outside, names: FunctionNames) {
    this.#outside = outside;
    this.names = names;
  }

  spec(spec: CellSpec, path: string): CellSpec {
    const { logic } = spec;
    // A replay runs no boundary actors: what they are given is theirs alone.
    if (isBoundaryLogic(logic)) return spec;
    const input = this.#value(spec.input, `${path}#`);
    if (!('supervisor' in logic)) return { ...spec, input };
    const below = (specs: ReadonlyMap<string, CellSpec>): ReadonlyMap<string, CellSpec> =>
      new Map([...specs].map(([id, one]) => [id, this.spec(one, `${path}/${id}`)]));
    const again: SupervisorLogic = {
      ...logic,
      specs: below(logic.specs),
      templates: below(logic.templates),
    };
    return { ...spec, input, logic: again };
  }

  #value(value: unknown, path: string): unknown {
    if (typeof value === 'function') return this.#function(value, path);
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
    const known = this.#become.get(value);
    if (known !== undefined) return known;
    const fresh = this.#object(value, path);
    this.#become.set(value, fresh);
    return fresh;
  }

  #function(work: object, path: string): unknown {
    if (this.names.has(work)) return work;
    const known = this.#become.get(work);
    if (known !== undefined) return known;
    // Gateway: a function, by the caller.
    const wrapped = this.#outside.wrap(path, work as AnyFunction);
    this.#become.set(work, wrapped);
    this.names.set(wrapped, path);
    return wrapped;
  }

  #object(value: object, path: string): object {
    if (Array.isArray(value)) return same(value, [...this.#all(value, path)]);
    if (value instanceof Map) {
      const entries = [...value].map(([key, one]): [unknown, unknown] => [
        key,
        this.#value(one, `${path}.${String(key)}`),
      ]);
      return entries.every(([key, one]) => value.get(key) === one) ? value : new Map(entries);
    }
    if (value instanceof Set) return value;
    const fields: Record<string, PropertyDescriptor> = {};
    let changed = false;
    for (const [key, field] of describedFields(value)) {
      const place = path.endsWith('#') ? `${path}${key}` : `${path}.${key}`;
      if (field.get === undefined) {
        const next = this.#value(field.value, place);
        changed ||= next !== field.value || !field.enumerable;
        fields[key] = { value: next, enumerable: true };
      } else {
        changed = true;
        fields[key] = { get: this.#getter(value, key, place), enumerable: true };
      }
    }
    return changed ? Object.defineProperties({}, fields) : value;
  }

  *#all(values: readonly unknown[], path: string): Iterable<unknown> {
    for (const [place, one] of values.entries()) yield this.#value(one, `${path}.${place}`);
  }

  #getter(holder: object, key: string, place: string): () => unknown {
    // What it gives may hold functions, as an input does.
    const get = this.#outside.wrap(place, () => this.#value(Reflect.get(holder, key), place));
    this.getters.set(get, place);
    return get;
  }
}

const same = <Item>(before: readonly Item[], after: readonly Item[]): readonly Item[] =>
  before.every((one, place) => one === after[place]) ? before : after;

/** Own properties, and the methods and getters of a class, which are called as those of the object. */
function describedFields(value: object): ReadonlyMap<string, PropertyDescriptor> {
  const fields = new Map(Object.entries(Object.getOwnPropertyDescriptors(value)));
  for (
    let above: unknown = Object.getPrototypeOf(value);
    typeof above === 'object' && above !== null && above !== Object.prototype;
    above = Object.getPrototypeOf(above)
  ) {
    for (const [key, field] of Object.entries(Object.getOwnPropertyDescriptors(above))) {
      // What is nearer hides what is farther.
      if (key === 'constructor' || fields.has(key)) continue;
      if (field.get !== undefined) fields.set(key, field);
      if (typeof field.value !== 'function') continue;
      const method = (...given: unknown[]): unknown => Reflect.apply(field.value, value, given);
      fields.set(key, { ...field, value: method });
    }
  }
  return fields;
}

function blueprintOf(spec: CellSpec, names: Rewriter): CellBlueprint {
  const input = isBoundaryLogic(spec.logic) ? undefined : named(spec.input, names);
  return { ...spec, input, logic: logicOf(spec.logic, spec.id, names) };
}

function logicOf(logic: CellLogic, id: string, names: Rewriter): BlueprintLogic {
  if ('supervisor' in logic) {
    return {
      kind: 'supervisor',
      roster: logic.supervisor,
      children: [...logic.specs.values()].map((spec) => blueprintOf(spec, names)),
      templates: [...logic.templates.values()].map((spec) => blueprintOf(spec, names)),
    };
  }
  if (isBoundaryLogic(logic)) return { kind: 'boundary' };
  if (!(logic instanceof StateMachine))
    throw new Error(`'${id}' is no chart: a journal cannot name what it runs`);
  const spawned = Object.entries(logic.implementations.actors)
    .filter(([, kind]) => isBoundaryLogic('src' in kind ? kind.src : kind))
    .map(([kind]) => kind);
  return { kind: 'chart', chart: logic.id, hash: chartOf(logic).hash, spawned };
}

/** Names in the place of functions and getters. */
function named(value: unknown, names: Rewriter): unknown {
  if (typeof value === 'function') return functionMark(names.names.get(value) ?? '?');
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Set)
    return value;
  if (Array.isArray(value)) return value.map((one) => named(one, names));
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [key, named(one, names)]));
  return Object.fromEntries(
    Object.entries(Object.getOwnPropertyDescriptors(value)).map(([key, field]) => [
      key,
      field.get === undefined ? named(field.value, names) : { [GETTER]: names.getters.get(field.get) ?? '?' },
    ]),
  );
}

/** Nothing opens it: a replay's boundary actors are silent. */
const SILENT: BoundaryLogic<unknown> = handler<undefined, never, unknown>({
  init: () => undefined,
  receive: () => undefined,
});

class Builder {
  readonly #charts: ReadonlyMap<string, AnyStateMachine>;
  readonly #functionOf: (name: string) => AnyFunction;
  /** One logic for all cells of a chart, as in the recorded run. */
  readonly #provided = new Map<string, AnyStateMachine>();

  constructor(charts: ReadonlyMap<string, AnyStateMachine>, functionOf: (name: string) => AnyFunction) {
    this.#charts = charts;
    this.#functionOf = functionOf;
  }

  spec(blueprint: CellBlueprint): CellSpec {
    const { logic: described, ...rest } = blueprint;
    const logic = this.#logic(described);
    return { ...rest, logic, input: this.#value(blueprint.input) };
  }

  #logic(described: BlueprintLogic): CellLogic {
    if (described.kind === 'boundary') return SILENT;
    if (described.kind === 'chart') return this.#chart(described);
    const specs = (blueprints: readonly CellBlueprint[]) =>
      new Map(blueprints.map((one) => [one.id, this.spec(one)]));
    return {
      supervisor: described.roster,
      specs: specs(described.children),
      templates: specs(described.templates),
    };
  }

  #chart({ chart, spawned }: Extract<BlueprintLogic, { kind: 'chart' }>): AnyStateMachine {
    const known = this.#provided.get(chart);
    if (known !== undefined) return known;
    const own = this.#charts.get(chart);
    if (own === undefined)
      throw new Error(`the journal's cells run a chart '${chart}', which this program has not got`);
    const machine =
      spawned.length === 0
        ? own
        : own.provide({ actors: Object.fromEntries(spawned.map((kind) => [kind, SILENT])) as never });
    this.#provided.set(chart, machine);
    return machine;
  }

  #value(value: unknown): unknown {
    if (!isContainer(value) || value instanceof Set) return value;
    if (Array.isArray(value)) return value.map((one) => this.#value(one));
    if (value instanceof Map) return new Map([...value].map(([key, one]) => [key, this.#value(one)]));
    const fields: Record<string, PropertyDescriptor> = {};
    for (const [key, field] of Object.entries(value)) {
      if (key === FUNCTION) return this.#functionOf(String(field));
      const getter = isContainer(field) ? Reflect.get(field, GETTER) : undefined;
      fields[key] =
        typeof getter === 'string'
          ? { get: this.#functionOf(getter), enumerable: true }
          : { value: this.#value(field), enumerable: true };
    }
    return Object.defineProperties({}, fields);
  }
}
