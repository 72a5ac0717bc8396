/** Orders that the reader gave, in words, with what became of them. The words are pure. */
import type { Control, NodeCard, NodeIndex } from '../../../../src/observe/feed/feed.ts';

export interface OrderRow {
  readonly id: number;
  readonly words: string;
  readonly outcome: 'on its way' | 'done' | 'refused';
  readonly detail: string;
  readonly tookMs: number | undefined;
}

/** @unit rows */
export const ORDERS_MAX = 30;

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

/** What the server says of an order that was done, as far as it is words or plain facts. */
export function answerWords(answer: unknown): string {
  if (answer === null || answer === undefined || answer === true) return '';
  if (typeof answer === 'string') return answer;
  const text = JSON.stringify(answer) ?? '';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
