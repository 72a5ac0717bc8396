/** Orders and their answers in words. Pure. */
import type { Control, NodeCard, NodeIndex } from '../../../../src/observe/feed/feed.ts';
import { hashIn, type Order, type OrderOutcome } from '../../feed/orders.ts';
import { counted, milliseconds } from '../../shell/words.ts';

export function wordsOf(control: Control, nodes: readonly NodeCard[]): string {
  const name = (node: NodeIndex): string => nodes[node]?.moniker ?? `node ${node}`;
  switch (control.kind) {
    case 'submit':
      return `submit “${control.transaction}” to ${name(control.node)}`;
    case 'partition':
      return control.groups.length === 0
        ? 'heal all links'
        : `cut the network: ${control.groups.map((group) => group.map(name).join(' + ')).join(' | ')}`;
    case 'delay':
      return control.ms === 0
        ? `no delay for ${name(control.node)}`
        : `delay ${name(control.node)} by ${control.ms} ms`;
    default:
      return `${control.kind} ${name(control.node)}`;
  }
}

/** `done after 12 ms: …`, `refused after 3 ms: …`. */
export function outcomeWords({ isDone, answer, tookMs, commit }: OrderOutcome): string {
  if (commit !== undefined) return commitWords(commit);
  const hash = isDone ? hashIn(answer) : undefined;
  if (hash !== undefined) return `taken after ${milliseconds(tookMs)}, not in a block yet; hash ${hash}`;
  const words = answerWords(answer);
  return `${isDone ? 'done' : 'refused'} after ${milliseconds(tookMs)}${words === '' ? '' : `: ${words}`}`;
}

/** The delay that a validator was given last, as far as this page knows; a process that was started anew has none. @unit ms */
export function delayOf(orders: readonly Order[], node: NodeIndex): number {
  const last = orders.find(
    ({ control, outcome }) =>
      outcome?.isDone !== false &&
      ((control.kind === 'delay' && control.node === node) ||
        (control.kind === 'start' && control.node === node)),
  )?.control;
  return last?.kind === 'delay' ? last.ms : 0;
}

/** How the network was cut last: the side of each validator, by place; none: it is whole. */
export function sidesOf(orders: readonly Order[]): ReadonlyMap<NodeIndex, number> {
  const last = orders.find(
    ({ control, outcome }) => control.kind === 'partition' && outcome?.isDone !== false,
  )?.control;
  const groups = last?.kind === 'partition' ? last.groups : [];
  return new Map(groups.flatMap((group, side) => group.map((node): [NodeIndex, number] => [node, side])));
}

const commitWords = ({ height, code, log, tookMs }: NonNullable<OrderOutcome['commit']>): string =>
  `committed and executed at height ${counted(height)} after ${milliseconds(tookMs)}${
    code === 0 ? '' : `; the application refused it: code ${code}${log === undefined ? '' : `, ${log}`}`
  }`;

/** @unit characters */
const ANSWER_CHARS_MAX = 300;

function answerWords(answer: unknown): string {
  if (answer === null || answer === undefined || answer === true) return '';
  if (answer instanceof Error) return answer.message;
  const text = typeof answer === 'string' ? answer : (JSON.stringify(answer) ?? '');
  return text.length > ANSWER_CHARS_MAX ? `${text.slice(0, ANSWER_CHARS_MAX)}…` : text;
}
