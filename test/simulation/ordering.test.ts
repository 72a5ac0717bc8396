/** Sealed transfers in a simulated network whose faulty leaders leave reveals out. Rules OR-3, OR-6, LG-23; docs/ordering.md. */
import { describe, expect, it } from 'vitest';
import { ADDRESSES } from '../../src/actors/addresses.ts';
import { ledgerRules } from '../../src/application/ledger/rules.ts';
import { encodeContent } from '../../src/application/ledger/sealed/content.ts';
import { encodeReveal } from '../../src/application/ledger/sealed/reveal.ts';
import { signTransaction } from '../../src/application/ledger/transaction.ts';
import { stateApplication } from '../../src/application/state/application.ts';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { millis } from '../../src/base/units.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { digestBytes } from '../../src/protocol/chain/parse.ts';
import { commitIdOf, commitmentOf } from '../../src/protocol/ordering/commitment.ts';
import { revealHeightsMin } from '../../src/protocol/ordering/window.ts';
import type { BlockResults } from '../../src/protocol/ports/execution.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';
import type { ReplicatedBy } from '../../src/simulation/replicated.ts';
import { CALM } from '../../src/transport/hub.ts';
import { keyOf } from '../application/ledger/chain-of-ledger.ts';

const SECOND = 1_000;
const VALIDATORS = 7;
/** Two of seven, one leading after the other: all that may be faulty, in the worst places. */
const CENSORS = [5, 6];
const R = revealHeightsMin(Array<bigint>(VALIDATORS).fill(1n));
const SENDERS = Array.from({ length: 10 }, (_, index) => keyOf(`sender ${index}`));
const bob = keyOf('bob');

const ledger: ReplicatedBy = ({ domain, set }, bls) => ({
  open: () => stateApplication(ledgerRules({ domain, bls })),
  beginning: {
    validators: set.validators.map(({ nodeKey, consensusKey, power }) => ({
      ...{ nodeKey, consensusKey, power },
      possessionProof: new Uint8Array(0),
    })),
    appState: {
      parameters: { ordering: 'commit_reveal', reveal_heights: R, reveal_ms: 1_000 },
      accounts: SENDERS.map(({ text }) => ({ address: text, balance: '1000000000' })),
      operators: set.validators.map(({ address }) => ({ validator: address, operator: keyOf('op0').text })),
    },
  },
});

interface Watched {
  /** Height at which each seal was committed, and at which its reveal was. */
  readonly sealed: Map<string, number>;
  readonly revealed: Map<string, number>;
  readonly outcomes: Map<string, string>;
  /** Blocks of the censors, and how many of those carried something. */
  readonly censored: { blocks: number; carrying: number };
}

function run(options: Partial<ClusterOptions> & { readonly isSilent?: boolean } = {}) {
  const { isSilent = false, ...given } = options;
  const watched: Watched = {
    sealed: new Map(),
    revealed: new Map(),
    outcomes: new Map(),
    censored: { blocks: 0, carrying: 0 },
  };
  let newest = 0;
  let isCensoring = false;
  const executed = ({ executed: { height }, proposer, transactions, events }: BlockResults): void => {
    if (height <= newest) return;
    newest = height;
    if (isCensoring && CENSORS.some((index) => cluster.node(index).address === proposer)) {
      watched.censored.blocks += 1;
      if (transactions.length > 0) watched.censored.carrying += 1;
    }
    for (const { type, attributes } of [...transactions.flatMap(({ result }) => result.events), ...events]) {
      const of = (name: string) => attributes.find(({ key }) => key === name)?.value ?? '';
      if (type === 'ledger.seal') watched.sealed.set(of('seal'), height);
      if (type === 'ledger.reveal') watched.revealed.set(of('seal'), height);
      if (type === 'ledger.sealed') watched.outcomes.set(of('seal'), of('outcome'));
    }
  };
  const isCensor = (id: string): boolean => CENSORS.some((index) => cluster.node(index).instance.id === id);
  const cluster: Cluster = new Cluster({
    seed: 'censors',
    validators: VALIDATORS,
    application: ledger,
    leaders: [0, 1, 2, 3, 4, 5, 6],
    liars: CENSORS,
    timeouts: { emptyBlockIntervalMs: millis(100) },
    faults: { ...CALM, delayMin: millis(5), delayMean: millis(15), reorder: true },
    observers: [{ executed: ({ faulty }, message) => (faulty ? undefined : executed(message)) }],
    // A leader that has no acknowledgements names no batch (MP-8): to others it looks like one that has not heard. Or it says nothing.
    tamper: ({ from, to, message }) => {
      if (!isCensoring) return 'pass';
      if (isSilent) return isCensor(from) && message.kind === 'Proposal' ? 'drop' : 'pass';
      return isCensor(to) && message.kind === 'BatchAck' ? 'drop' : 'pass';
    },
    ...given,
  });
  return { cluster, watched, censor: (on: boolean) => (isCensoring = on) };
}

/** Seals and reveals of all senders, each for another honest node. */
function sealAll(cluster: Cluster, nonce: bigint) {
  const { genesisHash, chainId } = cluster.epoch.domain;
  const domain = { genesisHash: digestBytes(genesisHash), chainId };
  return SENDERS.map((key, index) => {
    const content = encodeContent([{ to: bob.address, amount: 1n }]);
    const salt = sha256(utf8(`salt ${index} ${nonce}`));
    const sealer = { genesisHash: domain.genesisHash, sender: key.address, nonce };
    const commitment = commitmentOf(sealer, content, salt);
    const id = commitIdOf(sealer, commitment);
    const seal = signTransaction(
      {
        ...{ publicKey: key.publicKey, nonce, lastHeight: 900n, feeMax: 1_000_000n, tip: 0n },
        payload: { kind: 'seal', sizeClass: 0, commitment },
      },
      key.secret,
      domain,
    );
    return { id: toHex(id), seal, reveal: encodeReveal({ id, salt, content }), node: index % 5 };
  });
}

function submit(cluster: Cluster, node: number, transaction: Uint8Array): void {
  cluster.node(node).reach((system) => {
    system.ref(ADDRESSES.bridge).tell({
      ...{ type: 'operations.submitted', client: 'a client', transactions: [transaction] },
      ...{ replyTo: ADDRESSES.rpc, tag: 1 },
    });
  });
}

/** Three windows, each begun at another turn of the leaders. */
function play({ cluster, watched, censor }: ReturnType<typeof run>) {
  const made: string[] = [];
  for (let window = 0; window < 3; window += 1) {
    cluster.advance(SECOND + 70 * window);
    const seals = sealAll(cluster, BigInt(window));
    for (const { node, seal } of seals) submit(cluster, node, seal);
    for (let ms = 0; ms < 60_000 && seals.some(({ id }) => !watched.outcomes.has(id)); ms += 20) {
      cluster.advance(20);
      censor(watched.sealed.size > made.length);
      // As a client does: a node that has not executed the seal yet refuses its reveal, so it asks again.
      for (const { id, node, reveal } of seals) {
        if (ms % 200 === 0 && watched.sealed.has(id) && !watched.revealed.has(id))
          submit(cluster, node, reveal);
      }
    }
    censor(false);
    made.push(...seals.map(({ id }) => id));
  }
  cluster.advance(2 * SECOND);
  cluster.finish();
  const waits = made.map(
    (id) => (watched.revealed.get(id) ?? Number.NaN) - (watched.sealed.get(id) ?? Number.NaN),
  );
  return { made, latest: Math.max(...waits), outcomes: new Set(made.map((id) => watched.outcomes.get(id))) };
}

describe('reveals while as many leaders as may be faulty leave them out', () => {
  it('that propose empty blocks, one after the other: every reveal is carried by honest leaders long before its window ends (OR-6)', () => {
    const simulated = run();
    const { made, latest, outcomes } = play(simulated);
    expect(simulated.cluster.checker.violations).toEqual([]);
    expect([made.length, [...outcomes]]).toEqual([30, ['done']]);
    const { blocks, carrying } = simulated.watched.censored;
    expect(blocks).toBeGreaterThan(5);
    // Some acknowledgements are under way when it begins.
    expect(carrying / blocks).toBeLessThan(0.4);
    expect(latest).toBeLessThan(R);
  }, 120_000);

  it('that say nothing at all in their turn: heights pass no faster than honest leaders make them', () => {
    const simulated = run({ seed: 'silent', isSilent: true });
    const { made, latest, outcomes } = play(simulated);
    expect(simulated.cluster.checker.violations).toEqual([]);
    expect([made.length, [...outcomes]]).toEqual([30, ['done']]);
    expect(latest).toBeLessThan(R);
  }, 120_000);
});
