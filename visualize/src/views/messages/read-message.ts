/** Gateway: a node's answer to the question 'message'. Pure and total: a part that is not there is left out. */
import type { MessageAnswer } from '../../../../src/observe/feed/feed.ts';
import { fieldOf, numberOf, textOf } from '../answers.ts';

/** Twice the bytes. @unit letters @source MessageAnswer, feed.ts */
const ENCODED_MAX = 8_192;

export interface ReadMessage {
  readonly answer: Omit<MessageAnswer, 'kind'> | undefined;
  readonly words: string;
}

export function readMessageAnswer(raw: unknown): ReadMessage {
  if (textOf(raw, 'kind') === undefined)
    return { answer: undefined, words: 'The node’s answer is not in the shape of a message.' };
  const encoded = textOf(raw, 'encoded');
  const bytes = numberOf(raw, 'bytes');
  const cause = causeOf(fieldOf(raw, 'cause'));
  const journal = journalOf(fieldOf(raw, 'journal'));
  return {
    answer: {
      message: fieldOf(raw, 'message'),
      ...(encoded === undefined ? {} : { encoded: encoded.slice(0, ENCODED_MAX) }),
      ...(bytes === undefined ? {} : { bytes }),
      ...(cause === undefined ? {} : { cause }),
      ...(journal === undefined ? {} : { journal }),
    },
    words: '',
  };
}

function causeOf(raw: unknown): MessageAnswer['cause'] {
  const [event, cell] = [textOf(raw, 'event'), textOf(raw, 'cell')];
  const [turn, at] = [numberOf(raw, 'turn'), numberOf(raw, 'at')];
  if (event === undefined || cell === undefined || turn === undefined || at === undefined) return undefined;
  const wire = textOf(raw, 'wire');
  return { event, cell, turn, at, ...(wire === undefined ? {} : { wire }) };
}

function journalOf(raw: unknown): MessageAnswer['journal'] {
  const [segment, offset] = [textOf(raw, 'segment'), numberOf(raw, 'offset')];
  return segment === undefined || offset === undefined ? undefined : { segment, offset };
}
