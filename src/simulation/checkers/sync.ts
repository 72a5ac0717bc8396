/**
 * What sync may never say or hold, by what its cells show: who is in sync, who is Critical, what is bounded, who is blamed, who
 * still signs. Mutable memory; deterministic. Rules SY-1 to SY-9, SM-4; docs/simulation/checkers.md.
 */
import type { Address, BlockId, QuorumCertificate, ValidatorSet } from '../../protocol/chain/types.ts';
import type { ForkEvidence } from '../../protocol/sync/types.ts';
import type { Report } from './claim.ts';
import { type ProofSetting, Proofs } from './proofs.ts';

export const HEARD_FIRST = 'nobody is in sync before validators with a third of the power have answered';
export const DURABLE_HEIGHT = 'the height that sync goes by is the one on the disk';
export const NO_FALSE_ALARM = 'no minority of liars makes an honest node Critical';
export const FORK_PROVED = 'evidence of a fork is two proofs that hold and contradict each other';
export const FORK_SEEN = 'in a healed network whoever runs on one side of a fork is Critical';
export const FORK_ENDS_SIGNING = 'after a proven fork a node signs nothing new';
export const OPERATOR_ONLY = 'nothing that a peer sends begins a full resync';
export const WINDOW_BOUNDED = 'what block-sync asks for and holds is within its window';
export const QUESTIONS_BOUNDED = 'a peer is asked no more at once than it may be';
export const RIGHT_BLAME = 'sync blames honest nodes for nothing';
export const IN_SYNC = 'a healed network is in sync';

/** @unit heights @source SY-8: batches of fixed borders; one more where all that was told waits for what follows */
const BATCH_HEIGHTS = 128;
const BEYOND_WINDOW = 2 * BATCH_HEIGHTS;
/** @unit bytes @source SY-8: what is held, and one answer that was on its way */
const HELD_BYTES = (64 + 8 * 3 * 2) * 1_048_576;
/** Of each kind, open at one peer; questions for blocks share theirs. @unit questions @source SY-6 */
const OPEN_BLOCKS = 2;
const OPEN_OTHERS = 1;
/** @unit requests @source docs/protocol/sync.md */
const TASKS = 128;
/** What an honest peer is charged with when a link loses or doubles its messages. */
const OF_LINKS: ReadonlySet<string> = new Set(['REQUEST_TIMEOUT', 'UNREQUESTED']);

/** What network-sync shows. */
export interface StatusSeen {
  readonly kind: string;
  readonly reason?: string;
  readonly own: number | undefined;
  /** Newest committed height on the disk; undefined while it cannot be read. */
  readonly onDisk: number | undefined;
  readonly resyncs: number;
  readonly fork: { readonly evidence?: ForkEvidence } | undefined;
  /** By which it counts answers. */
  readonly set: ValidatorSet;
}

export interface WindowSeen {
  /** The highest that is asked for by height, of what is not told yet; undefined: nothing. */
  readonly asked: number | undefined;
  readonly tip: number;
  readonly maxGap: number;
  readonly bytes: number;
  /** Something that was told is proven committed: it becomes durable without more. */
  readonly isMoving: boolean;
}

interface Known {
  /** That answered "how far are you?" since this cell began. */
  readonly heard: Set<Address>;
  /** Of its epoch and the one before: what it concluded in that one may still be shown. */
  sets: readonly ValidatorSet[];
  fork: { readonly at: number } | undefined;
  isCritical: boolean;
  kind?: StatusSeen['kind'];
  /** Newest round of the newest epoch that it signed something of, by sort. */
  readonly signed: Map<string, Moment>;
}

interface Moment {
  readonly epoch: number;
  readonly round: number;
}

export class Syncs {
  readonly #setting: ProofSetting;
  readonly #report: Report;
  readonly #faulty: ReadonlySet<Address>;
  /** Less than a third of the power lies, so that there is no fork: in every epoch, as plans see to it. */
  readonly #isAssumed: boolean;
  readonly #nodes = new Map<Address, Known>();

  constructor(setting: ProofSetting, faulty: ReadonlySet<Address>, report: Report) {
    this.#setting = setting;
    this.#faulty = faulty;
    this.#report = report;
    const { set } = setting.epoch;
    this.#isAssumed = 3n * powerIn(set, (one) => faulty.has(one)) < powerIn(set, () => true);
  }

  /** Its cells of sync begin anew. */
  began(node: Address): void {
    const signed = this.#nodes.get(node)?.signed ?? new Map<string, Moment>();
    this.#nodes.set(node, { heard: new Set(), sets: [], fork: undefined, isCritical: false, signed });
  }

  heard(node: Address, peer: Address): void {
    this.#known(node).heard.add(peer);
  }

  showed(node: Address, at: number, status: StatusSeen): void {
    const known = this.#known(node);
    const { kind, own, onDisk, fork, set } = status;
    if (known.sets[0] !== set) known.sets = [set, ...known.sets.slice(0, 1)];
    known.isCritical = kind === 'Critical';
    // It may still be shown when the validators are others.
    if (kind === 'InSync' && known.kind !== kind && !this.#isHeard(node, known)) {
      this.#report(HEARD_FIRST, `${node} at ${at}: it heard ${known.heard.size}`);
    }
    known.kind = kind;
    if (own !== undefined && onDisk !== undefined && own > onDisk) {
      this.#report(DURABLE_HEIGHT, `${node} at ${at}: ${own}, on the disk ${onDisk}`);
    }
    if (status.resyncs > 0) this.#report(OPERATOR_ONLY, `${node} at ${at}: by network-sync`);
    if (kind === 'Critical' && this.#isAssumed) {
      this.#report(NO_FALSE_ALARM, `${node} at ${at}: ${status.reason}`);
    }
    if (fork === undefined || known.fork !== undefined) return;
    known.fork = { at };
    if (fork.evidence !== undefined) this.#proved(node, fork.evidence);
  }

  /** A cell of tier 3 was asked for something. */
  resyncBegan(node: Address, what: string): void {
    this.#report(OPERATOR_ONLY, `${node}: ${what}`);
  }

  window(node: Address, seen: WindowSeen): void {
    const { asked, tip, maxGap, bytes, isMoving } = seen;
    if (isMoving && asked !== undefined && asked > tip + maxGap + BEYOND_WINDOW) {
      this.#report(WINDOW_BOUNDED, `${node}: up to ${asked}, at height ${tip}, at most ${maxGap} ahead`);
    }
    if (bytes > HELD_BYTES) this.#report(WINDOW_BOUNDED, `${node}: ${bytes} bytes`);
  }

  /** @param open kinds of the questions that are open, by peer */
  questions(node: Address, open: ReadonlyMap<Address, readonly string[]>, tasks: number): void {
    if (tasks > TASKS) this.#report(QUESTIONS_BOUNDED, `${node}: ${tasks} tasks`);
    for (const [peer, kinds] of open) {
      const blocks = kinds.filter((kind) => kind === 'GetBlocks' || kind === 'GetBlock').length;
      const others = new Map<string, number>();
      for (const kind of kinds) others.set(kind, (others.get(kind) ?? 0) + 1);
      const most = Math.max(
        0,
        ...[...others].map(([kind, count]) =>
          kind.startsWith('GetBlocks') || kind === 'GetBlock' ? 0 : count,
        ),
      );
      if (blocks <= OPEN_BLOCKS && most <= OPEN_OTHERS) continue;
      this.#report(QUESTIONS_BOUNDED, `${node} of ${peer}: ${kinds.join(', ')}`);
    }
  }

  blamed(node: Address, peer: Address, code: string): void {
    if (!this.#isAssumed || this.#faulty.has(peer) || OF_LINKS.has(code)) return;
    this.#report(RIGHT_BLAME, `${node} blames ${peer}: ${code}`);
  }

  /** It will not ask the peer again before hours have passed. */
  distrusts(node: Address, peer: Address): void {
    if (this.#isAssumed && !this.#faulty.has(peer)) this.#report(RIGHT_BLAME, `${node} distrusts ${peer}`);
  }

  /** A statement of its own leaves. */
  signed(node: Address, at: number, sort: 'vote' | 'timeout' | 'proposal', { epoch, round }: Moment): void {
    const known = this.#known(node);
    const newest = known.signed.get(sort);
    if (newest !== undefined && (epoch < newest.epoch || (epoch === newest.epoch && round <= newest.round)))
      return;
    known.signed.set(sort, { epoch, round });
    if (known.fork !== undefined && at > known.fork.at) {
      this.#report(FORK_ENDS_SIGNING, `${node} at ${at}: a ${sort} of round ${round}`);
    }
  }

  /** At the end of a healed run. @param isForked two honest nodes have committed different blocks */
  ended(node: Address, isForked: boolean): void {
    if (isForked && !this.#known(node).isCritical) this.#report(FORK_SEEN, node);
  }

  #isHeard(node: Address, { heard, sets }: Known): boolean {
    return sets.some((set) => {
      const total = powerIn(set, () => true);
      const own = powerIn(set, (one) => one === node);
      return 3n * own > 2n * total || 3n * powerIn(set, (one) => heard.has(one)) > total - 1n;
    });
  }

  #proved(node: Address, evidence: ForkEvidence): void {
    const wrong = this.#faults(evidence);
    if (wrong.length > 0) this.#report(FORK_PROVED, `${node}: ${wrong.join('; ')}`);
  }

  #faults(evidence: ForkEvidence): readonly string[] {
    const wrong: string[] = [];
    const proofs = new Proofs(this.#setting, (_, detail) => wrong.push(detail));
    const certificates =
      evidence.kind === 'CommitProofs'
        ? [evidence.first.proof, evidence.second.proof]
        : [evidence.first, evidence.second];
    for (const qc of certificates) proofs.qc('the evidence', qc);
    if (evidence.kind === 'RoundCertificates') {
      const { first, second } = evidence;
      if (first.round !== second.round || first.epoch !== second.epoch) wrong.push('of two rounds');
      if (first.blockId === second.blockId) wrong.push('of one block');
      return wrong;
    }
    const { height, first, second } = evidence;
    if (first.id === second.id) wrong.push('of one block');
    return [...wrong, ...[first, second].flatMap((half) => notOf(half, height))];
  }

  #known(node: Address): Known {
    const known = this.#nodes.get(node);
    if (known !== undefined) return known;
    const fresh: Known = {
      heard: new Set(),
      sets: [],
      fork: undefined,
      isCritical: false,
      signed: new Map(),
    };
    this.#nodes.set(node, fresh);
    return fresh;
  }
}

const powerIn = ({ validators }: ValidatorSet, isMeant: (one: Address) => boolean): bigint =>
  validators.reduce((sum, { address, power }) => (isMeant(address) ? sum + power : sum), 0n);

/** CS-5; a node's own block may be committed by what follows later. */
function notOf(
  { id, proof }: { readonly id: BlockId; readonly proof: QuorumCertificate },
  height: number,
): readonly string[] {
  const isDirect = proof.height === height + 1;
  if (proof.round !== proof.parentRound + 1) return ['its rounds are not consecutive'];
  if (isDirect && proof.parentId !== id) return ['a proof of another block'];
  return proof.height > height ? [] : ['a proof of a lower block'];
}
