/**
 * Processor time from the gateway through the bridge and back, for an operation that a caller submits alone: mempool, storage and
 * network are stand-ins that answer at once. Run: npm run bench -- gateway. Each line is the median of 5 runs.
 */
import { ADDRESSES } from '../src/actors/addresses.ts';
import {
  child,
  createSystem,
  handler,
  type Message,
  realClock,
  seededRandom,
  supervisor,
} from '../src/actors/runtime/index.ts';
import { bridgeMachine } from '../src/machines/bridge/bridge.machine.ts';
import { BRIDGE_EVENTS } from '../src/machines/bridge/bridge.setup.ts';
import { GATEWAY_EVENTS, Gateway } from '../src/node/gateway.ts';
import { BRIDGE_DEFAULTS } from '../src/protocol/bridge/config.ts';
import { transactionHashOf } from '../src/protocol/chain/batch.ts';
import { operation, stateAfter } from '../test/protocol/bridge/operations-of.ts';
import { height, world } from '../test/protocol/consensus/fixture.ts';
import { spentSince } from './processor.ts';

const RUNS = 5;
const OPERATIONS = 10_000;
const place = world();
const transactions = Array.from({ length: OPERATIONS }, (_, index) =>
  operation(`${'x'.repeat(230)}${index}`, 900),
);
const hashes = new Map(transactions.map((one) => [one, transactionHashOf(one)]));

type Asked = Message & { readonly tag: number; readonly transactions: readonly Uint8Array[] };

/** A cell that answers whoever asks it. */
const stub = (id: string, reply: (asked: Asked) => Message | undefined) =>
  child(
    id,
    handler<null, Asked & { readonly replyTo: string }>({
      init: () => null,
      receive(asked, { tell }) {
        const answer = reply(asked);
        if (answer !== undefined) tell(asked.replyTo, { ...answer, tag: asked.tag });
      },
    }),
  );

function nodeOf(gateway: Gateway) {
  const { storage, router, mempool, executor, networkSync, alarm, roundManager, rpc } = ADDRESSES;
  const genesis = { base: height(0), height: height(0), id: place.epoch.rootQC.blockId };
  const peers = [1, 2, 3].map((index) => place.addressAt(index));
  const system = createSystem({ name: 'node', clock: realClock(), random: seededRandom(1) });
  const input = {
    config: { ...BRIDGE_DEFAULTS, maxPendingOperations: 2 * OPERATIONS },
    ...{ self: place.addressAt(0), validators: place.epoch.set },
    ...{ batchTtlHeights: 1_000, deduplicationHeights: 1_000 },
    ...{ storage, router, mempool, executor, networkSync, alarm, roundManager, listeners: [rpc] },
  };
  const only = (id: string, ...children: readonly ReturnType<typeof child>[]) =>
    child(id, supervisor({ children }));
  system.start(
    only(
      'node',
      stub('storage', () => ({ type: 'tip.found', ...genesis, executed: stateAfter(0) })),
      only(
        'network',
        stub('router', ({ type }) =>
          type === 'connectivity.requested' ? { type: 'connectivity.told', connected: peers } : undefined,
        ),
      ),
      only(
        'consensus',
        stub('mempool', (asked) => ({
          type: 'transactions.admitted',
          admissions: asked.transactions.map((one) => ({ status: 'admitted', hash: hashes.get(one) })),
        })),
      ),
      child('consensus-bridge', bridgeMachine, { input, publicEvents: BRIDGE_EVENTS }),
      only('surface', child('rpc', gateway.logic(), { publicEvents: GATEWAY_EVENTS })),
    ),
  );
  return system;
}

for (const callers of [1, 10, 100, 1_000]) {
  const micros: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const gateway = new Gateway();
    const system = nodeOf(gateway);
    await new Promise((resolve) => setTimeout(resolve, 50));
    globalThis.gc?.();
    const start = process.cpuUsage();
    for (let from = 0; from < OPERATIONS; from += callers) {
      const each = transactions.slice(from, from + callers);
      const admissions = await Promise.all(each.map((one) => gateway.submit([one], 'bench')));
      if (admissions.some(([one]) => one?.status !== 'admitted')) throw new Error('not all were admitted');
    }
    micros.push(spentSince(start) / OPERATIONS);
    await system.stop();
  }
  micros.sort((left, right) => left - right);
  const [least, median, most] = [micros[0], micros[RUNS >> 1], micros[RUNS - 1]].map((one) =>
    one?.toFixed(1),
  );
  console.log(
    `submitted alone by ${String(callers).padStart(5)} callers at once ${median?.padStart(7)} µs/operation (${least} to ${most})`,
  );
}
