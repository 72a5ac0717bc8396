/**
 * A page that stands for Stately's hosted inspector: it hears by the package's own browser receiver, which speaks the handshake, makes a
 * machine of each definition by XState, and draws which states are active. Bundled by `inspector-site.ts`.
 */
import { createBrowserReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { type AnyStateMachine, createMachine } from 'xstate';

type Actor = Extract<StatelyInspectionEvent, { type: '@xstate.actor' }>;

interface Drawn {
  readonly machine: AnyStateMachine;
  readonly section: HTMLElement;
}

const actors = new Map<string, Drawn>();
let events = 0;

createBrowserReceiver().subscribe((message) => {
  if (message.type === '@xstate.event') {
    events += 1;
    document.body.dataset['events'] = String(events);
    return;
  }
  if (message.type === '@xstate.actor') actors.set(message.sessionId, drawn(message));
  const actor = actors.get(message.sessionId);
  if (actor === undefined) throw new Error(`${message.sessionId} was never registered`);
  const { status, value }: { readonly status?: string; readonly value?: unknown } = message.snapshot;
  mark(actor, value, status ?? '');
});

function drawn({ sessionId, parentId = '', definition = '' }: Actor): Drawn {
  const machine = createMachine(JSON.parse(definition));
  const section = document.createElement('section');
  section.id = sessionId;
  section.dataset['parent'] = parentId;
  section.innerHTML = `<h2></h2><div class="chart"></div>`;
  section.firstElementChild?.append(`${sessionId} (${machine.id})`);
  for (const id of idsOf(machine.root)) {
    const box = document.createElement('span');
    box.append(id);
    section.lastElementChild?.append(box);
  }
  const before = document.getElementById(sessionId);
  if (before === null) document.body.append(section);
  else before.replaceWith(section);
  return { machine, section };
}

/** XState says what is active: it throws on a value that the chart does not have. */
function mark({ machine, section }: Drawn, value: unknown, status: string): void {
  const held = machine.resolveState({ value: value as never, context: {} });
  const active = new Set(held._nodes.map(({ id }) => id));
  section.dataset['value'] = JSON.stringify(held.value);
  section.dataset['status'] = status;
  for (const box of section.querySelectorAll('span'))
    box.className = active.has(box.textContent) ? 'active' : '';
}

type Node = AnyStateMachine['root'];
const idsOf = (node: Node): readonly string[] => [
  node.id,
  ...Object.values(node.states).flatMap((child) => idsOf(child)),
];
