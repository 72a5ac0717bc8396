/** Which cell the views are about: the chosen one, or one that says much, so that nobody meets an empty page. Pure. */
import { type CellKey, cellKey } from '../feed/model.ts';
import type { PageState } from '../feed/store.ts';

/** Its states change each round. @source ADDRESSES, src/actors/addresses.ts */
const TALKATIVE = 'node/consensus/view-change';

export function chosenCell({ selection, shown }: PageState): CellKey | undefined {
  const { node, cell } = selection;
  if (cell !== undefined && node !== undefined) return cellKey(node, cell);
  const key = cellKey(node ?? 0, TALKATIVE);
  return shown.cells.has(key) ? key : undefined;
}
