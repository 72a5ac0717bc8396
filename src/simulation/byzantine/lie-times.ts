/** Blocks whose time is not its clock's: by a little, by the precision and more, by an hour, back and forth (TM-8). Rule SM-3. */
import { instead, type LieModule } from './lie.ts';
import { timeBy } from './pen.ts';
import { anyOf } from './stale-certificates.ts';

/** @unit ms @source around PRECISION (505) and MSGDELAY (15,000) of TIMELINESS_DEFAULTS */
const STEPS = [-3_600_000, -20_000, -1_000, -1, 1, 400, 504, 506, 16_000, 3_600_000] as const;

export const lieTimes: LieModule = {
  concerns: ['Proposal'],
  lie(sent, { pen, draws, signer }) {
    const { message } = sent;
    if (message.kind !== 'Proposal' || message.vote.validator !== signer.address) return [sent];
    const time = timeBy(message.block.header.time, anyOf(STEPS, draws) ?? 1);
    return [instead(sent, pen.proposal(message, { header: { time } }))];
  },
};
