/** What a trial's process says at its end. Gateway. */
import { z } from 'zod';

const FINDING = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('caught'),
    seed: z.number(),
    claim: z.string(),
    detail: z.string(),
    seconds: z.number(),
  }),
  z.object({ status: z.literal('survived'), seeds: z.number(), seconds: z.number() }),
]);

export type Finding = Readonly<z.infer<typeof FINDING>>;

/** @throws when the text is none */
export const findingFrom = (text: string): Finding => FINDING.parse(JSON.parse(text));
