/**
 * What sealed transfers cost a block: as many seals as one takes, their reveals, and the close that executes them all.
 * Run by `npm run bench -- sealed`; LG-24, docs/ledger.md.
 */
import { ledgerRules } from '../src/application/ledger/rules.ts';
import { stateApplication } from '../src/application/state/application.ts';
import { wallTime } from '../src/base/units.ts';
import { digestOf } from '../src/protocol/chain/canonical.ts';
import { genesisRequest, keyOf } from '../test/application/ledger/chain-of-ledger.ts';
import { R, SealedChain } from '../test/application/ledger/sealed/chain-of-seals.ts';
import { height } from '../test/protocol/consensus/fixture.ts';

/** Small ones of 4 work each: twice the target of a block. @unit seals @source LG-8 */
const SEALS = 2_500;

const names = Array.from({ length: SEALS }, (_, index) => `sender ${index}`);
const balances = Object.fromEntries(names.map((name) => [name, 1_000_000n]));
const parameters = { block_work_target: 5_000, seals_open_max: 65_536 };
const chain = new SealedChain({ balances, parameters });
const { place } = chain;
const application = stateApplication(ledgerRules({ domain: place.epoch.domain, bls: place.bls }));
await application.initChain(
  genesisRequest(place, {
    balances,
    parameters: {
      ordering: 'commit_reveal',
      reveal_heights: R,
      reveal_ms: 0,
      seal_deposit: '100',
      ...parameters,
    },
  }),
);
const sealed = names.map((name, index) =>
  chain.sealed(keyOf(name), [{ to: keyOf(names[(index * 7) % SEALS] ?? name).address, amount: 5n }]),
);

async function measure(name: string, at: number, transactions: readonly Uint8Array[]): Promise<void> {
  const from = process.cpuUsage();
  const { results, events } = await application.finalizeBlock({
    ...{ height: height(at), blockId: digestOf(Uint8Array.of(at)), time: wallTime(at) },
    ...{ proposer: place.addressAt(0), randomness: digestOf(Uint8Array.of(at)), transactions },
  });
  const done = results.filter(({ code }) => code === 0).length;
  const { user, system } = process.cpuUsage(from);
  const ms = (user + system) / 1_000;
  if (name !== '')
    console.log(`${name.padEnd(12)} ${ms.toFixed(0).padStart(6)} ms, ${done} done, ${events.length} events`);
}

await measure(
  `${SEALS} seals`,
  1,
  sealed.map(({ seal }) => seal),
);
await measure(
  'reveals',
  2,
  sealed.map(({ reveal }) => reveal),
);
for (let at = 3; at <= R; at += 1) await measure('', at, []);
await measure('the close', 1 + R, []);
