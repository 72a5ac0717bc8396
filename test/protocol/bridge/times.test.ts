/** The times of a submission fit each other, whatever is changed in one place. Rules BR-1, BR-2, BR-8, BR-10. */
import { describe, expect, it } from 'vitest';
import { CLIENT_DEFAULTS } from '../../../src/client/options.ts';
import { BRIDGE_DEFAULTS } from '../../../src/protocol/bridge/config.ts';
import {
  ANSWER_MS,
  CHECK_MS,
  CLIENT_MS,
  DOOR_MS,
  HANDED_TO_MAX,
  JUDGEMENT_MS,
  QUEUE_GRAIN_MS,
  QUEUE_MS,
  SUBMISSION_MS,
} from '../../../src/protocol/bridge/times.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../../../src/protocol/mempool/config.ts';

describe('the time for a submission', () => {
  it('is what a client waits: its way, the door and the gateway fit it', () => {
    expect(CLIENT_DEFAULTS.callTimeoutMs).toBe(CLIENT_MS);
    expect(DOOR_MS + SUBMISSION_MS).toBeLessThan(CLIENT_MS);
    expect(ANSWER_MS).toBeLessThan(SUBMISSION_MS);
  });

  it('holds every validator that it is handed to, one after the other, all of them silent (BR-8)', () => {
    expect(BRIDGE_DEFAULTS.forwardTimeout).toBe(JUDGEMENT_MS);
    expect(HANDED_TO_MAX * JUDGEMENT_MS).toBeLessThan(ANSWER_MS);
  });

  it('holds the longest wait in the queue, and then one judgement (BR-10)', () => {
    expect(QUEUE_MS).toBeGreaterThan(0);
    expect(QUEUE_MS + QUEUE_GRAIN_MS + JUDGEMENT_MS).toBeLessThanOrEqual(ANSWER_MS);
  });

  it('a validator whose application does not answer says so before it counts as silent (BR-8, EX-6)', () => {
    const { checkTimeout, tick, sealIntervalMax } = DEFAULT_MEMPOOL_CONFIG;
    expect(checkTimeout).toBe(CHECK_MS);
    const widestRoundTrip = 300;
    expect(checkTimeout + tick + sealIntervalMax + widestRoundTrip).toBeLessThan(JUDGEMENT_MS);
    // A check takes milliseconds: a second is a machine in need.
    expect(CHECK_MS).toBeGreaterThanOrEqual(1_000);
  });
});
