/** `resync --settle-fork`: the operator has seen the evidence of a fork, and the node may sign again. Boundary: the disk. Rule SY-5. */
import { wallTime } from '../base/units.ts';
import { type HomePaths, homePaths } from '../node/config/home.ts';
import { readForkEvidence, settleForkEvidence } from '../storage/fork-evidence.ts';
import { storeHolder } from '../storage/open.ts';
import { messageOf, runtimeFailure, usageFailure } from './failure.ts';
import { stoppedHome } from './folders.ts';
import { createOutput } from './output.ts';

export async function settleFork(
  given: string | undefined,
  json: boolean,
  confirm: () => Promise<void>,
): Promise<void> {
  const home = stoppedHome(given, 'resync --settle-fork');
  const paths = homePaths(home);
  const found = readForkEvidence(paths);
  if (found === undefined) throw usageFailure(`${home}: no evidence of a fork is kept`);
  const holder = storeHolder(paths.data);
  if (holder !== undefined) throw runtimeFailure(`the node of ${home} runs (${holder}): stop it first`);
  const output = createOutput(json);
  output.note(`${found.path}: ${found.detail}`);
  await confirm();
  const settled = settle(paths);
  output.data({ home, evidence: settled }, [
    `the evidence is kept in ${settled.join(' and ')}`,
    'from its next start on this validator signs again',
  ]);
}

function settle(paths: HomePaths): readonly string[] {
  try {
    return settleForkEvidence(paths, wallTime(Date.now()));
  } catch (cause) {
    throw runtimeFailure(`${messageOf(cause)}; the validator signs nothing until it can be put aside`);
  }
}
