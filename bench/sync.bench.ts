/**
 * Blocks a second from block-sync to the executed state: a chain of blocks of 2 KB, one batch each, given in batches of 128 to
 * the real round-manager, store on disk, executor and kv, on one core. What comes before (network, decoding, the chain of ids)
 * is not in it; one row verifies the newest certificate of each batch with real signatures.
 * And what SY-7 costs a leader: one answer of syncBeforeProduction.
 * Run: node bench/sync.bench.ts [folder] [--blocks=20000]. Set-up is outside the loops; each line is the median of 3 runs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BoundaryContext,
  type BoundaryLogic,
  type CellSpec,
  child,
  createSystem,
  handler,
  type Message,
  realClock,
  seededRandom,
  supervisor,
} from '../src/actors/runtime/index.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../src/application/executor.ts';
import { kv } from '../src/application/kv/rules.ts';
import { loadBlsEngine } from '../src/crypto/bls/select.ts';
import { ECVRF } from '../src/crypto/vrf.ts';
import { roundManagerMachine } from '../src/machines/consensus/round-manager.machine.ts';
import { ROUND_MANAGER_EVENTS } from '../src/machines/consensus/round-manager.setup.ts';
import { batchDigestOf, encodeBatch } from '../src/protocol/chain/batch.ts';
import type { CertifiedBlock } from '../src/protocol/chain/types.ts';
import { TIMELINESS_DEFAULTS } from '../src/protocol/consensus/timeliness.ts';
import { NONE_VERIFIED, verifyCertificates } from '../src/protocol/consensus/verified.ts';
import type { Application } from '../src/protocol/ports/application.ts';
import { BATCH_HEIGHTS } from '../src/protocol/sync/config.ts';
import { type ProductionFacts, syncBeforeProduction } from '../src/protocol/sync/production.ts';
import { openStore } from '../src/storage/open.ts';
import { STORAGE_EVENTS, storageLogic } from '../src/storage/storage-actor.ts';
import type { BatchBytes, Store } from '../src/storage/store.ts';
import {
  blockOn,
  GENESIS_TIME,
  height,
  idOf,
  qcOf,
  type World,
  world,
} from '../test/protocol/consensus/fixture.ts';
import { spentSince } from './processor.ts';

const RUNS = 3;
const BODY_BYTES = 2_048;
/** Blocks given and not yet executed, at the most. @unit blocks */
const WINDOW = 1_000;
const words = process.argv.slice(2);
const [folder = tmpdir()] = words.filter((word) => !word.startsWith('--'));
const flagged = words.find((word) => word.startsWith('--blocks='));
const BLOCKS = flagged === undefined ? 20_000 : Number(flagged.slice('--blocks='.length));

interface Made {
  readonly place: World;
  readonly blocks: readonly CertifiedBlock[];
  /** One a block. */
  readonly batches: readonly BatchBytes[];
}

/** Signs each block when `signed` says so; the other certificates are statements, as sync takes them. */
function chainOf(place: World, count: number, signed: (at: number) => boolean): Made {
  const blocks: CertifiedBlock[] = [];
  const batches: BatchBytes[] = [];
  let tip = place.epoch.rootQC;
  for (let at = 1; at <= count; at += 1) {
    const transactions = Array.from({ length: 1 + (at % 4) }, (_, index) => {
      const bytes = Buffer.alloc(Math.floor(BODY_BYTES / (1 + (at % 4))) - 24, 120);
      bytes.write(`key${(at * 7 + index) % 5_000}=${at}/${index}/`);
      return new Uint8Array(bytes);
    });
    const author = place.addressAt(0);
    const bytes = encodeBatch({ author, sequence: at, expiresAtHeight: height(at + 1_000), transactions });
    const digest = batchDigestOf(bytes);
    const reference = { digest, count: transactions.length, bytes: bytes.byteLength };
    const block = blockOn(place, tip, at, { batches: [reference] });
    const statement = {
      epoch: block.header.epoch,
      round: block.header.round,
      height: block.header.height,
      blockId: idOf(place, block),
      parentId: block.header.parentId,
      parentRound: block.qc.round,
    };
    tip = signed(at)
      ? qcOf(place, block)
      : { ...statement, signers: Uint8Array.of(7), signature: new Uint8Array(96) };
    blocks.push({ block, qc: tip });
    batches.push({ digest, bytes });
  }
  return { place, blocks, batches };
}

interface Outcome {
  /** @unit ms since the first block was given */
  readonly committed: number;
  readonly executed: number;
  /** Processor time, everything. @unit ms */
  readonly processor: number;
}

function run({ place, blocks, batches }: Made, verifies: boolean): Promise<Outcome> {
  const dir = mkdtempSync(join(folder, 'althing-sync-bench-'));
  const { epoch, bls } = place;
  const store = openStore(join(dir, 'data'), { ...epoch.domain });
  if ('status' in store) throw new Error(store.detail);
  const system = createSystem({ name: 'bench', clock: realClock(), random: seededRandom('bench') });
  return new Promise((resolve) => {
    let began = 0;
    let used = process.cpuUsage();
    let executed = 0;
    let given = 0;
    let committedAt = 0;
    const give = (context: BoundaryContext<undefined>): void => {
      while (given < blocks.length && given - executed < WINDOW) {
        const end = Math.min(blocks.length, given + BATCH_HEIGHTS);
        const part = blocks.slice(given, end);
        const newest = part.at(-1)?.qc;
        if (newest === undefined) return;
        if (verifies && verifyCertificates(epoch, bls, NONE_VERIFIED, { qc: newest }).qc === undefined) {
          throw new Error(`the certificate of round ${newest.round} does not hold`);
        }
        const persist = { replyTo: 'node/driver', tag: end, batches: batches.slice(given, end) };
        context.tell('node/storage', { type: 'batches.persistRequested', ...persist });
        context.tell('node/round-manager', { type: 'blocks.fetched', blocks: part, verified: [newest] });
        given = end;
      }
    };
    const driver = handler<undefined, Message & { readonly blocks?: readonly CertifiedBlock[] }>({
      init: () => undefined,
      receive(message, context) {
        if (message.type === 'begin') {
          began = performance.now();
          used = process.cpuUsage();
          give(context);
        }
        if (message.type === 'blocks.committed') {
          const committed = message.blocks?.at(-1)?.block.header.height;
          // Nothing proves the commit of the last one.
          if (committed === blocks.length - 1) committedAt = performance.now() - began;
        }
        if (message.type === 'block.executed' && 'executed' in message) {
          executed += 1;
          give(context);
          if (executed !== blocks.length - 1) return;
          const { user, system: kernel } = process.cpuUsage(used);
          const outcome = {
            committed: committedAt,
            executed: performance.now() - began,
            processor: (user + kernel) / 1_000,
          };
          void end(outcome);
        }
      },
    });
    const end = async (outcome: Outcome): Promise<void> => {
      await system.stop();
      store.close();
      rmSync(dir, { recursive: true });
      resolve(outcome);
    };
    system.start(nodeOf(place, store, () => kv({ dir: join(dir, 'kv') }), driver));
    setTimeout(() => system.ref('node/driver').tell({ type: 'begin' }), 50);
  });
}

/** What a node needs for committed blocks, and who gives them; all else is silent. */
function nodeOf(
  place: World,
  store: Store,
  openApplication: () => Application,
  driver: BoundaryLogic<undefined>,
): CellSpec {
  const { epoch, bls } = place;
  const silent = handler<undefined, Message>({ init: () => undefined, receive: () => undefined });
  const executor = executorLogic({
    openApplication,
    genesis: {
      chainId: epoch.domain.chainId,
      genesisHash: epoch.domain.genesisHash,
      genesisTime: GENESIS_TIME,
      validators: [],
      appState: {},
    },
    limits: { batchBytesMax: 1_048_576, transactionBytesMax: 65_536 },
    deduplicationHeights: 1_000,
    setFor: () => undefined,
    storage: 'node/storage',
    mempool: 'node/silent',
    listeners: ['node/driver', 'node/round-manager'],
    servers: ['node/silent'],
  });
  return child(
    'node',
    supervisor({
      children: [
        child('storage', storageLogic({ store, routerAddress: 'node/silent' }), {
          publicEvents: STORAGE_EVENTS,
        }),
        child('silent', silent),
        child('driver', driver),
        child('executor', executor, { publicEvents: EXECUTOR_EVENTS }),
        child('round-manager', roundManagerMachine, {
          publicEvents: ROUND_MANAGER_EVENTS,
          input: {
            setting: {
              epoch,
              self: place.addressAt(3),
              bls,
              vrf: ECVRF,
              limits: { batchesMax: 4, bytesMax: 1_000_000 },
              timeliness: TIMELINESS_DEFAULTS,
              router: 'node/silent',
              evidencePool: 'node/silent',
              safety: 'node/silent',
              viewChange: 'node/silent',
              mempool: 'node/silent',
            },
            evidencePool: 'node/silent',
            genesisTime: GENESIS_TIME,
            storage: 'node/storage',
            blockSync: 'node/silent',
            commitListeners: ['node/executor', 'node/driver'],
            epochListeners: [],
            epochKeeper: 'node/silent',
            alarm: 'node/silent',
            networkSync: 'node/silent',
            timeCoordinator: 'node/silent',
          },
        }),
      ],
    }),
  );
}

async function measure(name: string, made: Made, verifies: boolean): Promise<void> {
  const outcomes: Outcome[] = [];
  for (let at = 0; at < RUNS; at += 1) {
    globalThis.gc?.();
    outcomes.push(await run(made, verifies));
  }
  const count = made.blocks.length;
  const median = (of: (one: Outcome) => number): number =>
    outcomes.map(of).sort((left, right) => left - right)[RUNS >> 1] ?? Number.NaN;
  const rate = (of: (one: Outcome) => number): string =>
    Math.round((count * 1_000) / median(of)).toLocaleString('en');
  const processor = ((median(({ processor }) => processor) * 1_000) / count).toFixed(0);
  console.log(
    `${name.padEnd(44)} committed ${rate(({ committed }) => committed).padStart(7)}, executed ` +
      `${rate(({ executed }) => executed).padStart(7)} blocks/s; processor ${processor.padStart(4)} µs/block`,
  );
}

/** A leader asks once a round; the answer changes with the facts, so that nothing is computed ahead. */
function measureProduction(): void {
  const healthy: ProductionFacts = {
    holdsEntry: true,
    holdsParent: true,
    hasExecuted: true,
    forkProved: false,
    status: { kind: 'InSync' },
  };
  const asked = [healthy, { ...healthy, hasExecuted: false }];
  const times = 2_000_000;
  const micros = Array.from({ length: RUNS }, () => {
    let proceeded = 0;
    const start = process.cpuUsage();
    for (let time = 0; time < times; time += 1) {
      const facts = asked[time & 1];
      if (facts !== undefined && syncBeforeProduction(facts).proceed) proceeded += 1;
    }
    const spent = spentSince(start);
    if (proceeded !== times / 2) throw new Error(`${proceeded} of ${times} proceeded`);
    return spent / times;
  }).sort((left, right) => left - right);
  console.log(`syncBeforeProduction, asked once a round: ${micros[RUNS >> 1]?.toFixed(3)} µs`);
}

measureProduction();
const isBorder = (at: number): boolean => at % BATCH_HEIGHTS === 0 || at === BLOCKS;
await measure(`${BLOCKS} blocks, certificates taken as verified`, chainOf(world(), BLOCKS, isBorder), false);
const real = world([1n, 1n, 1n, 1n], 'bench', (await loadBlsEngine()).engine);
await measure(`${BLOCKS} blocks, the newest of 128 verified`, chainOf(real, BLOCKS, isBorder), true);
