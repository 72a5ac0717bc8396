/**
 * 4 → 7 → 4 validators while operations flow: real processes, TLS, disks. Full nodes join one by one, then the first validators
 * leave one by one; every operation is followed to its end, and every commit proof is verified under the set of its epoch.
 * Run: npm run bench -- epochs [--rate=1000] [--rest=3]: operations a second, seconds between two changes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../src/client/index.ts';
import { loadBlsEngine } from '../src/crypto/bls/select.ts';
import { voteStatementBytes } from '../src/protocol/chain/canonical.ts';
import { verifyVote } from '../src/protocol/consensus/certificates.ts';
import { readAddresses, readEpoch, readKeys } from '../test/cluster/support/chain.ts';
import { type AuditedEpoch, auditEpochs } from '../test/cluster/support/epoch-audit.ts';
import { commit, joining, leaving, reaches, shownKeys } from '../test/cluster/support/membership.ts';
import { Validators } from '../test/cluster/support/validators.ts';
import { numberOf } from './flags.ts';

const rate = numberOf('rate', 1_000);
const restMs = numberOf('rest', 3) * 1_000;
/** Operations are submitted in handfuls. @unit ms */
const TICK = 20;
/** An operation that ends in no block ends by its height. @unit heights */
const EXPIRY = 200;
const COUNT = 4;
const JOINERS = [4, 5, 6];
const LEAVERS = [0, 1, 2];
const ALL = [0, 1, 2, 3, ...JOINERS];
/** In every set from the second change on. */
const STAYS = 3;

/** Operations at a steady rate, each followed to its one end. */
class Flow {
  readonly #client = connect({
    endpoints: [STAYS, ...JOINERS].map((index) => `http://${network.rpcOf(index)}`),
    expiryHeights: EXPIRY,
  });
  readonly ends = new Map<string, number>();
  readonly #open = new Set<Promise<void>>();
  readonly #running: Promise<void>;
  submitted = 0;
  #isStopped = false;

  constructor() {
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const began = performance.now();
    while (!this.#isStopped) {
      const due = Math.floor(((performance.now() - began) / 1_000) * rate);
      for (; this.submitted < due; this.submitted += 1)
        this.#follow(`key${this.submitted}=${this.submitted}`);
      await sleep(TICK);
    }
  }

  #follow(text: string): void {
    const one = this.#client
      .submit(text)
      .then(({ outcome }) => outcome)
      .then(
        ({ status }) => this.#count(status),
        (failure: unknown) => this.#count(`lost: ${String(failure)}`),
      );
    this.#open.add(one);
    void one.then(() => this.#open.delete(one));
  }

  #count(end: string): void {
    this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
  }

  words(): string {
    return `${this.submitted} submitted, ${[...this.ends].map(([end, count]) => `${count} ${end}`).join(', ')}`;
  }

  /** Resolves when each has had its end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await Promise.all(this.#open);
    this.#client.close();
  }
}

const validators = await Validators.create({ count: COUNT, full: JOINERS.length });
const { network } = validators;
try {
  for (const index of ALL) validators.start(index);
  for (const index of ALL) await reaches(network, index, 0, index < COUNT ? '1' : '0');
  await sleep(restMs);
  const flow = new Flow();
  const began = performance.now();
  const members = new Set(ALL.slice(0, COUNT));
  let epoch = 0;
  for (const index of [...JOINERS, ...LEAVERS]) {
    const isJoining = !members.has(index);
    const asked = performance.now();
    const keys = await shownKeys(network.homeOf(index), 'show-validator');
    await commit(network, STAYS, isJoining ? joining(keys) : leaving(keys));
    if (isJoining) members.add(index);
    else members.delete(index);
    epoch += 1;
    for (const each of ALL) await reaches(network, each, epoch, members.has(each) ? '1' : '0');
    const change = `node ${index} ${isJoining ? 'joined' : 'left'}: ${members.size} validators`;
    console.log(
      `epoch ${epoch}: ${change}, on all nodes after ${Math.round(performance.now() - asked)} ms; ${flow.words()}`,
    );
    await sleep(restMs);
  }
  await flow.stop();
  const seconds = (performance.now() - began) / 1_000;
  console.log(`all ended: ${flow.words()}, in ${seconds.toFixed(1)} s`);
  for (const index of ALL) await validators.kill(index);
  await audit();
} finally {
  await validators.remove();
}

/** On each node's own disk. */
async function audit(): Promise<void> {
  const { engine } = await loadBlsEngine();
  const first = readEpoch(network.homeOf(0), engine);
  const addresses = readAddresses(network, ALL.length, engine);
  for (const index of ALL) {
    const epochs = auditEpochs(network.homeOf(index), first, engine);
    const counts = epochs.map(({ blocks, context }) => `${blocks} of ${context.set.validators.length}`);
    console.log(
      `node ${index}: blocks of validators by epoch: ${counts.join(', ')}; each certificate verifies under its epoch's set`,
    );
  }
  const last = auditEpochs(network.homeOf(STAYS), first, engine).at(-1);
  for (const index of [...LEAVERS, STAYS])
    console.log(`a vote of node ${index} now: ${verdictOn(last, index)}`);

  /** What every node says of a vote for the newest block with this node's own key. */
  function verdictOn(epoch: AuditedEpoch | undefined, index: number): string {
    const { proof, context } = epoch ?? {};
    const validator = addresses[index];
    if (proof === undefined || context === undefined || validator === undefined) return 'no block';
    const { consensusSecret } = readKeys(network.homeOf(index), engine);
    const signature = engine.sign(consensusSecret, voteStatementBytes(context.domain, proof));
    if (signature === undefined) return 'no key';
    const verdict = verifyVote(context, engine, { ...proof, validator, signature });
    return verdict === 'valid' ? verdict : verdict.code;
  }
}
