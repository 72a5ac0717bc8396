/**
 * What every committed block must be, whoever proposed it: later than its parent, not from the future, above nothing but its
 * parent, with its proposer's VRF proof. Mutable memory. Rules SM-4, CS-3, CS-17, TM-8.
 */

import type { VrfEngine } from '../../crypto/vrf.ts';
import { vrfInputOf } from '../../protocol/chain/canonical.ts';
import type { Header } from '../../protocol/chain/types.ts';
import { validatorOf } from '../../protocol/chain/validator-set.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import type { CommittedBlock } from '../../protocol/ports/storage.ts';
import type { Report } from './claim.ts';

export const TIME_GROWS = 'time grows along the chain';
export const TIME_BOUND = "a committed block's time is within its bound of some honest clock";
export const PROVED = "a committed block has its leader's VRF proof, where there is VRF";
export const LINKED = "a committed block's round and height are above its parent's";

/** @unit ms @source TM-8: precision of the adjusted clocks */
const PRECISION_MS = 505;

export class Blocks {
  readonly #epochs: (epoch: number) => EpochContext | undefined;
  readonly #vrf: VrfEngine;
  readonly #report: Report;
  readonly #times = new Map<number, number>();
  /** The greatest reading of an honest clock. @unit ms since 1970 */
  readonly #latestClock: () => number;
  #judged = 0;

  constructor(
    epochs: (epoch: number) => EpochContext | undefined,
    vrf: VrfEngine,
    latestClock: () => number,
    report: Report,
  ) {
    this.#epochs = epochs;
    this.#vrf = vrf;
    this.#latestClock = latestClock;
    this.#report = report;
  }

  committed(by: string, { block }: CommittedBlock): void {
    const { height, round, time } = block.header;
    if (this.#times.has(height)) return;
    this.#times.set(height, time);
    const at = `height ${height} of round ${round}, at ${by}`;
    if (!this.#isProved(block.header)) this.#report(PROVED, at);
    if (height !== block.qc.height + 1 || round <= block.qc.round) {
      this.#report(LINKED, `${at}: on height ${block.qc.height} of round ${block.qc.round}`);
    }
    const [below, above] = [this.#times.get(height - 1), this.#times.get(height + 1)];
    if ((below ?? -1) >= time || (above ?? Number.POSITIVE_INFINITY) <= time) {
      this.#report(TIME_GROWS, `${at}: ${below}, ${time}, ${above}`);
    }
    // The newest is the only one that can be ahead of all clocks.
    if (height < this.#judged) return;
    this.#judged = height;
    const clock = this.#latestClock();
    if (time > clock + PRECISION_MS) this.#report(TIME_BOUND, `${at}: ${time}, clocks up to ${clock}`);
  }

  /** CS-17 */
  #isProved({ epoch, round, proposer, vrfProof }: Header): boolean {
    const of = this.#epochs(epoch);
    if (of === undefined) return false;
    const { domain, set, leadership } = of;
    if (!leadership.vrf) return vrfProof.byteLength === 0;
    const key = validatorOf(set, proposer)?.nodeKey ?? new Uint8Array(0);
    return this.#vrf.verify(key, vrfInputOf(domain, epoch, round), vrfProof) !== undefined;
  }
}
