/** What the overload benchmark and its generator, a process of its own, tell each other. Gateway: each checks what it hears. Pure. */
import { z } from 'zod';
import { DOORS } from './bodies.ts';

const PACE = z.discriminatedUnion('kind', [
  /** As much as commits: so many sent and not committed. */
  z.object({ kind: z.literal('closed'), window: z.number() }),
  /** Whatever is answered. @unit operations/s */
  z.object({ kind: z.literal('open'), rate: z.number() }),
]);
export type Pace = z.infer<typeof PACE>;

export const ORDER = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('begin'),
    addresses: z.array(z.string()),
    door: z.enum(DOORS),
    /** Clients, each with an address of its own. */
    clients: z.number(),
    /** Requests under way of one client to one node. */
    lanes: z.number(),
    /** Operations in one request. */
    batch: z.number(),
  }),
  z.object({ kind: z.literal('run'), pace: PACE, seconds: z.number() }),
  /** A block: its height, and all operations committed since the start. */
  z.object({ kind: z.literal('committed'), height: z.number(), operations: z.number() }),
  /** All blocks of the run's time are here: what of it is in them? @unit ms since 1970 */
  z.object({ kind: z.literal('judge'), blocks: z.array(z.object({ height: z.number(), at: z.number() })) }),
]);
export type Order = z.infer<typeof ORDER>;

const LATENCY = z.object({
  samples: z.number(),
  p50: z.number(),
  p90: z.number(),
  p99: z.number(),
  max: z.number(),
});

/** What a run sent, and what was answered. */
const SENT = z.object({
  kind: z.literal('sent'),
  seconds: z.number(),
  sent: z.number(),
  accepted: z.number(),
  /** By code, and whether the node said that it may be sent again. */
  refused: z.record(z.string(), z.number()),
  /** Requests without an answer. @unit operations */
  unanswered: z.number(),
  /** Due, and not sent: all lanes waited for an answer. @unit operations */
  unsent: z.number(),
  /** From the request to its answer: of what was accepted, and of what was refused as a whole. @unit ms */
  acceptance: LATENCY.optional(),
  refusal: LATENCY.optional(),
  cpuSeconds: z.number(),
});
export type Sent = z.infer<typeof SENT>;

/** What became of what was accepted. */
const JUDGED = z.object({
  kind: z.literal('judged'),
  committed: z.number(),
  /** Accepted, and in no block. */
  missing: z.number(),
  /** In two places. */
  repeated: z.number(),
  /** From the intended time of sending to the block that a quorum executed. @unit ms */
  latency: LATENCY.optional(),
});
export type Judged = z.infer<typeof JUDGED>;

export const REPORT = z.discriminatedUnion('kind', [SENT, JUDGED]);
export type Report = z.infer<typeof REPORT>;
