/** The BLS engine of real nodes, for the runs that use it. Loads a native module. Rule SM-1. */
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { loadBlsEngine } from '../crypto/bls/select.ts';

export const REAL_BLS: BlsEngine = (await loadBlsEngine()).engine;
