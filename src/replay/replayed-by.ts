/** What a node's journals are replayed by: this program's charts and pure functions. Pure. Rule RP-1. */
import { PURE_FUNCTIONS } from '../node/recording.ts';
import { poisonedAgain } from '../record/poison.ts';
import { NODE_CHARTS } from './charts.ts';
import type { ReplayedBy } from './player.ts';

export const REPLAYED_BY: ReplayedBy = {
  charts: NODE_CHARTS,
  pure: PURE_FUNCTIONS,
  meaning: poisonedAgain,
};
