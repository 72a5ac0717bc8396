/** A store as plain lists, and random writes for it: the oracle of the contract's property. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { SafetyRecord } from '../../src/protocol/consensus/types.ts';
import type { Reputation } from '../../src/protocol/sync/types.ts';
import type { BatchBytes, Store, StoreWrite } from '../../src/storage/store.ts';
import {
  batch,
  chain,
  child,
  committed,
  execution,
  found,
  GENESIS_ID,
  height,
  type MadeBlock,
  record,
  reputation,
  round,
  timeout,
  votedFor,
} from './fixtures.ts';

const LENGTH = 12;
const BATCHES: readonly BatchBytes[] = Array.from({ length: 8 }, (_, at) =>
  batch(`batch ${at}`, 50 + 97 * at),
);
const MAIN: readonly MadeBlock[] = chain(LENGTH, (at) => BATCHES.filter((_, index) => index === at % 9));
const RIVALS: readonly MadeBlock[] = MAIN.map((_, at) => child(MAIN[at - 1], { salt: `rival ${at}` }));

/** Everything durable. Blocks are numbers: position in MAIN. */
export interface Model {
  readonly version: number;
  readonly record: SafetyRecord | undefined;
  readonly committed: number;
  /** Ids of held blocks, MAIN and RIVALS. */
  readonly held: ReadonlySet<string>;
  readonly batches: ReadonlyMap<string, BatchBytes>;
  readonly executed: number;
  readonly reputations: readonly Reputation[];
}

export const emptyModel = (): Model => ({
  version: 0,
  record: undefined,
  committed: 0,
  held: new Set(),
  batches: new Map(),
  executed: 0,
  reputations: [],
});

const at = (blocks: readonly MadeBlock[], index: number): MadeBlock => {
  const made = blocks[index];
  if (made === undefined) throw new Error(`no block ${index}`);
  return made;
};

// Written from the rules in docs/storage.md, not from the store's code.
function applyOne(model: Model, write: StoreWrite): { readonly model: Model; readonly code: string } {
  const refused = (code: string) => ({ model, code });
  const staged = (change: Partial<Model>) => ({ model: { ...model, ...change }, code: 'staged' });
  switch (write.kind) {
    case 'record': {
      if (write.expectedVersion !== model.version) return refused('VERSION_CONFLICT');
      const before = model.record;
      const next = write.record;
      const grows =
        before === undefined ||
        (next.lastVotedRound >= before.lastVotedRound &&
          next.lockedRound >= before.lockedRound &&
          next.highQC.round >= before.highQC.round &&
          (next.lastVote !== undefined || before.lastVote === undefined) &&
          (next.lastVote?.blockId === before.lastVote?.blockId ||
            (next.lastVote?.round ?? 0) > before.lastVotedRound) &&
          (before.lastTimeout === undefined ||
            (next.lastTimeout !== undefined &&
              (next.lastTimeout.round > before.lastTimeout.round ||
                (next.lastTimeout.round === before.lastTimeout.round &&
                  next.lastTimeout.highQC.round === before.lastTimeout.highQC.round)))));
      if (!grows) return refused('VERSION_CONFLICT');
      const made = [...MAIN, ...RIVALS].find(({ block }) => block === write.block);
      const held = made === undefined ? model.held : hold(model, [made]);
      return staged({ version: model.version + 1, record: next, held });
    }
    case 'certified':
      return staged({
        held: hold(
          model,
          [...MAIN, ...RIVALS].filter(({ block }) => write.blocks.some((given) => given.block === block)),
        ),
      });
    case 'commit': {
      let tip = model.committed;
      for (const block of write.blocks) {
        const wanted = block.block.header.height;
        const main = MAIN[wanted - 1]?.id === block.id;
        if (wanted > tip + 1) return refused('VERSION_CONFLICT');
        if (!main && wanted <= tip) return refused('FORK');
        // A rival at the next height joins the main chain: the generator commits only main ones there.
        if (wanted === tip + 1) tip = wanted;
      }
      const held = new Set(
        [...model.held].filter((id) =>
          [...MAIN, ...RIVALS].some((made) => made.id === id && made.block.header.height > tip),
        ),
      );
      return staged({ committed: tip, held });
    }
    // A chain above genesis has tests of its own (ST-11).
    case 'plant':
    case 'restored':
    // The ends of epochs too (contract-epochs.ts).
    case 'epoch':
    case 'passed':
      return refused('VERSION_CONFLICT');
    case 'batches': {
      const batches = new Map(model.batches);
      for (const entry of write.batches) batches.set(entry.digest, entry);
      return staged({ batches });
    }
    case 'pruneBatches': {
      const named = new Set(
        MAIN.slice(0, model.committed).flatMap(({ block }) =>
          block.header.batches.map(({ digest }) => digest),
        ),
      );
      const batches = new Map(
        [...model.batches].filter(([, { digest }]) => named.has(digest) || !write.digests.includes(digest)),
      );
      return staged({ batches });
    }
    case 'reputations':
      return staged({ reputations: write.reputations });
    case 'execution': {
      const wanted = write.executed.height;
      if (wanted <= model.executed) return staged({});
      if (wanted !== model.executed + 1 || wanted > model.committed) return refused('VERSION_CONFLICT');
      return staged({ executed: wanted });
    }
  }
}

function hold(model: Model, blocks: readonly MadeBlock[]): ReadonlySet<string> {
  const above = blocks.filter(({ block }) => block.header.height > model.committed);
  return new Set([...model.held, ...above.map(({ id }) => id)]);
}

export function applyToModel(model: Model, writes: readonly StoreWrite[]) {
  let after = model;
  const codes: string[] = [];
  for (const write of writes) {
    const applied = applyOne(after, write);
    after = applied.model;
    codes.push(applied.code);
  }
  return { model: after, codes };
}

/** Every read of the store answers as the model does. */
export function expectSame(store: Store, model: Model): void {
  const recovered = found(store.recover());
  expect(recovered.recordVersion).toBe(model.version);
  if (model.record !== undefined) expect(recovered.record).toEqual(model.record);
  const newest = model.committed === 0 ? undefined : committed(at(MAIN, model.committed - 1));
  expect(recovered.committed).toEqual(newest);
  expect(found(store.latest())).toMatchObject({ committed: model.committed, executed: model.executed });
  const joined = new Set([MAIN[model.committed - 1]?.id]);
  const tree = [...MAIN, ...RIVALS]
    .toSorted(({ block: a }, { block: b }) => a.header.height - b.header.height)
    .filter(({ id, block }) => {
      const joins =
        model.held.has(id) &&
        (model.committed + 1 === block.header.height || joined.has(block.header.parentId));
      if (joins) joined.add(id);
      return joins;
    });
  expect(new Set(recovered.blocks)).toEqual(new Set(tree.map(({ block }) => block)));
  expect(found(store.reputations())).toEqual(model.reputations);
  expect(found(store.tip())).toEqual({
    base: Math.min(1, model.committed),
    height: model.committed,
    id: newest?.id ?? GENESIS_ID,
    ...(newest === undefined ? {} : { proof: newest.commitProof }),
    executed: recovered.executed,
  });
  expect(found(store.blockIds(MAIN.map(({ block }) => block.header.height)))).toEqual(
    MAIN.slice(0, model.committed).map(({ id, block }) => ({ height: block.header.height, id })),
  );
  const range = found(store.blocksFrom(height(1), LENGTH, 1e9));
  expect(range.blocks).toEqual(MAIN.slice(0, model.committed).map(committed));
  const digests = BATCHES.map(({ digest }) => digest);
  expect(found(store.batches(digests)).batches).toEqual(
    digests.flatMap((digest) => model.batches.get(digest) ?? []),
  );
  for (let executed = 1; executed <= LENGTH; executed += 1) {
    const read = found(store.execution(height(executed)));
    expect(read !== undefined, `execution of ${executed}`).toBe(executed <= model.executed);
    for (const { hash } of read?.transactions ?? []) {
      expect(found(store.transaction(hash))?.height).toBe(executed);
    }
  }
}

const position = fc.nat(LENGTH - 1);
const records = fc
  .record({
    voted: position,
    lag: fc.nat(2),
    version: fc.nat(6),
    rival: fc.boolean(),
    timedOut: fc.boolean(),
  })
  .map(({ voted, version, rival, timedOut }): StoreWrite => {
    const made = at(rival ? RIVALS : MAIN, voted);
    const signed = votedFor(made);
    const value: SafetyRecord = timedOut
      ? { ...signed, lastVotedRound: round(voted + 2), lastTimeout: timeout(voted + 2, made.block.qc) }
      : signed;
    return record(value, version, made.block);
  });
const certified = fc.array(fc.tuple(position, fc.boolean()), { maxLength: 4 }).map(
  (picks): StoreWrite => ({
    kind: 'certified',
    blocks: picks.map(([index, rival]) => {
      const { block, qc } = at(rival ? RIVALS : MAIN, index);
      return { block, qc };
    }),
  }),
);
const commits = fc.tuple(position, fc.nat(4)).map(
  ([from, length]): StoreWrite => ({
    kind: 'commit',
    blocks: MAIN.slice(from, from + length).map(committed),
  }),
);
const growing = fc.constant<StoreWrite>({ kind: 'commit', blocks: MAIN.slice(0, 3).map(committed) });
const batches = fc.subarray([...BATCHES]).map((picked): StoreWrite => ({ kind: 'batches', batches: picked }));
const prunes = fc
  .subarray(BATCHES.map(({ digest }) => digest))
  .map((digests): StoreWrite => ({ kind: 'pruneBatches', digests }));
const executions = position.map(
  (index): StoreWrite => execution(at(MAIN, index), [`tx ${index}`, `ty ${index}`]),
);

const reputations = fc
  .subarray([1, 2, 3])
  .map((peers): StoreWrite => ({ kind: 'reputations', reputations: peers.map(reputation) }));

export const groupsOfWrites = fc.array(
  fc.record({
    writes: fc.array(
      fc.oneof(records, certified, commits, growing, batches, prunes, executions, reputations),
      {
        maxLength: 6,
      },
    ),
    after: fc.constantFrom('goOn', 'goOn', 'crash', 'crashAfterSync', 'restart'),
  }),
  { maxLength: 8 },
);
