/**
 * Writes docs/charts.md: every chart that a node runs, as Mermaid draws it. `npm run charts` renews it, and test/observe/charts/docs.test.ts
 * fails when a chart has changed and the page has not. Boundary: disk. Rule RP-7.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeCharts } from '../src/node/charts.ts';
import { mermaidOf } from '../src/observe/charts/mermaid.ts';

/** What each chart is for, in a sentence; ARCHITECTURE.md has the tree that they stand in. */
const ABOUT: ReadonlyMap<string, string> = new Map([
  [
    'supervisor',
    'Starts children in order, stops them in reverse, restarts them by the rules of its strategy (RT-1 to RT-5).',
  ],
  ['peer', 'One other node: found, dialed, greeted, connected, lost and dialed again, or banned.'],
  ['router', 'Knows who is connected, and sends each message to whom it is for.'],
  [
    'time-coordinator',
    'Leads adjusted time and its error bound, and tells whether this node may propose (TM-1).',
  ],
  ['safety', 'The only cell that signs: nothing leaves before its record is on disk.'],
  ['view-change', 'Owns the current round: entered by a QC, given up by a timeout, opened by a TC.'],
  ['round-manager', 'Owns the block tree and the votes, and starts a chart for each round.'],
  ['round', 'One round: a proposal, a vote on it, its certificate, its commit; or none of that in time.'],
  ['mempool', 'Owns batches, and which transactions are pending.'],
  ['evidence-pool', 'Keeps evidence that no committed block carries yet.'],
  ['epoch-keeper', 'Tells who is behind how its epoch ended, and verifies how that of this node did.'],
  ['chain-server', 'Answers what other nodes ask about the chain.'],
  ['herald', 'Tells nodes without a vote of commits.'],
  ['state-sync', 'Knows what peers claim and how they answered, and puts every question to one.'],
  ['height-sync', 'Tier 1 of sync: one poll of the heights.'],
  ['block-sync', 'Tier 2 of sync: a window of batches, verified, in order.'],
  ['chain-sync', 'Tier 3 of sync: the whole chain anew, or a join by a snapshot.'],
  ['network-sync', 'Owns whether this node is in sync, and conducts the three tiers.'],
  ['sync-coordinator', 'Has the sync begun at intervals, and the genesis checked.'],
  ['bridge', 'The one way in for operations: owns those that have not ended.'],
  ['breaker', 'Keeps the bridge from sending to a validator that fails (BR-8).'],
]);

/** The page as it should be now. */
export function chartsPage(): string {
  const sections = nodeCharts().map((chart) => {
    const about = ABOUT.get(chart.id);
    if (about === undefined)
      throw new Error(`scripts/charts.ts: ABOUT says nothing of the chart ${chart.id}`);
    return `## ${chart.id}\n${about}\n\n\`\`\`mermaid\n${mermaidOf(chart)}\`\`\`\n`;
  });
  return `${OPENING}\n${sections.join('\n')}`;
}

const OPENING = `# The charts of a node

Every component of a node is a statechart, and these are all of them, made from the code by \`npm run charts\`. The page of a running
node shows the same charts with what is active in them.

\`\`\`
althing chart                                     # their names
althing chart round                               # as text that Mermaid draws
althing chart round --format svg --output round.svg --active propose
althing chart round --json                        # as data
\`\`\`

The SVG is the better picture: its layout is made for it, its text can be selected and read out, and it is light or dark as the reader's
system is.

| it says | that means |
|---|---|
| \`vote.cast [isNews] / record, tell\` | on this event, if the guard holds, these actions |
| \`[guard]\`, \`else\`, \`at once\` | without an event, as soon as it holds; where none before it held; always |
| \`after pause\` | when the state has lasted as long as the delay of that name |
| \`→ running\`, \`→ itself, anew\` | it leads there; the state is left and entered again |
| \`ignores a, b otherwise\` | expected there, and of no consequence; \`b\` where no guard before held. What a state does not name at all is a dead letter (RT-8) |

A line inside a state is what it handles without an arrow; what stands in the outermost one holds in every state that does not say
otherwise.
`;

if (import.meta.main) writeFileSync(join(import.meta.dirname, '..', 'docs', 'charts.md'), chartsPage());
