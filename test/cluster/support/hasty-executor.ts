/**
 * Preloaded into a validator's process (`node --import`): its executor gives a block up after seconds, where a user's waits
 * for a minute (EX-5), which is nothing but waiting for a test. Boundary: patches the times of executor-options.ts.
 */

import { EXECUTOR_TIMES } from '../../../src/application/executor-options.ts';
import { millis } from '../../../src/base/units.ts';

/** Longer than `/readyz` waits before it says so. */
export const FINALIZE_MAX = millis(8_000);

Object.assign(EXECUTOR_TIMES, { finalizeMax: FINALIZE_MAX });
