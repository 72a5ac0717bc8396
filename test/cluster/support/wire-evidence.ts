/** The evidence of a network with tapped wires: what its validators sent, and their records after each kill. */
import type { EpochContext } from '../../../src/protocol/consensus/epoch.ts';
import { emptyRecord } from '../../../src/protocol/consensus/safety.ts';
import { type FoundRecord, type Violation, violationsOf } from './double-signs.ts';
import { readSafetyRecord } from './safety-record.ts';
import { Sightings } from './sightings.ts';
import type { Validators } from './validators.ts';
import { TapReader } from './wire-frames.ts';

export class WireEvidence {
  readonly sightings: Sightings;
  readonly records: FoundRecord[] = [];
  readonly #validators: Validators;
  readonly #epoch: EpochContext;
  readonly #readers = new Map<string, TapReader>();

  constructor(validators: Validators, epoch: EpochContext) {
    this.#validators = validators;
    this.#epoch = epoch;
    this.sightings = new Sightings(epoch);
  }

  /** Takes the record of a validator that has just ended; `home` as this process sees it. */
  takeRecord(
    index: number,
    signer: FoundRecord['signer'],
    home = this.#validators.network.homeOf(index),
  ): void {
    const life = this.#validators.lives(index) - 1;
    const found = readSafetyRecord(home);
    const nothing = { version: 0, record: emptyRecord(this.#epoch.rootQC) };
    this.records.push({ signer, life, ...(found ?? nothing) });
  }

  /** Reads on in all taps, and judges everything so far. */
  violations(indices: readonly number[]): readonly Violation[] {
    for (const index of indices) {
      for (let life = 0; life < this.#validators.lives(index); life += 1) {
        const path = this.#validators.tapOf(index, life);
        const reader = this.#readers.get(path) ?? new TapReader(path);
        this.#readers.set(path, reader);
        this.sightings.take(life, reader.read());
      }
    }
    return violationsOf(this.sightings.all, this.records);
  }
}
