/** Orders and their answers in words. Pure. */
import type { Control, NodeCard, NodeIndex } from '../../../../src/observe/feed/feed.ts';
import type { OrderOutcome } from '../../feed/orders.ts';
import { milliseconds } from '../../shell/words.ts';

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
export function outcomeWords({ isDone, answer, tookMs }: OrderOutcome): string {
  const words = answerWords(answer);
  return `${isDone ? 'done' : 'refused'} after ${milliseconds(tookMs)}${words === '' ? '' : `: ${words}`}`;
}

/** @unit characters */
const ANSWER_CHARS_MAX = 300;

function answerWords(answer: unknown): string {
  if (answer === null || answer === undefined || answer === true) return '';
  if (answer instanceof Error) return answer.message;
  const text = typeof answer === 'string' ? answer : (JSON.stringify(answer) ?? '');
  return text.length > ANSWER_CHARS_MAX ? `${text.slice(0, ANSWER_CHARS_MAX)}…` : text;
}
