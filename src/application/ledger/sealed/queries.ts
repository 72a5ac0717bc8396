/** What can be asked about a seal: while it is open, and until its outcome is forgotten. Pure. LG-15 and LG-24, docs/ledger.md. */
import { fromHex } from '../../../base/bytes.ts';
import type { StateReader } from '../../state/rules.ts';
import { addressText } from '../address.ts';
import { orderingOf } from './parameters.ts';
import { sealOf, setOf } from './records.ts';

/** The data is the commit id, 64 hexadecimal letters. */
export function sealJson(text: string, state: StateReader) {
  const id = /^[0-9a-f]{64}$/.test(text) ? fromHex(text) : undefined;
  if (id === undefined) return { problem: 'give the 64 letters of a seal, as its event names it' };
  const found = sealOf(state, id);
  const ordering = orderingOf(state);
  // Never sealed, or forgotten: the same answer, since the state knows no more.
  if (found === undefined || ordering === undefined) return { seal: text, status: 'unknown' };
  const base = { seal: text, status: found.status, sender: addressText(found.sender), height: found.height };
  if ('closedAt' in found) return { ...base, closed_at: found.closedAt, place: found.place };
  const { heights, ms } = ordering.window;
  const time = (setOf(state, found.height)?.time ?? 0) + ms;
  return { ...base, closes: { height: found.height + heights, time: new Date(time).toISOString() } };
}
