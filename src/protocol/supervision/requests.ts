/** Children that are started and stopped on request, from a supervisor's templates. Pure and total. docs/runtime.md. */
import { setIn } from '../../base/persistent-map.ts';
import { type ChildRecord, findChild, giveUpRestart, type Roster, type RosterDecision } from './roster.ts';

/** A request to start: a template's new child, or an idle child of the specification. Plain data, so it is journaled. */
export interface ChildStart {
  readonly type: 'child.start';
  readonly id: string;
  /** The id of one of the supervisor's templates; left out for an idle child of the specification. */
  readonly template?: string;
  readonly input?: unknown;
}

/** A request to stop a child; one from a template is forgotten. */
export interface ChildStop {
  readonly type: 'child.stop';
  readonly id: string;
}

/** The answer to an `ask` with either request. */
export type ChildAnswer =
  | { readonly type: 'child.accepted'; readonly id: string }
  | {
      readonly type: 'child.refused';
      readonly id: string;
      readonly code: 'ID_IN_USE' | 'NO_SUCH_TEMPLATE' | 'NO_SUCH_CHILD' | 'ID_INVALID';
    };

export interface RequestDecision extends RosterDecision {
  readonly answer: ChildAnswer;
}

/** Plans the start of a child. */
export function requestStart(roster: Roster, { id, template, input }: ChildStart): RequestDecision {
  const known = findChild(roster, id);
  if (template === undefined) {
    if (known === undefined) return refuse(roster, id, 'NO_SUCH_CHILD');
    if (known.status !== 'idle') return refuse(roster, id, 'ID_IN_USE');
    return accept({ ...roster, plan: [...roster.plan, { do: 'start', id }] }, id);
  }
  if (known !== undefined) return refuse(roster, id, 'ID_IN_USE');
  if (typeof id !== 'string' || id === '' || id.startsWith('/') || id.endsWith('/')) {
    return refuse(roster, String(id), 'ID_INVALID');
  }
  const model = roster.templates.find((spec) => spec.id === template);
  if (model === undefined) return refuse(roster, id, 'NO_SUCH_TEMPLATE');
  const child: ChildRecord = {
    spec: { ...model, id },
    order: roster.nextOrder,
    status: 'idle',
    startedAt: undefined,
    attempt: 0,
    template,
    input,
  };
  return accept(
    {
      ...roster,
      children: setIn(roster.children, id, child),
      nextOrder: roster.nextOrder + 1,
      plan: [...roster.plan, { do: 'start', id }],
    },
    id,
  );
}

/** Plans the stop of a child; one that waits for its restart only gives that up. */
export function requestStop(roster: Roster, { id }: ChildStop): RequestDecision {
  const child = findChild(roster, id);
  if (child === undefined) return refuse(roster, id, 'NO_SUCH_CHILD');
  const after = child.template === undefined ? 'rest' : 'forget';
  if (child.status === 'idle') return accept(roster, id);
  if (child.status === 'waiting')
    return { ...giveUpRestart(roster, id, after), answer: { type: 'child.accepted', id } };
  return accept({ ...roster, plan: [...roster.plan, { do: 'stop', id, after }] }, id);
}

const accept = (roster: Roster, id: string): RequestDecision => ({
  roster,
  effects: [],
  answer: { type: 'child.accepted', id },
});

const refuse = (
  roster: Roster,
  id: string,
  code: Extract<ChildAnswer, { readonly type: 'child.refused' }>['code'],
): RequestDecision => ({ roster, effects: [], answer: { type: 'child.refused', id, code } });
