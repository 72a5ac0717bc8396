/** Gateway: what the reader pasted, as something to start from. What is within is judged by the light client's own rules. Pure and total. */
import { fieldOf } from '../answers.ts';
import type { Trusted } from './report.ts';

export interface ReadTrusted {
  readonly trusted: Trusted | undefined;
  /** For the reader; '' where there is none. */
  readonly problem: string;
}

/** A genesis of 1,024 validators has less. @unit letters */
const TEXT_MAX = 2_097_152;

export function readTrusted(text: string): ReadTrusted {
  const nothing = { trusted: undefined };
  if (text.trim() === '') return { ...nothing, problem: '' };
  if (text.length > TEXT_MAX) return { ...nothing, problem: `That is longer than ${TEXT_MAX} letters.` };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ...nothing, problem: 'That is no JSON yet.' };
  }
  if (fieldOf(value, 'epochHash') !== undefined)
    return { trusted: { kind: 'point', point: value }, problem: '' };
  if (fieldOf(value, 'chain_id') !== undefined)
    return { trusted: { kind: 'genesis', document: value, isPasted: true }, problem: '' };
  return {
    ...nothing,
    problem:
      'It is neither a genesis document (chain_id, validators, …) nor a checkpoint (genesisHash, epoch, epochHash).',
  };
}
