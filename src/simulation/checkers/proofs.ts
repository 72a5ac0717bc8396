/**
 * What a certificate proves, judged anew with arithmetic of its own: more than two thirds of the power, nobody counted
 * twice, each signature over what it is said to be over. Each once. Mutable memory. Rules SM-4, CS-4, CS-5, CS-8.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import type {
  Address,
  QuorumCertificate,
  TimeoutCertificate,
  Validator,
} from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import { timeoutBytes, voteBytes } from './bytes.ts';
import type { Report } from './claim.ts';

export const PROVEN = 'no honest validator commits on, or passes on, a certificate that proves nothing';
export const CONSECUTIVE = 'each direct commit has consecutive rounds';

export interface ProofSetting {
  /** The first. */
  readonly epoch: EpochContext;
  /** Any other one, by its number; undefined: nobody honest has entered it. Left out: there is only the first. */
  readonly epochs?: { readonly of: (epoch: number) => EpochContext | undefined };
  readonly bls: Pick<BlsEngine, 'fastAggregateVerify' | 'aggregateVerify'>;
}

/** The epoch that something says it is of. */
export const epochIn = ({ epoch, epochs }: ProofSetting, number: number): EpochContext | undefined =>
  number === epoch.epoch ? epoch : epochs?.of(number);

export class Proofs {
  readonly #setting: ProofSetting;
  readonly #report: Report;
  readonly #seen = new WeakSet<object>();
  readonly #judged = new Set<string>();

  constructor(setting: ProofSetting, report: Report) {
    this.#setting = setting;
    this.#report = report;
  }

  /** A quorum certificate that an honest validator holds for true. */
  qc(by: string, qc: QuorumCertificate): void {
    const { bls } = this.#setting;
    const name = () => `qc ${qc.epoch} ${qc.round} ${qc.blockId} ${latin(qc.signers)} ${latin(qc.signature)}`;
    if (this.#isKnown(qc, name)) return;
    const at = `QC of round ${qc.round} for ${qc.blockId}, held by ${by}`;
    const epoch = epochIn(this.#setting, qc.epoch);
    if (epoch === undefined) {
      this.#report(PROVEN, `${at}: of epoch ${qc.epoch}, which is none`);
      return;
    }
    if (qc.round === 0) {
      if (qc.blockId !== epoch.rootQC.blockId)
        this.#report(PROVEN, `${at}: not the block that opens the epoch`);
      return;
    }
    if (qc.parentRound >= qc.round) this.#report(PROVEN, `${at}: its parent has round ${qc.parentRound}`);
    const signers = this.#quorum(epoch, [qc.signers], at);
    if (signers === undefined) return;
    const keys = signers.flat().map(({ consensusKey }) => consensusKey);
    if (!bls.fastAggregateVerify(keys, voteBytes(epoch.domain, qc), qc.signature)) {
      this.#report(PROVEN, `${at}: the signature is not its signers'`);
    }
  }

  /** A timeout certificate that an honest validator holds for true, with the QC inside. */
  tc(by: string, tc: TimeoutCertificate): void {
    const { bls } = this.#setting;
    const name = () => {
      const groups = tc.groups.map(({ highQcRound, signers }) => `${highQcRound}:${latin(signers)}`);
      return `tc ${tc.epoch} ${tc.round} ${tc.highQC.round} ${groups.join(' ')} ${latin(tc.signature)}`;
    };
    if (this.#isKnown(tc, name)) return;
    const at = `TC of round ${tc.round}, held by ${by}`;
    const epoch = epochIn(this.#setting, tc.epoch);
    if (epoch === undefined) {
      this.#report(PROVEN, `${at}: of epoch ${tc.epoch}, which is none`);
      return;
    }
    this.qc(by, tc.highQC);
    const best = Math.max(...tc.groups.map(({ highQcRound }) => highQcRound));
    if (best !== tc.highQC.round || best >= tc.round) {
      this.#report(PROVEN, `${at}: the best round reported is ${best}, its high QC's ${tc.highQC.round}`);
    }
    const signers = this.#quorum(
      epoch,
      tc.groups.map((group) => group.signers),
      at,
    );
    if (signers === undefined) return;
    const signed = tc.groups.map(({ highQcRound }, index) => ({
      publicKeys: (signers[index] ?? []).map(({ consensusKey }) => consensusKey),
      message: timeoutBytes(epoch.domain, tc.epoch, tc.round, highQcRound),
    }));
    if (!bls.aggregateVerify(signed, tc.signature)) {
      this.#report(PROVEN, `${at}: the signature is not its signers'`);
    }
  }

  /** The proof on which `by` committed a block directly or as an ancestor (CS-5). */
  commit(by: string, height: number, proof: QuorumCertificate): void {
    this.qc(by, proof);
    if (proof.height <= height) {
      this.#report(PROVEN, `height ${height} at ${by}: its proof certifies height ${proof.height}`);
    }
    if (proof.round !== proof.parentRound + 1) {
      this.#report(CONSECUTIVE, `height ${height} at ${by}: ${proof.parentRound} → ${proof.round}`);
    }
  }

  #isKnown(certificate: object, name: () => string): boolean {
    if (this.#seen.has(certificate)) return true;
    this.#seen.add(certificate);
    const key = name();
    if (this.#judged.has(key)) return true;
    this.#judged.add(key);
    return false;
  }

  #quorum(
    { set }: EpochContext,
    bitmaps: readonly Uint8Array[],
    at: string,
  ): readonly (readonly Validator[])[] | undefined {
    const total = set.validators.reduce((sum, { power }) => sum + power, 0n);
    const groups = bitmaps.map((bitmap) => named(set.validators, bitmap));
    const all = groups.flat();
    const power = all.reduce((sum, one) => sum + one.power, 0n);
    if (new Set(all).size < all.length) this.#report(PROVEN, `${at}: a signer is counted twice`);
    else if (3n * power <= 2n * total) {
      this.#report(PROVEN, `${at}: power ${power} of ${total} is no quorum`);
    } else return groups;
    return undefined;
  }
}

/** Bit i of a bitmap, lowest first in each byte, is validator i. */
function named(validators: readonly Validator[], bitmap: Uint8Array): readonly Validator[] {
  return validators.filter((_, index) => (((bitmap[index >> 3] ?? 0) >> (index & 7)) & 1) === 1);
}

/** The validators that a certificate names. */
export const signersIn = (epoch: EpochContext, bitmap: Uint8Array): readonly Address[] =>
  named(epoch.set.validators, bitmap).map(({ address }) => address);

const latin = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
