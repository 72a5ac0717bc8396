/**
 * Rounds as bands of the diagram: when the first node entered each, who led it, how it ended. Mutable, no I/O; fed with the steps of the
 * model, once each. Bounded: beyond `ROUNDS_MAX` the oldest go.
 */
import type { At, NodeIndex, StepEvent } from '../../../../src/observe/feed/feed.ts';

export interface Band {
  readonly epoch: number;
  readonly round: number;
  /** When the first node entered it. */
  from: At;
  leader: NodeIndex | undefined;
  /** As those who entered it name the leader, whether anything was proposed or not. */
  readonly leaderId: string | undefined;
  /** Height of what was proposed in it. */
  height: number | undefined;
  end: 'open' | 'certified' | 'failed';
  /** Nodes that timed out in it. */
  readonly timedOut: Set<NodeIndex>;
}

/** @unit rounds @source twice what the steps that the page keeps can tell of 4 nodes */
const ROUNDS_MAX = 4_096;

export class RoundBook {
  /** In the order of their beginning. */
  readonly bands: Band[] = [];
  readonly #byName = new Map<string, Band>();

  take(steps: readonly StepEvent[]): void {
    for (const step of steps) this.#take(step);
    const extra = this.bands.length - ROUNDS_MAX;
    if (extra <= 0) return;
    for (const { epoch, round } of this.bands.splice(0, extra)) this.#byName.delete(`${epoch} ${round}`);
  }

  clear(): void {
    this.bands.length = 0;
    this.#byName.clear();
  }

  /** Place of the last band that begins at or before `at`; 0 when none does. */
  placeAt(at: At): number {
    let [low, high] = [0, this.bands.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.bands[middle]?.from ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  of(epoch: number | undefined, round: number): Band | undefined {
    return this.#byName.get(`${epoch ?? 0} ${round}`);
  }

  #take(step: StepEvent): void {
    const { kind, round, node } = step;
    if (round === undefined) return;
    if (kind === 'roundEntered') this.#enter(step, round);
    const band = this.of(step.epoch, round);
    if (band === undefined) return;
    if (kind === 'proposed') {
      band.leader = node;
      band.height = step.height;
    } else if (kind === 'qcFormed') band.end = 'certified';
    else if (kind === 'tcFormed' && band.end === 'open') band.end = 'failed';
    else if (kind === 'timedOut') band.timedOut.add(node);
  }

  #enter({ epoch = 0, at, leader }: StepEvent, round: number): void {
    const known = this.of(epoch, round);
    if (known !== undefined && known.from <= at) return;
    const band: Band = known ?? {
      ...{ epoch, round, from: at, leader: undefined, leaderId: leader, height: undefined, end: 'open' },
      timedOut: new Set(),
    };
    band.from = at;
    if (known === undefined) {
      this.#byName.set(`${epoch} ${round}`, band);
      this.bands.push(band);
    }
    let place = this.bands.lastIndexOf(band);
    for (; place > 0; place -= 1) {
      const before = this.bands[place - 1];
      if (before === undefined || before.from <= at) break;
      this.bands[place] = before;
      this.bands[place - 1] = band;
    }
  }
}
