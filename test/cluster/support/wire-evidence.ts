/** The evidence of a network with tapped wires: what its validators sent, and their records after each kill. SM-9. */
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import type { EpochContext } from '../../../src/protocol/consensus/epoch.ts';
import { emptyRecord } from '../../../src/protocol/consensus/safety.ts';
import { isPeerMessage } from '../../../src/protocol/transport/kinds.ts';
import { Judge, type Judgement } from '../../../src/simulation/checkers/conformance/judge.ts';
import { isJudged } from '../../../src/simulation/checkers/conformance/log.ts';
import { decode } from '../../../src/transport/codec/codec.ts';
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

  /** Everything from the beginning, held against the text of the rules by a judge that shares no code with them. */
  conformance(addresses: readonly Address[], bls: BlsEngine): Judgement {
    const judge = new Judge({ epoch: this.#epoch, bls });
    addresses.forEach((by, index) => {
      for (let life = 0; life < this.#validators.lives(index); life += 1) {
        for (const { port, peer, bytes } of new TapReader(this.#validators.tapOf(index, life)).read()) {
          const decoding = decode(bytes);
          if (decoding.outcome !== 'decoded' || !isPeerMessage(decoding.message)) continue;
          const { message } = decoding;
          if (isJudged(message)) judge.take({ kind: 'sent', by, life, to: `${port}/${peer}`, message });
        }
        for (const { signer, life: of, record } of this.records) {
          if (signer === by && of === life) judge.take({ kind: 'record', by, life, record: { ...record } });
        }
      }
    });
    return judge.judgement();
  }
}
