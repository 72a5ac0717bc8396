/** Mutations of texts of lines, `key = value` or `Name: value`: lines moved, doubled and taken, values replaced. */
import type { Mutation } from '../mutate.ts';

const linesOf = (input: Uint8Array): string[] => Buffer.from(input).toString('latin1').split('\n');
const joined = (lines: readonly string[]): Uint8Array =>
  new Uint8Array(Buffer.from(lines.join('\n'), 'latin1'));

const moved: Mutation = (input, { below }) => {
  const lines = linesOf(input);
  const [line = ''] = lines.splice(below(lines.length), 1);
  lines.splice(below(lines.length + 1), 0, line);
  return joined(lines);
};

const doubled: Mutation = (input, { below }) => {
  const lines = linesOf(input);
  const line = lines[below(lines.length)] ?? '';
  const count = below(32) === 0 ? 200 : 1;
  lines.splice(below(lines.length + 1), 0, ...Array.from({ length: count }, () => line));
  return joined(lines);
};

const dropped: Mutation = (input, { below }) => {
  const lines = linesOf(input);
  lines.splice(below(lines.length), 1);
  return joined(lines);
};

const taken: Mutation = (input, draws, { donor }) => {
  const lines = linesOf(input);
  lines.splice(draws.below(lines.length + 1), draws.below(2), draws.pick(linesOf(donor)) ?? '');
  return joined(lines);
};

const VALUES = [
  '',
  '0',
  '-1',
  '1e400',
  '9007199254740993',
  '0x10',
  'nan',
  'inf',
  '"',
  "'''",
  '"""',
  '[]',
  '[1,',
  '{}',
].concat([
  'true',
  '"\\ud800"',
  '2026-02-30',
  '07:32:60',
  '-0',
  '[[[[[[[[[[',
  '"a"."b"',
  '\u0000',
  '{a={a={a={a={a=1}}}}}',
]);

const revalued: Mutation = (input, draws, { dictionary }) => {
  const lines = linesOf(input);
  const at = draws.below(lines.length);
  const [, head = ''] = /^([^=:]*[=:] ?)/.exec(lines[at] ?? '') ?? [];
  const word = Buffer.from(draws.pick(dictionary) ?? []).toString('latin1');
  lines[at] = head + (draws.below(2) === 0 ? word : (draws.pick(VALUES) ?? ''));
  return joined(lines);
};

export const LINES: readonly Mutation[] = [moved, doubled, dropped, taken, taken, revalued, revalued];
