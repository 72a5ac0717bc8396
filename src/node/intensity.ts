/** How often cells of a node may be started again. Pure data. Rule RT-9, docs/runtime.md. */
import { millis } from '../base/units.ts';

/** Restarts of one subtree within a minute before its parent is asked. @source chosen */
export const bounded = { intensity: 5, period: millis(60_000) } as const;
