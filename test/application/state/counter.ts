/** Rules of the tests' own, so small that what the shell does is seen apart from them: named counters, raised by anybody. */
import { checkResult, transactionResult } from '../../../src/application/answers.ts';
import type { StateRules, StateWriter } from '../../../src/application/state/rules.ts';
import type { ValidatorUpdate } from '../../../src/protocol/ports/application.ts';

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const raised = (value: string | undefined): string => String(Number(value ?? '0') + 1);

export const validator = (fill: number, power: bigint, proof = 1): ValidatorUpdate => ({
  nodeKey: new Uint8Array(32).fill(fill),
  consensusKey: new Uint8Array(48).fill(fill),
  possessionProof: new Uint8Array(96).fill(proof),
  power,
});

/**
 * `up NAME…` raises counters; `drop NAME…` removes them; `power FILL N` gives a validator power; `fail` in front of any of
 * them does it and then refuses, `throw` does it and then throws. Each block raises `blocks`, and drops `fleeting`.
 */
export const counter: StateRules = {
  name: 'counter',
  version: '1',
  begin({ appState }) {
    if (typeof appState !== 'object' || appState === null) throw new Error('an object of numbers is needed');
    return Object.entries(appState).map(([name, value]): [string, string] => {
      if (typeof value !== 'number') throw new Error(`"${name}" must be a number`);
      return [name, String(value)];
    });
  },
  check: (transaction) => checkResult({ code: /^[a-z]+ /.test(textOf(transaction)) ? 0 : 1 }),
  execute(transaction, state) {
    const words = textOf(transaction).split(' ');
    const ending = words[0] === 'fail' || words[0] === 'throw' ? words.shift() : undefined;
    const problem = perform(words, state);
    if (ending === 'throw') throw new Error('as asked');
    const code = ending === 'fail' || problem !== undefined ? 2 : 0;
    return transactionResult({ code, log: problem ?? state.get('seen') ?? '' });
  },
  endBlock(state, { height }) {
    state.set('blocks', raised(state.get('blocks')));
    state.delete('fleeting');
    return [{ type: 'ended', attributes: [{ key: 'height', value: String(height), index: false }] }];
  },
  query: (_, data, state) => ({
    code: 0,
    log: [...state.validators.values()].map(({ power }) => power).join(),
    value: Buffer.from(state.get(textOf(data)) ?? '', 'latin1'),
  }),
};

function perform([verb, ...names]: readonly string[], state: StateWriter): string | undefined {
  if (verb === 'power') return state.setValidator(validator(Number(names[0]), BigInt(names[1] ?? '0')));
  for (const name of names) {
    if (verb === 'drop') state.delete(name);
    else state.set(name, raised(state.get(name)));
  }
  state.set('seen', names.map((name) => `${name}:${state.get(name) ?? 'gone'}`).join(' '));
  return undefined;
}
