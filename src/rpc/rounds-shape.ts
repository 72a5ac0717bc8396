/** `althing_rounds`: the last rounds and view changes, in the number and hash styles of the other methods. Pure. */
import type { RoundReport, RoundsReport, ViewChangeReport } from './node-port.ts';
import { rfc3339, upperHex } from './shapes.ts';

export const roundsJson = (report: RoundsReport): object => ({
  current_epoch: String(report.epoch),
  current_round: String(report.current),
  high_qc_round: String(report.highQcRound),
  locked_round: String(report.lockedRound),
  last_voted_round: String(report.lastVotedRound),
  quorum_power: String(report.quorumPower),
  rounds: report.rounds.map(roundJson),
  view_changes: report.viewChanges.map(viewChangeJson),
});

const roundJson = (round: RoundReport): object => ({
  epoch: String(round.epoch),
  round: String(round.round),
  height: String(round.height),
  leader: upperHex(round.leader),
  step: round.step,
  proposal: round.proposal === undefined ? '' : upperHex(round.proposal),
  vote_power: String(round.votePower),
  timeout_power: String(round.timeoutPower),
  refusal: round.refusal ?? '',
  entered_at: rfc3339(round.enteredAt),
});

const viewChangeJson = (viewChange: ViewChangeReport): object => ({
  epoch: String(viewChange.epoch),
  round: String(viewChange.round),
  leader: upperHex(viewChange.leader),
  reason: viewChange.reason,
  duration_ms: Math.round(viewChange.duration),
  at: rfc3339(viewChange.at),
});
