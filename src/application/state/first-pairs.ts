/** The pairs that a state begins with, out of the genesis. Pure. docs/applications.md. */
import type { InitChainRequest } from '../../protocol/ports/application.ts';
import type { StateRules } from './rules.ts';
import { requireLatin1 } from './writes.ts';

/** @throws in words that name the genesis, when the rules cannot begin with it */
export function firstPairs(
  rules: Pick<StateRules, 'begin' | 'name'>,
  request: InitChainRequest,
): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  try {
    for (const [key, value] of rules.begin(request)) {
      requireLatin1('key', key);
      requireLatin1('value', value);
      pairs.set(key, value);
    }
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`app.state of the genesis, for the application ${rules.name}: ${words}`, { cause });
  }
  return pairs;
}
