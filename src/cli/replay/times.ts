/** Instants of a run as users write them. Pure. */
import { AT_MAX } from '../../record/blocks.ts';

/** `+30s`, `+1500ms`, `+2m` from `from` on, or a time as ISO 8601 has it; undefined for anything else. @unit ms since 1970 */
export function instantOf(text: string, from: number): number | undefined {
  const offset = /^\+([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h)$/.exec(text);
  if (offset !== null) {
    const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[offset[2] ?? 'ms'] ?? 1;
    return showable(from + Number(offset[1]) * unit);
  }
  if (!/^\d{4}-\d\d-\d\dT/.test(text)) return undefined;
  // Without a zone it is meant as it is printed.
  return showable(Date.parse(/(?:Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`));
}

/** Undefined for what no calendar has. */
const showable = (at: number): number | undefined => (Math.abs(at) <= AT_MAX ? at : undefined);

export const INSTANT_FORMS = '+30s, +1500ms, +2m from the beginning, or 2026-11-23T10:00:00Z';

/** For readers: the time, and how long after the beginning. */
export const instantText = (at: number, from: number): string =>
  `${new Date(at).toISOString()} (+${((at - from) / 1_000).toFixed(3)} s)`;
