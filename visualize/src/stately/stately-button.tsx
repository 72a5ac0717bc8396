/** Opens the run in Stately's inspector, and says how that stands. */
import { createContext, type ReactNode, use, useSyncExternalStore } from 'react';
import { usePage } from '../feed/use-page.ts';
import type { BridgeState, StatelyBridge } from './bridge.ts';

export const StatelyContext = createContext<StatelyBridge | undefined>(undefined);

/** Not of recorded runs: a second viewer of one plays it by itself. */
export function StatelyButton(): ReactNode {
  const bridge = use(StatelyContext);
  const isLive = usePage(({ hello }) => hello?.run.kind === 'live');
  return bridge === undefined || !isLive ? null : <Button bridge={bridge} />;
}

function Button({ bridge }: { readonly bridge: StatelyBridge }): ReactNode {
  const state = useSyncExternalStore(bridge.subscribe, bridge.get);
  return (
    <button type="button" className="find" title={titleOf(state)} onClick={bridge.open}>
      Stately{state.status === 'closed' ? '' : ` · ${WORDS[state.status]}`}
    </button>
  );
}

const WORDS: Readonly<Record<BridgeState['status'], string>> = {
  closed: '',
  waiting: 'opening',
  connected: 'open',
  failed: 'no answer',
};

function titleOf(state: BridgeState): string {
  if (state.status === 'failed') return `${state.why} Press to try again.`;
  if (state.status === 'connected')
    return `Stately’s inspector shows ${state.cells} cells. Press to begin anew.`;
  return 'Open the cells in Stately’s inspector, a page of stately.ai: what it is handed, it can read.';
}
