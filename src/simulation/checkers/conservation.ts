/** No message is lost without a trace: mailboxes and links account for each. Asked between turns. Rules RT-8, SM-4. */
import type { System } from '../../actors/runtime/index.ts';
import type { HubCounts } from '../../transport/hub.ts';
import type { Report } from './claim.ts';

export const CONSERVED = 'every message is accounted for';

/** Each cell: accepted = processed + queued + postponed + lost. */
export function checkCells(node: string, system: System, report: Report): void {
  for (const { address, counters } of system.cells()) {
    const { accepted, processed, queued, postponed, lost } = counters;
    const gone = [...lost.values()].reduce((sum, count) => sum + count, 0);
    if (accepted === processed + queued + postponed + gone) continue;
    const fates = `processed ${processed}, queued ${queued}, postponed ${postponed}, lost ${gone}`;
    report(CONSERVED, `${address} of ${node}: accepted ${accepted}, ${fates}`);
  }
}

/** The links: what was sent, and sent twice, arrived, was lost by a named cause, or is on its way. */
export function checkLinks(counts: HubCounts, report: Report): void {
  const { sent, duplicated, delivered, dropped, cut, unreachable, refused, garbled, inFlight } = counts;
  const fates = delivered + dropped + cut + unreachable + refused + garbled + inFlight;
  if (sent + duplicated === fates && inFlight >= 0) return;
  report(CONSERVED, `links: ${JSON.stringify(counts)}`);
}
