/**
 * Frames of a wire tap as things signed: the frame's own signatures first, then those in its certificates. What was
 * seen before is passed over. Decodes with the production codec; certificates of the first epoch only.
 */
import { equalBytes, toHex } from '../../../src/base/bytes.ts';
import { signersOf } from '../../../src/protocol/chain/signers.ts';
import type { QuorumCertificate, TimeoutCertificate, Vote } from '../../../src/protocol/chain/types.ts';
import type { EpochContext } from '../../../src/protocol/consensus/epoch.ts';
import type { ViewChangeMessage } from '../../../src/protocol/consensus/types.ts';
import type { WireMessage } from '../../../src/protocol/transport/messages.ts';
import { decode } from '../../../src/transport/codec/codec.ts';
import { type Act, type Sighting, timeoutText, voteText } from './double-signs.ts';

/** Frames back that a frame is compared with: a broadcast sends the same bytes to three peers, lanes may mix them. */
const RECENT = 8;

export class Sightings {
  readonly #epoch: EpochContext;
  readonly #seen = new Set<string>();
  readonly #recent: Uint8Array[] = [];
  readonly all: Sighting[] = [];
  /** Decoded frames by kind. */
  readonly counts: Record<string, number> = {};

  constructor(epoch: EpochContext) {
    this.#epoch = epoch;
  }

  /** Frames of process `life` of a validator, in order. @throws when it sent what no honest program sends */
  take(life: number, frames: readonly { readonly bytes: Uint8Array }[]): void {
    for (const { bytes } of frames) {
      if (this.#recent.some((before) => equalBytes(before, bytes))) continue;
      this.#recent.push(bytes);
      if (this.#recent.length > RECENT) this.#recent.shift();
      const decoding = decode(bytes);
      if (decoding.outcome !== 'decoded') throw new Error(`a frame on the wire: ${JSON.stringify(decoding)}`);
      const { kind } = decoding.message;
      this.counts[kind] = (this.counts[kind] ?? 0) + 1;
      this.#takeMessage(decoding.message, life);
    }
  }

  #takeMessage(message: WireMessage, life: number): void {
    if (message.kind === 'Vote') this.#takeVote(message.vote, life);
    else if (message.kind === 'ViewChange') this.#takeViewChange(message, life);
    else if (message.kind === 'QC') this.#takeQC(message.qc);
    else if (message.kind === 'NewView') this.#takeTC(message.tc);
    else if (message.kind === 'Proposal') {
      const { block, vote, tc } = message;
      this.#takeVote(vote, life);
      this.#add({ ...vote, act: 'proposal', statement: voteText(vote), life });
      this.#takeQC(block.qc);
      if (tc !== undefined) this.#takeTC(tc);
    } else if (message.kind === 'Blocks') {
      for (const { block, qc } of message.blocks) for (const one of [block.qc, qc]) this.#takeQC(one);
    }
  }

  /** The vote that rides along was cast before the timeout. */
  #takeViewChange(message: ViewChangeMessage, life: number): void {
    if (message.lastVote !== undefined) this.#takeVote(message.lastVote, life);
    const { epoch, round, validator, highQC, lastTC } = message;
    this.#add({ validator, act: 'timeout', epoch, round, statement: timeoutText(message), life });
    this.#takeQC(highQC);
    if (lastTC !== undefined) this.#takeTC(lastTC);
  }

  #takeVote(vote: Vote, life: number): void {
    this.#add({ ...vote, act: 'vote', statement: voteText(vote), life });
  }

  #takeQC(qc: QuorumCertificate): void {
    if (qc.epoch !== this.#epoch.epoch || qc.round === this.#epoch.rootQC.round) return;
    const key = `QC ${qc.round} ${qc.blockId} ${toHex(qc.signers)}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const signers = signersOf(this.#epoch.set, qc.signers);
    for (const { address } of signers === 'malformed' ? [] : signers) {
      this.#add({ ...qc, validator: address, act: 'vote', statement: voteText(qc) });
    }
  }

  #takeTC(tc: TimeoutCertificate): void {
    if (tc.epoch !== this.#epoch.epoch) return;
    this.#takeQC(tc.highQC);
    const { epoch, round } = tc;
    for (const { highQcRound, signers: bitmap } of tc.groups) {
      const signers = signersOf(this.#epoch.set, bitmap);
      const statement = timeoutText({ highQC: { round: highQcRound } });
      for (const { address } of signers === 'malformed' ? [] : signers) {
        this.#add({ validator: address, act: 'timeout', epoch, round, statement });
      }
    }
  }

  #add(signed: {
    readonly validator: Vote['validator'];
    readonly act: Act;
    readonly epoch: number;
    readonly round: number;
    readonly statement: string;
    readonly life?: number;
  }): void {
    const { validator: signer, act, epoch, round, statement, life } = signed;
    // One entry from the signer's own wire, one from certificates: they say different things about order.
    const key = `${act} ${signer} ${epoch} ${round} ${statement} ${life === undefined}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.all.push({ signer, act, epoch, round, statement, ...(life === undefined ? {} : { life }) });
  }
}
