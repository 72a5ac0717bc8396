/** The made-up consensus of a load: rounds with a leader, votes, certificates, commits; and what goes wrong. Deterministic. */
import type {
  BlockLabel,
  BlockRow,
  NodeCard,
  NodeChain,
  NodeHealth,
  NodeIndex,
  RefusalRow,
  StepEvent,
  StepKind,
  WireEvent,
} from '../../src/observe/feed/feed.ts';
import type { LoadOptions } from './load.ts';

const NAMES = [
  'alfa',
  'bravo',
  'charlie',
  'delta',
  'echo',
  'foxtrot',
  'golf',
  'hotel',
  'india',
  'juliett',
  'kilo',
  'lima',
  'mike',
  'november',
  'oscar',
  'papa',
];

interface Row {
  readonly kind: string;
  readonly from: NodeIndex;
  readonly to: NodeIndex;
  readonly at: number;
  readonly round?: number;
  readonly height?: number;
  readonly block?: string;
  readonly bytes: number;
  readonly refused?: RefusalRow;
}

export class ChainLoad {
  readonly #options: LoadOptions;
  readonly #random: () => number;
  readonly #blocks: BlockRow[] = [];
  /** Told when their time comes: what is sent now arrives later. */
  #wire: WireEvent[] = [];
  #steps: StepEvent[] = [];
  #round = 1;
  #roundAt = 0;
  #serial = 0;
  #owedBatches = 0;

  constructor(options: LoadOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  cards(): readonly NodeCard[] {
    return this.#nodes().map((node) => ({
      id: idOf(node),
      moniker: NAMES[node] ?? `node-${node}`,
      chainId: 'made-up-1',
      genesisHash: 'ab'.repeat(32),
      version: '0.1.0',
      power: '10',
      isUp: true,
    }));
  }

  advance(from: number, to: number): { readonly wire: WireEvent[]; readonly steps: StepEvent[] } {
    if (this.#roundAt === 0) this.#roundAt = from;
    while (this.#roundAt < to) {
      this.#playRound(this.#roundAt);
      this.#roundAt += this.#options.roundMs;
    }
    this.#spreadBatches(from, to);
    const [wire, laterWire] = split(this.#wire, to);
    const [steps, laterSteps] = split(this.#steps, to);
    this.#wire = laterWire;
    this.#steps = laterSteps;
    return { wire, steps };
  }

  chains(at: number): readonly NodeChain[] {
    const committed = label(this.#blocks.findLast(({ status }) => status === 'executed'));
    const [highQc, locked] = [this.#blocks.at(-1), this.#blocks.at(-2)].map(label);
    return this.#nodes().map((node) => ({
      node,
      at,
      epoch: 1,
      round: this.#round,
      leader: idOf(this.#leader(this.#round)),
      ...(highQc === undefined ? {} : { highQc }),
      ...(locked === undefined ? {} : { locked }),
      committed: committed ?? { height: 0, id: '00'.repeat(32), round: 0 },
      executed: { height: committed?.height ?? 0, stateRoot: 'cd'.repeat(32) },
      blocks: this.#blocks.slice(-32),
    }));
  }

  health(at: number): readonly NodeHealth[] {
    return this.#nodes().map((node) => ({
      node,
      at,
      isReady: true,
      reasons: [],
      clock: {
        offsetMs: Math.sin(at / 20_000 + node) * 3,
        errorMs: 4 + this.#random(),
        state: 'synchronized',
        sources: ['peers', 'ntp.local'].map((name, place) => ({
          name,
          offsetMs: Math.sin(at / 20_000 + node + place) * 4,
          errorMs: 5 + place * 3,
          isUsed: true,
        })),
      },
      round: {
        durationMs: this.#options.roundMs + this.#random() * 20,
        qcDelayMs: 20 + this.#random() * 10,
        timeoutMs: 1_000,
      },
      sync: { state: 'inSync', height: this.#blocks.length },
      loopLagMs: { p50: 0.4, p99: 3 + this.#random() * 4, max: 12 },
      reach: 'quorum',
      breakers: this.#nodes()
        .filter((peer) => peer !== node)
        .map((peer) => ({ peer: idOf(peer), state: 'closed' })),
      peers: this.#options.nodes - 1,
      pending: Math.floor(this.#random() * 300),
      turnsPerSecond: this.#options.turnsPerSecond / this.#options.nodes,
    }));
  }

  #playRound(at: number): void {
    this.#round += 1;
    const round = this.#round;
    const leader = this.#leader(round);
    for (const node of this.#nodes()) this.#step(node, 'roundEntered', at + this.#random() * 3, { round });
    const isFailed = this.#options.faults && round % 23 === 0;
    if (isFailed) this.#timeOut(at, round, leader);
    else this.#propose(at, round, leader);
  }

  #propose(at: number, round: number, leader: NodeIndex): void {
    const height = this.#blocks.length + 1;
    const block = hexOf(round * 7_919 + height);
    const about = { round, height, block };
    this.#step(leader, 'proposed', at + 4, about);
    const next = this.#leader(round + 1);
    let quorumAt = 0;
    for (const node of this.#nodes()) {
      const arrives = node === leader ? at + 4 : this.#send('Proposal', leader, node, at + 4, about, 1_800);
      if (arrives === undefined) continue;
      if (this.#options.faults && round % 17 === 5 && node === (leader + 2) % this.#options.nodes) {
        const refused = { code: 'ROUND_ALREADY_VOTED', detail: `round ${round}, last voted round ${round}` };
        this.#step(node, 'refusedToVote', arrives + 2, { ...about, refused });
        continue;
      }
      this.#step(node, 'voted', arrives + 3, about);
      const counted = node === next ? arrives + 3 : this.#send('Vote', node, next, arrives + 3, about, 240);
      quorumAt = Math.max(quorumAt, counted ?? 0);
    }
    this.#step(next, 'qcFormed', quorumAt + 1, about);
    for (const node of this.#nodes()) {
      const known = node === next ? quorumAt + 1 : this.#send('QC', next, node, quorumAt + 1, about, 420);
      if (known === undefined) continue;
      this.#step(node, 'locked', known + 1, { round: round - 1, height: height - 1 });
      this.#step(node, 'committed', known + 2, { round: round - 1, height: height - 1 });
      this.#step(node, 'executed', known + 6, { round: round - 1, height: height - 1 });
    }
    this.#blocks.push({
      id: block,
      parent: this.#blocks.at(-1)?.id ?? '00'.repeat(32),
      height,
      epoch: 1,
      round,
      proposer: idOf(leader),
      time: at,
      batches: 1 + (round % 4),
      transactions: (round * 37) % 900,
      status: 'certified',
    });
    const executed = this.#blocks.at(-3);
    if (executed !== undefined) this.#blocks.splice(-3, 1, { ...executed, status: 'executed' });
  }

  #timeOut(at: number, round: number, leader: NodeIndex): void {
    const late = at + this.#options.roundMs * 0.6;
    const next = this.#leader(round + 1);
    for (const node of this.#nodes()) {
      if (node === leader) continue;
      this.#step(node, 'timedOut', late, { round });
      if (node !== next) this.#send('ViewChange', node, next, late + 1, { round }, 310);
    }
    this.#step(next, 'tcFormed', late + 25, { round });
    this.#step(leader, 'crashed', at + 5, { round, detail: 'node/consensus/mempool: InvariantViolation' });
    this.#step(leader, 'restarted', at + 80, { round, detail: 'node/consensus' });
    for (const node of this.#nodes())
      if (node !== next) this.#send('NewView', next, node, late + 26, { round: round + 1 }, 900);
  }

  #spreadBatches(from: number, to: number): void {
    this.#owedBatches += (this.#options.batchesPerSecond * (to - from)) / 1_000;
    const { nodes } = this.#options;
    for (; this.#owedBatches >= 1; this.#owedBatches -= 1) {
      const sender = Math.floor(this.#random() * nodes);
      const receiver = (sender + 1 + Math.floor(this.#random() * (nodes - 1))) % nodes;
      this.#send('Batch', sender, receiver, from + this.#random() * (to - from), {}, 16_000);
    }
  }

  /** When it arrives; undefined: it is lost. */
  #send(
    kind: string,
    from: NodeIndex,
    to: NodeIndex,
    at: number,
    about: Partial<Row>,
    bytes: number,
  ): number | undefined {
    this.#serial += 1;
    const id = hexOf(this.#serial).slice(0, 16);
    const arrives = at + 6 + this.#random() * 18;
    const { faults } = this.#options;
    const common = { id, kind, epoch: 1, bytes, ...about };
    this.#wire.push({ ...common, node: from, peer: to, turn: this.#serial * 2, direction: 'sent', at });
    if (faults && this.#serial % 211 === 0) return undefined;
    const refused =
      faults && kind === 'Vote' && this.#serial % 97 === 0
        ? { refused: { code: 'VOTE_FOR_OLD_ROUND', detail: `vote of round ${about.round}, already left` } }
        : {};
    this.#wire.push({
      ...common,
      ...refused,
      node: to,
      peer: from,
      turn: this.#serial * 2 + 1,
      direction: 'received',
      at: arrives,
    });
    return 'refused' in refused ? undefined : arrives;
  }

  #step(node: NodeIndex, kind: StepKind, at: number, about: Partial<StepEvent>): void {
    this.#serial += 1;
    this.#steps.push({
      node,
      kind,
      at,
      turn: this.#serial,
      cell: CELL_OF[kind] ?? 'node/consensus/view-change',
      ...about,
    });
  }

  #nodes(): readonly NodeIndex[] {
    return Array.from({ length: this.#options.nodes }, (_, node) => node);
  }

  #leader(round: number): NodeIndex {
    return round % this.#options.nodes;
  }
}

const CELL_OF: Partial<Record<StepKind, string>> = {
  voted: 'node/consensus/safety',
  refusedToVote: 'node/consensus/safety',
  proposed: 'node/consensus/round-manager',
  qcFormed: 'node/consensus/round-manager',
  committed: 'node/consensus/round-manager',
  executed: 'node/application/executor',
  crashed: 'node/consensus/mempool',
  restarted: 'node/consensus',
};

export const idOf = (node: NodeIndex): string => hexOf(node + 1).slice(0, 40);

/** 64 hexadecimal digits that look like a hash. */
function hexOf(value: number): string {
  let text = '';
  for (
    let word = Math.imul(value + 1, 0x9e3779b1) >>> 0;
    text.length < 64;
    word = Math.imul(word ^ (word >>> 13), 0x85ebca6b) >>> 0
  )
    text += (word ^ (word >>> 16)).toString(16).replace('-', '').padStart(8, '0').slice(0, 8);
  return text;
}

const label = (block: BlockRow | undefined): BlockLabel | undefined =>
  block && { height: block.height, id: block.id, round: block.round };

function split<Row extends { readonly at: number }>(rows: readonly Row[], to: number): [Row[], Row[]] {
  const [due, later]: [Row[], Row[]] = [[], []];
  for (const row of rows) (row.at <= to ? due : later).push(row);
  return [due.toSorted((left, right) => left.at - right.at), later];
}
