/** Writes certified blocks at fixed places; `chain.ts` bounds what is written and makes the room for it. Rules TP-8, TP-9. */
import { ORDINAL_MAX } from '../../protocol/chain/ordinals.ts';
import type {
  CertifiedBlock,
  EvidenceList,
  Header,
  Vote,
  VoteStatement,
} from '../../protocol/chain/types.ts';
import { CARRYING, EVIDENCE_KINDS, REPEATED, SIGNATURE_BYTES } from './chain-shape.ts';

/** Value of a lower-case hex letter by its code; 255 for any other below 128. */
const HEX_VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(code));
  return value < 0 ? 255 : value;
});

/** Writes into one buffer of the right length; the first value that is not of its shape is remembered, none throws. */
export class ChainWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  problem: string | undefined;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  count(count: number): void {
    this.#view.setUint16(this.#at, count);
    this.#at += 2;
  }

  block({ block, qc }: CertifiedBlock, repeated: boolean): void {
    const { header, qc: parent, evidence } = block;
    this.#byte((repeated ? REPEATED : 0) | (evidence === undefined ? 0 : CARRYING));
    this.#byte(header.vrfProof.byteLength);
    this.count(header.batches.length);
    this.#byte(repeated ? 0 : parent.signers.byteLength);
    this.#byte(repeated ? 0 : parent.signature.byteLength);
    this.#byte(qc.signers.byteLength);
    this.#byte(qc.signature.byteLength);
    this.#header(header);
    if (!repeated) this.#statement(parent);
    this.#statement(qc);
    for (const { digest, count, bytes } of header.batches) {
      this.#hex(digest, 32);
      this.#ordinal(count);
      this.#ordinal(bytes);
    }
    this.#raw(header.vrfProof);
    if (!repeated) {
      this.#raw(parent.signers);
      this.#raw(parent.signature);
    }
    this.#raw(qc.signers);
    this.#raw(qc.signature);
    if (evidence !== undefined) this.#evidence(evidence);
  }

  #evidence(list: EvidenceList): void {
    this.#byte(list.length);
    for (const evidence of list) {
      this.#byte(EVIDENCE_KINDS.indexOf(evidence.kind));
      if (evidence.kind === 'DoubleVote') {
        this.#vote(evidence.first);
        this.#vote(evidence.second);
        continue;
      }
      const { epoch, round, highQcRound, validator, signature } = evidence.timeout;
      this.#vote(evidence.vote);
      for (const ordinal of [epoch, round, highQcRound]) this.#ordinal(ordinal);
      this.#hex(validator, 20);
      this.#signature(signature);
    }
  }

  #vote(vote: Vote): void {
    this.#statement(vote);
    this.#hex(vote.validator, 20);
    this.#signature(vote.signature);
  }

  #signature(signature: Uint8Array): void {
    if (signature.byteLength === SIGNATURE_BYTES) this.#raw(signature);
    else this.problem = `expected a signature of ${SIGNATURE_BYTES} bytes`;
  }

  #header(header: Header): void {
    this.#ordinal(header.epoch);
    this.#ordinal(header.round);
    this.#ordinal(header.height);
    this.#ordinal(header.time);
    this.#ordinal(header.executed.height);
    this.#hex(header.proposer, 20);
    this.#hex(header.parentId, 32);
    this.#hex(header.batchesRoot, 32);
    this.#hex(header.executed.appHash, 32);
    this.#hex(header.validatorsHash, 32);
    this.#hex(header.nextValidatorsHash, 32);
    this.#hex(header.evidenceHash, 32);
  }

  #statement(qc: VoteStatement): void {
    this.#ordinal(qc.epoch);
    this.#ordinal(qc.round);
    this.#ordinal(qc.height);
    this.#ordinal(qc.parentRound);
    this.#hex(qc.blockId, 32);
    this.#hex(qc.parentId, 32);
  }

  #byte(value: number): void {
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }

  #ordinal(value: number): void {
    if (Number.isSafeInteger(value) && value >= 0 && value <= ORDINAL_MAX) {
      this.#view.setUint32(this.#at, Math.floor(value / 2 ** 32));
      this.#view.setUint32(this.#at + 4, value >>> 0);
    } else {
      this.problem = 'expected a whole number of 0 to 2^52';
    }
    this.#at += 8;
  }

  #hex(text: string, length: number): void {
    const bytes = this.#bytes;
    const start = this.#at;
    let seen = text.length === 2 * length ? 0 : 255;
    for (let place = 0; place < length; place += 1) {
      const high = HEX_VALUES[text.charCodeAt(2 * place)] ?? 255;
      const low = HEX_VALUES[text.charCodeAt(2 * place + 1)] ?? 255;
      seen |= high | low;
      bytes[start + place] = (high << 4) | low;
    }
    if (seen > 15) this.problem = `expected ${length} bytes in lower-case hex`;
    this.#at = start + length;
  }

  #raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.byteLength;
  }
}
