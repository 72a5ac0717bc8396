/** What is judged by looking into nodes: their disks when they speak, their mailboxes. Each claim broken once. SM-4, RT-8. */
import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { blockIdOf } from '../../../src/protocol/chain/canonical.ts';
import { nextEpoch } from '../../../src/protocol/chain/ordinals.ts';
import { parseBatchDigest } from '../../../src/protocol/chain/parse.ts';
import { emptyRecord } from '../../../src/protocol/consensus/safety.ts';
import type { SafetyRecord } from '../../../src/protocol/consensus/types.ts';
import type { Violation } from '../../../src/simulation/checkers/claim.ts';
import { CONSERVED, checkCells } from '../../../src/simulation/checkers/conservation.ts';
import { Contents, IN_HEADER_ORDER } from '../../../src/simulation/checkers/contents.ts';
import {
  BATCHES_FIRST,
  BLOCK_FIRST,
  COMMIT_FIRST,
  Durability,
  ENTERED,
  EPOCH_CLEAN,
  LOCK_RAISED,
  RECORD_FIRST,
} from '../../../src/simulation/checkers/durability.ts';
import { Cluster } from '../../../src/simulation/cluster.ts';
import { memoryDisk } from '../../../src/storage/memory-store.ts';
import type { StoreWrite } from '../../../src/storage/store.ts';
import {
  A,
  B,
  blockOn,
  C,
  chain,
  D,
  domain,
  epoch,
  executedOf,
  round,
  statement,
  tcOf,
  timeoutOf,
  voteOf,
} from './forged.ts';
import { heightOf } from './heights.ts';

function judged(sync = true) {
  const found: Violation[] = [];
  const disk = memoryDisk(domain);
  const store = disk.open();
  const durability = new Durability('node 0', disk, (claim, detail) => found.push({ claim, detail }));
  return {
    disk,
    durability,
    claims: () => [...new Set(found.map(({ claim }) => claim))],
    write(...writes: readonly StoreWrite[]) {
      store.stage(writes);
      if (sync) store.sync();
    },
  };
}

const record = (change: Partial<SafetyRecord>, block?: ReturnType<typeof blockOn>): StoreWrite => ({
  kind: 'record',
  expectedVersion: 0,
  record: { ...emptyRecord(epoch.rootQC), ...change },
  ...(block === undefined ? {} : { block }),
});

const [first] = chain(1);
if (first === undefined) throw new Error('a chain of one block');
const { block } = first;
const vote = voteOf(D, statement(block));
const voted = { lastVotedRound: round(1), lastVote: vote };

describe('a disk when its node speaks', () => {
  it('covers a vote that was stored with its block', () => {
    const { durability, claims, write } = judged();
    write(record(voted, block));
    durability.sent({ kind: 'Vote', vote });
    expect(claims()).toEqual([]);
  });

  it('does not know of the vote or timeout, or only wrote it without a sync', () => {
    for (const isWritten of [false, true]) {
      const { durability, claims, write } = judged(false);
      if (isWritten) write(record(voted, block));
      durability.sent({ kind: 'Vote', vote });
      expect(claims()).toEqual([RECORD_FIRST]);
    }
    const { durability, claims } = judged();
    durability.sent(timeoutOf(D, 1, epoch.rootQC));
    expect(claims()).toEqual([RECORD_FIRST]);
  });

  it('is of an earlier epoch than what leaves, or holds a lock of the one before (CS-16)', () => {
    const { durability, claims } = judged();
    durability.sent({ kind: 'Vote', vote: { ...vote, epoch: nextEpoch(vote.epoch) } });
    expect(claims()).toEqual([RECORD_FIRST]);
    const carried = judged();
    carried.write(record({ lastVotedRound: round(3), lockedRound: round(3) }));
    carried.durability.look();
    expect(carried.claims()).toEqual([EPOCH_CLEAN, LOCK_RAISED]);
  });

  it('lacks the block voted for', () => {
    const { durability, claims, write } = judged();
    write(record(voted));
    durability.sent({ kind: 'Vote', vote });
    expect(claims()).toEqual([BLOCK_FIRST]);
  });

  it('holds a lock below what was voted for', () => {
    const { durability, claims, write } = judged();
    const second = blockOn(first.qc, 2);
    const later = voteOf(D, statement(second));
    write(record({ lastVotedRound: round(2), lastVote: later }, second));
    durability.sent({ kind: 'Vote', vote: later });
    expect(claims()).toContain(LOCK_RAISED);
  });

  it('holds a vote in a round that nothing opened', () => {
    const { durability, claims, write } = judged();
    const skipping = blockOn(epoch.rootQC, 3);
    const wild = voteOf(D, statement(skipping));
    write(record({ lastVotedRound: round(3), lastVote: wild }, skipping));
    durability.sent({ kind: 'Vote', vote: wild });
    expect(claims()).toEqual([ENTERED]);
  });

  it('holds a TC below the round before the one voted in; one of that round or above came after the vote', () => {
    const skipping = blockOn(epoch.rootQC, 3);
    const wild = voteOf(D, statement(skipping));
    const claimsWith = (tcRound: number) => {
      const { durability, claims, write } = judged();
      const lastTC = tcOf(tcRound, epoch.rootQC, [[0, [A, B, C, D]]]);
      write(record({ lastVotedRound: round(3), lastVote: wild, lastTC }, skipping));
      durability.sent({ kind: 'Vote', vote: wild });
      return claims();
    };
    expect([1, 2, 3, 4].map(claimsWith)).toEqual([[ENTERED], [], [], []]);
  });

  it('lacks an acknowledged batch, or a commit that somebody was told of', () => {
    const { durability, claims } = judged();
    const digest = parseBatchDigest('ab'.repeat(32));
    if (digest === 'malformed') throw new Error('a digest');
    durability.sent({ kind: 'BatchAck', digests: [digest] });
    durability.told('a commit', heightOf(1), first.qc.blockId);
    expect(claims()).toEqual([BATCHES_FIRST, COMMIT_FIRST]);
  });

  it('has a block that names other transactions than were executed', () => {
    const { disk, write, claims: _ } = judged();
    write(record(voted, block));
    const found: string[] = [];
    new Contents((claim) => found.push(claim)).executed('node 0', disk, executedOf(block, ['smuggled']));
    expect(blockIdOf(domain, block)).toBe(first.qc.blockId);
    expect(found).toEqual([IN_HEADER_ORDER]);
  });
});

describe('the mailboxes of a node', () => {
  it('account for every message, and one that does not is found (RT-8)', () => {
    const run = new Cluster({ seed: 1, timeouts: { emptyBlockIntervalMs: millis(200) } });
    run.advance(2_000);
    const system = run.node(0).process?.system;
    if (system === undefined) throw new Error('node 0 runs');
    const found: string[] = [];
    checkCells('node 0', system, (claim) => found.push(claim));
    expect(found).toEqual([]);
    const cells = system.cells().map((cell, index) => {
      const { counters } = cell;
      return index === 3 ? { ...cell, counters: { ...counters, accepted: counters.accepted + 1 } } : cell;
    });
    checkCells('node 0', { ...system, cells: () => cells }, (claim) => found.push(claim));
    expect(found).toEqual([CONSERVED]);
    run.finish();
    expect(run.checker.violations).toEqual([]);
  });
});
