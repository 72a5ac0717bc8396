/**
 * What one viewer of the relay has still to be told. Whatever came between, each cell costs it one message; so a viewer that stalls costs
 * bounded memory, and one that comes late is told all. Pure but for its own state. Rules IN-1, IN-3.
 */
import { actorMessage, endMessage, eventMessage, snapshotMessage } from './compose.ts';
import type { StatelyMessage } from './messages.ts';
import type { Session, SessionChanges, SessionEvent, Sessions } from './sessions.ts';

/** Waiting beyond, the oldest is left out, and the next one that is told says how many were. @unit events @source 16 cells × 64 steps */
const EVENTS_MAX = 1_024;

export class ViewerQueue {
  readonly #sessions: Sessions;
  /** By session: whether it is to be registered, or told anew. */
  readonly #due = new Map<string, 'actor' | 'snapshot'>();
  readonly #told = new Set<string>();
  /** Of sessions that it was told of: no more of them than there were sessions. */
  readonly #ended = new Map<string, Session>();
  #events: SessionEvent[] = [];
  #dropped = 0;

  /** All that there is, is due. */
  constructor(sessions: Sessions) {
    this.#sessions = sessions;
    for (const { id } of sessions.all) this.#due.set(id, 'actor');
  }

  note({ registered, changed, ended, events, dropped }: SessionChanges): void {
    for (const session of ended) this.#noteEnd(session);
    for (const { id } of registered) this.#due.set(id, 'actor');
    for (const { id } of changed) if (this.#due.get(id) !== 'actor') this.#due.set(id, 'snapshot');
    this.#dropped += dropped;
    this.#events.push(...events);
    const excess = this.#events.length - EVENTS_MAX;
    if (excess <= 0) return;
    this.#events = this.#events.slice(excess);
    this.#dropped += excess;
  }

  /** At most `max` messages, which count as told: what ended, what is new, what happened (half of them at most), how it is now. */
  take(max: number): readonly StatelyMessage[] {
    const messages: StatelyMessage[] = [];
    this.#takeEnded(max, messages);
    this.#takeDue('actor', max, messages);
    // An event of a session that is not registered yet would say nothing to the inspector.
    if (messages.length < max) {
      this.#takeEvents(Math.ceil(max / 2), messages);
      this.#takeDue('snapshot', max, messages);
    }
    return messages;
  }

  #noteEnd(session: Session): void {
    const { id } = session;
    this.#due.delete(id);
    if (this.#told.delete(id)) this.#ended.set(id, session);
  }

  #takeEnded(max: number, messages: StatelyMessage[]): void {
    for (const [id, session] of this.#ended) {
      if (messages.length >= max) return;
      this.#ended.delete(id);
      messages.push(endMessage(session));
    }
  }

  #takeDue(kind: 'actor' | 'snapshot', max: number, messages: StatelyMessage[]): void {
    for (const [id, due] of this.#due) {
      if (messages.length >= max) return;
      if (due !== kind) continue;
      this.#due.delete(id);
      const session = this.#sessions.get(id);
      if (session === undefined) continue;
      this.#told.add(id);
      messages.push(kind === 'actor' ? actorMessage(session) : snapshotMessage(session));
    }
  }

  #takeEvents(max: number, messages: StatelyMessage[]): void {
    const events = this.#events.splice(0, Math.max(0, max - messages.length));
    for (const event of events) {
      if (!this.#told.has(event.session.id)) continue;
      messages.push(eventMessage(event, this.#dropped));
      this.#dropped = 0;
    }
  }
}
