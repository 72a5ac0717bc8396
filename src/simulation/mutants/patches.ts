/** The patches that a trial's process is started with, through its environment. Gateway. */
import { z } from 'zod';
import type { Patch } from './mutant.ts';

const PATCHES = z.array(z.object({ file: z.string(), find: z.string().min(1), replace: z.string() }));

/** @throws when the text is not what `patchesText` makes */
export const patchesFrom = (text: string): readonly Patch[] => PATCHES.parse(JSON.parse(text));

export const patchesText = (patches: readonly Patch[]): string => JSON.stringify(patches);
