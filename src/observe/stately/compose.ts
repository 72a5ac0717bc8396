/** A session's messages for Stately's inspector. Pure. Rule IN-3, docs/inspector.md. */
import { stateValueOf, tagsOf } from './definition.ts';
import {
  type EventView,
  type SnapshotView,
  STATELY_VERSION,
  type StatelyActor,
  type StatelyCommon,
  type StatelyEvent,
  type StatelySnapshot,
} from './messages.ts';
import type { Session, SessionEvent } from './sessions.ts';

export function actorMessage(session: Session): StatelyActor {
  const { id, parentId, definition, since } = session;
  return {
    type: '@xstate.actor',
    name: id,
    ...(parentId === undefined ? {} : { parentId }),
    definition,
    snapshot: snapshotOf(session),
    ...common(session, since),
  };
}

export function snapshotMessage(session: Session): StatelySnapshot {
  const event = { type: session.row.last?.event ?? 'xstate.init' };
  return { type: '@xstate.snapshot', event, snapshot: snapshotOf(session), ...common(session, session.at) };
}

/** The last that is told of a session. */
export function endMessage(session: Session): StatelySnapshot {
  return {
    type: '@xstate.snapshot',
    event: { type: 'xstate.stop' },
    snapshot: { ...snapshotOf(session), status: 'stopped' },
    ...common(session, session.at),
  };
}

/** `dropped`: events that this viewer was not told since the one before. */
export function eventMessage({ session, sourceId, at, event }: SessionEvent, dropped: number): StatelyEvent {
  const told: EventView = dropped === 0 ? event : { ...event, dropped };
  return {
    type: '@xstate.event',
    event: told,
    ...(sourceId === undefined ? {} : { sourceId }),
    ...common(session, at),
  };
}

function snapshotOf({ row, chart, states, detail }: Session): SnapshotView {
  const { status, kind, incarnation, restarts, accepted, processed, queued, postponed, lost, waitP99 } = row;
  return {
    status: status === 'down' || status === 'gone' ? 'stopped' : 'active',
    value: stateValueOf(chart, states),
    context: {
      ...(detail === undefined ? {} : { view: detail.view, timers: detail.timers }),
      cell: { kind, status, incarnation, restarts, accepted, processed, queued, postponed, lost, waitP99 },
    },
    tags: tagsOf(chart, states),
    children: {},
    historyValue: {},
  };
}

const common = ({ id, rootId }: Session, at: number): StatelyCommon => ({
  _version: STATELY_VERSION,
  sessionId: id,
  rootId,
  createdAt: String(Math.trunc(at)),
  id: null,
});
