/**
 * Checks what a node shows by the rules of the light client, and tells each check apart. Mutable: it remembers the epochs that it has
 * verified and the blocks that it has seen, bounded by `Trust`. No I/O; the BLS engine is a value. docs/protocol/light-client.md.
 */
import { Trust } from '../../../../src/client/light/trust.ts';
import { ForkFound, type LightClientOptions } from '../../../../src/client/light/types.ts';
import type { BlsEngine } from '../../../../src/crypto/bls/engine.ts';
import { epochHashOf, linkIdOf } from '../../../../src/protocol/chain/canonical.ts';
import { signersOf } from '../../../../src/protocol/chain/signers.ts';
import type { EpochProof, ProvenHeader } from '../../../../src/protocol/chain/types.ts';
import { totalPowerOf } from '../../../../src/protocol/chain/validator-set.ts';
import { parseEpochProof, parseProvenHeader } from '../../../../src/protocol/light/encoding.ts';
import { verifyEpochProof } from '../../../../src/protocol/light/epochs.ts';
import { verifyProvenHeader } from '../../../../src/protocol/light/headers.ts';
import type { LightRefusal, ProvenFacts, TrustedEpoch } from '../../../../src/protocol/light/types.ts';
import { bytesOf } from './hex.ts';
import { Protocol } from './protocol.ts';
import type { AskOn, CheckName, Report, Trusted, VerifyTask } from './report.ts';

export class Verifier {
  readonly #bls: BlsEngine;
  #trust: Trust | undefined;
  /** What `#trust` began with: with something else the page believes nothing of before. */
  #began = '';

  constructor(bls: BlsEngine) {
    this.#bls = bls;
  }

  verify(task: VerifyTask): Report | AskOn {
    const protocol = new Protocol();
    const bls = task.scheme === 'bls12-381' ? this.#bls : believing(this.#bls);
    const trust = this.#begin(task, bls, protocol);
    if (trust === undefined) return protocol.report();
    const proof = readProof(task.proof, protocol);
    if (proof === undefined) return protocol.report();
    const { epoch } = proof.path[0].header;
    const problem = this.#follow(trust, task, bls, epoch, protocol);
    if (problem !== undefined) return problem;
    const trusted = trust.of(epoch);
    if (trusted === undefined) return protocol.report();
    return judge(task, trust, trusted, proof, bls, protocol);
  }

  #begin({ trusted, scheme }: VerifyTask, bls: BlsEngine, protocol: Protocol): Trust | undefined {
    const beginning = JSON.stringify([trusted, scheme]);
    try {
      if (this.#trust === undefined || this.#began !== beginning)
        this.#trust = new Trust(givenBy(trusted), bls);
      this.#began = beginning;
    } catch (problem) {
      this.#trust = undefined;
      protocol.fail('trusted', problem instanceof Error ? problem.message : String(problem));
      return undefined;
    }
    protocol.pass('trusted', beginningWords(this.#trust, trusted));
    return this.#trust;
  }

  /** From the newest epoch that is known to that of the header. */
  #follow(
    trust: Trust,
    task: VerifyTask,
    bls: BlsEngine,
    epoch: number,
    protocol: Protocol,
  ): Report | AskOn | undefined {
    const proofs = task.epochs.map(readEpoch);
    for (const proof of proofs) {
      if (trust.of(epoch) !== undefined) break;
      if (proof === undefined) {
        protocol.fail('epochs', 'what the node shows of an epoch’s end is no proof in its encoding');
        return protocol.report();
      }
      const refusal = takeEpoch(trust, bls, proof);
      if (refusal === undefined) continue;
      protocol.refuse('epochs', refusal);
      return protocol.report();
    }
    if (trust.of(epoch) !== undefined) {
      protocol.pass('epochs', epochWords(epoch));
      return undefined;
    }
    const from = trust.newest?.descriptor.epoch ?? (trust.awaited?.epoch ?? 1) - 1;
    if (proofs.length > 0 && epoch > from) return { fromEpoch: from };
    protocol.fail(
      'epochs',
      epoch > from
        ? `the header is of epoch ${epoch}; the node shows no proof of epoch ${from + 1}`
        : `the header is of epoch ${epoch}, which is before what you start from`,
    );
    return protocol.report();
  }
}

/** Everything but the signature: a simulation's can be checked by nobody outside. */
const believing = (bls: BlsEngine): BlsEngine => ({
  ...bls,
  fastAggregateVerify: () => true,
  aggregateVerify: () => true,
  verifyPossession: () => true,
});

function givenBy(trusted: Trusted): Pick<LightClientOptions, 'trusted'> {
  if (trusted.kind === 'genesis') return { trusted: { genesis: trusted.document } };
  const { point } = trusted;
  const text = (name: string): string => String(fieldOf(point, name) ?? '');
  const number = (name: string): number => Number(fieldOf(point, name) ?? Number.NaN);
  const [chainId, genesisHash, epochHash] = [text('chainId'), text('genesisHash'), text('epochHash')];
  const time = Number.isFinite(number('time')) ? number('time') : 0;
  return { trusted: { chainId, genesisHash, epochHash, epoch: number('epoch'), time } };
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

function beginningWords({ domain, newest }: Trust, trusted: Trusted): string {
  if (trusted.kind === 'point')
    return `epoch ${fieldOf(trusted.point, 'epoch')} of chain ${domain.chainId}, by its hash, as you gave it`;
  const set = newest?.descriptor.validators;
  const source = trusted.isPasted ? 'that you gave' : 'that the node gave';
  return `the genesis ${source} has the hash ${domain.genesisHash} (chain ${domain.chainId}): ${set?.validators.length} validators, power ${set?.totalPower}`;
}

function epochWords(epoch: number): string {
  if (epoch === 0) return 'the header is of the first epoch, whose validators the genesis names';
  return `${epoch} ${epoch === 1 ? 'epoch was' : 'epochs were'} followed, each by a quorum of the one before`;
}

function readProof(text: string, protocol: Protocol): ProvenHeader | undefined {
  const bytes = bytesOf(text);
  const proof = bytes === undefined ? 'malformed' : parseProvenHeader(bytes);
  if (proof === 'malformed') {
    protocol.fail('encoding', 'these bytes are no proof of a header');
    return undefined;
  }
  protocol.pass(
    'encoding',
    `${text.length / 2} bytes: ${count(proof.path.length, 'header')} and a certificate`,
  );
  return proof;
}

function readEpoch(text: string): EpochProof | undefined {
  const bytes = bytesOf(text);
  const proof = bytes === undefined ? 'malformed' : parseEpochProof(bytes);
  return proof === 'malformed' ? undefined : proof;
}

/** CS-16: an epoch that is believed by its hash is in the proof of the one before, which is not verified itself. */
function takeEpoch(trust: Trust, bls: BlsEngine, proof: EpochProof): LightRefusal | undefined {
  const { awaited, newest, domain } = trust;
  if (awaited !== undefined) {
    const hash = epochHashOf(proof.next);
    if (proof.next.epoch !== awaited.epoch || hash !== awaited.hash)
      return { code: 'NEXT_HASH_WRONG', hash, expected: awaited.hash };
    trust.add({ domain, descriptor: proof.next });
    return undefined;
  }
  if (newest === undefined || proof.next.epoch <= newest.descriptor.epoch) return undefined;
  const verdict = verifyEpochProof(newest, bls, proof);
  if (verdict.status === 'refused') return verdict.refusal;
  trust.follow(verdict.last, verdict.trusted);
  return undefined;
}

function judge(
  task: VerifyTask,
  trust: Trust,
  trusted: TrustedEpoch,
  proof: ProvenHeader,
  bls: BlsEngine,
  protocol: Protocol,
): Report {
  const [first] = proof.path;
  const id = linkIdOf(trusted.domain, first);
  if (first.header.height !== task.height) {
    protocol.fail(
      'block',
      `it is a header of height ${first.header.height}, and you asked for ${task.height}`,
    );
    return protocol.report();
  }
  if (task.block !== undefined && task.block !== id) {
    protocol.fail('block', `the header’s hash is ${id}; the page shows block ${task.block} at this height`);
    return protocol.report();
  }
  protocol.pass('block', `height ${task.height}, round ${first.header.round}: SHA-256 gives ${id}`);
  protocol.signedBy(signersIn(trusted, proof));
  const verdict = verifyProvenHeader(trusted, bls, proof);
  const problem = verdict.status === 'refused' ? verdict.refusal : trust.problemOf(verdict.facts);
  const structure = wordsOf(trusted, proof);
  for (const name of STRUCTURE) {
    if (problem !== undefined && checkOf(problem) === name) {
      protocol.refuse(name, problem);
      return protocol.report();
    }
    protocol.pass(name, structure[name]);
  }
  if (task.scheme !== 'bls12-381') {
    protocol.unverifiable(
      'a simulation signs with keyed hashes, which its own process alone can check: BLS would take its time',
    );
    return protocol.report();
  }
  if (problem !== undefined) {
    protocol.refuse('signature', problem);
    return protocol.report();
  }
  protocol.pass('signature', 'both pairings agree');
  if (verdict.status === 'proven') compare(trust, verdict.facts, task, protocol);
  return protocol.report();
}

/** In the order in which the rules ask. */
const STRUCTURE = ['validators', 'path', 'consecutive', 'quorum'] as const satisfies readonly CheckName[];

/** Which check a refusal of the rules belongs to. */
function checkOf({ code }: LightRefusal): CheckName {
  return CHECK_OF[code] ?? 'signature';
}

const CHECK_OF: Readonly<Partial<Record<LightRefusal['code'], CheckName>>> = {
  WRONG_EPOCH: 'validators',
  EPOCH_HASH_WRONG: 'validators',
  NOT_IN_CHAIN: 'validators',
  OUTSIDE_EPOCH: 'validators',
  PATH_LENGTH_WRONG: 'path',
  ROUND_WRONG: 'path',
  HEIGHT_WRONG: 'path',
  PARENT_WRONG: 'path',
  PARENT_ROUND_WRONG: 'path',
  NEXT_EPOCH_CHANGED: 'path',
  LINK_WRONG: 'path',
  NOT_CONSECUTIVE: 'consecutive',
  SIGNERS_MALFORMED: 'quorum',
  QUORUM_NOT_REACHED: 'quorum',
  UNKNOWN_VALIDATOR: 'quorum',
  SIGNATURE_INVALID: 'signature',
};

function wordsOf(
  { descriptor }: TrustedEpoch,
  { path, certificate }: ProvenHeader,
): Readonly<Record<(typeof STRUCTURE)[number], string>> {
  const { validators, epoch } = descriptor;
  const signers = signersOf(validators, certificate.signers);
  const signed = signers === 'malformed' ? 0n : totalPowerOf(signers);
  const { round, parentRound, blockId } = certificate;
  return {
    validators: `${validators.validators.length} validators of epoch ${epoch}, hash ${epochHashOf(descriptor).slice(0, 16)}…`,
    path: `${count(path.length, 'header')}; the block above them, ${blockId.slice(0, 16)}…, is the certified one`,
    consecutive: `rounds ${parentRound} and ${round}`,
    quorum: `power ${signed} of ${validators.totalPower}; ${validators.quorumPower} is a quorum`,
  };
}

function signersIn({ descriptor }: TrustedEpoch, { certificate }: ProvenHeader) {
  const { validators: set } = descriptor;
  const signers = signersOf(set, certificate.signers);
  const signed = new Set(signers === 'malformed' ? [] : signers.map(({ address }) => address));
  return {
    signers: set.validators.map(({ address, power }) => ({
      ...{ address, power: String(power), signed: signed.has(address) },
    })),
    power: {
      signed: String(signers === 'malformed' ? 0n : totalPowerOf(signers)),
      quorum: String(set.quorumPower),
      total: String(set.totalPower),
    },
  };
}

function compare(trust: Trust, { id, header }: ProvenFacts, task: VerifyTask, protocol: Protocol): void {
  try {
    trust.see(header.height, id, bytesOf(task.proof) ?? new Uint8Array(0));
    protocol.pass('fork', 'of all that this page has verified');
  } catch (problem) {
    if (!(problem instanceof ForkFound)) throw problem;
    protocol.fail('fork', `another block was proven at height ${header.height}: there are two chains`);
  }
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
