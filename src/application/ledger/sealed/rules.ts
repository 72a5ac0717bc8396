/** The ledger's rules with what is sealed: reveals beside signed transactions, and the close before each block's. Pure. LG-23 and LG-24, docs/ledger.md. */
import { nextHeight } from '../../../protocol/chain/ordinals.ts';
import type { StateRules } from '../../state/rules.ts';
import { CODES, CODESPACE } from '../codes.ts';
import { closeDueSets } from './close.ts';
import { revealEvent } from './events.ts';
import { checkReveal, executeReveal, isReveal } from './reveal.ts';

const NOTHING: Uint8Array = new Uint8Array(0);

export const withReveals = (rules: StateRules, genesisHash: Uint8Array): StateRules => ({
  ...rules,
  beginBlock: (state, block, misbehavior) => [
    ...(rules.beginBlock?.(state, block, misbehavior) ?? []),
    ...closeDueSets(state, block),
  ],
  check(bytes, state, height) {
    if (!isReveal(bytes)) return rules.check(bytes, state, height);
    const reveal = checkReveal(bytes, state, nextHeight(height), genesisHash);
    const base = { codespace: CODESPACE, priority: 0n };
    return 'code' in reveal ? { ...base, ...reveal } : { ...base, code: CODES.ok, log: '', ...reveal };
  },
  execute(bytes, state, block) {
    if (!isReveal(bytes)) return rules.execute(bytes, state, block);
    const reveal = executeReveal(bytes, state, block.height, genesisHash);
    const base = { data: NOTHING, codespace: CODESPACE, gasWanted: 0n, gasUsed: 0n };
    return 'code' in reveal
      ? { ...base, ...reveal, events: [] }
      : { ...base, code: CODES.ok, log: '', events: [revealEvent(reveal.id)] };
  },
  settleFailed(bytes, state, block) {
    if (!isReveal(bytes)) rules.settleFailed?.(bytes, state, block);
  },
});
