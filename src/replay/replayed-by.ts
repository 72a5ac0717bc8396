/** What a node's journals are replayed by: this program's charts and pure functions. Pure. Rule RP-1. */
import { PURE_FUNCTIONS } from '../node/recording.ts';
import { NODE_CHARTS } from './charts.ts';

export const REPLAYED_BY = { charts: NODE_CHARTS, pure: PURE_FUNCTIONS };
