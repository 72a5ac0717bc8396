/** The settings of sync, by the names of the seeds, and their defaults. Pure data. Rules SY-1, SY-4, SY-7 to SY-9, docs/protocol/sync.md. */
import { type Millis, millis } from '../../base/units.ts';

export interface SyncConfig {
  /** All of tier 1: asking, waiting, agreeing. */
  readonly tier1Timeout: Millis;
  /** Share of the answers that must agree on a height; never below two thirds and one (SY-1). 0.5 to 1 */
  readonly tier1ConsensusThreshold: number;
  /** Blocks behind that are still a small gap. @unit heights */
  readonly tier1MaxGap: number;
  /** What one block may take. */
  readonly tier2TimeoutPerBlock: Millis;
  /** Different peers that are asked for a batch of blocks before it has failed. @unit peers */
  readonly tier2MaxRetries: number;
  /** Blocks asked for and not yet applied, at the most; an unproved gap above it is critical. @unit heights */
  readonly tier2MaxGap: number;
  /** Uptime without contradiction after which a peer may give the whole chain. */
  readonly tier3TrustTime: Millis;
  /** How long a chain that was replaced is kept. */
  readonly tier3BackupRetention: Millis;
  /** Between two checks of the sync-coordinator. */
  readonly checkInterval: Millis;
  /** The same where the node is no validator (SY-15). */
  readonly followInterval: Millis;
  /** How long one peer's answer to a small question is waited for. */
  readonly peerQueryTimeout: Millis;
  /** How long one peer's answer with blocks is waited for. */
  readonly blockFetchTimeout: Millis;
  /** How long a peer's state is believed. */
  readonly peerCacheTtl: Millis;
  /** Peers that are asked for the same blocks near the tip. @unit peers */
  readonly redundantPeers: number;
  /** Peers that are asked for their genesis before anything is fetched. @unit peers */
  readonly genesisPeers: number;
  /** Attempts at one question, each of another peer. @unit attempts */
  readonly fetchAttempts: number;
}

/** @source seeds 001 and 002 */
export const SYNC_DEFAULTS: SyncConfig = {
  tier1Timeout: millis(30_000),
  tier1ConsensusThreshold: 0.67,
  tier1MaxGap: 5,
  tier2TimeoutPerBlock: millis(10_000),
  tier2MaxRetries: 3,
  tier2MaxGap: 1_000,
  tier3TrustTime: millis(5 * 3_600_000),
  tier3BackupRetention: millis(24 * 3_600_000),
  checkInterval: millis(30_000),
  followInterval: millis(1_000),
  peerQueryTimeout: millis(30_000),
  blockFetchTimeout: millis(60_000),
  peerCacheTtl: millis(300_000),
  redundantPeers: 3,
  genesisPeers: 5,
  fetchAttempts: 3,
};

/** Up to here a gap is medium (seed 001). @unit heights */
export const MEDIUM_GAP_MAX = 100;

/**
 * Blocks asked for at once. Every node asks by the same borders, heights that are a multiple of this, so that the
 * certificate at the end of what it has stored was verified. @unit heights
 */
export const BATCH_HEIGHTS = 128;
