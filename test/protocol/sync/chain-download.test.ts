import { describe, expect, it } from 'vitest';
import { batchDigestOf, encodeBatch } from '../../../src/protocol/chain/batch.ts';
import type { CertifiedBlock } from '../../../src/protocol/chain/types.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import {
  beginDownload,
  type Download,
  HELD_BYTES_MAX,
  heldBytes,
  isWritten,
  PIECES_MAX,
  type Piece,
  pausing,
  questionOf,
  withBatches,
  withBlocks,
  withNextPieces,
  withoutBatchesOf,
  withoutPieces,
  withPiece,
  written,
} from '../../../src/protocol/sync/chain-download.ts';
import { frontOf } from '../../../src/protocol/sync/chain-front.ts';
import { type Segment, verifySegment } from '../../../src/protocol/sync/segment.ts';
import { chainOf, height, idOf, present, world } from '../consensus/fixture.ts';

const place = world();
const LENGTH = 700;
const bytesAt = (at: number): Uint8Array =>
  encodeBatch({
    author: place.addressAt(0),
    sequence: at,
    expiresAtHeight: height(at + 50),
    transactions: [new Uint8Array(200).fill(at % 250)],
  });
const batchAt = (at: number) => {
  const bytes = bytesAt(at);
  return { digest: batchDigestOf(bytes), count: 1, bytes: bytes.byteLength };
};
/** Blocks 1 to 699 in consecutive rounds, with a batch at each tenth height. */
const made = chainOf(
  place,
  Array.from({ length: LENGTH }, (_, index) => index + 1),
  (index) => ((index + 1) % 10 === 0 ? { batches: [batchAt(index + 1)] } : {}),
);
const blockAt = (at: number): CertifiedBlock => ({
  block: present(made.blocks[at - 1], 'block'),
  qc: present(made.qcs[at - 1], 'certificate'),
});
const blockIdAt = (at: number) => idOf(place, blockAt(at).block);
const TARGET = LENGTH - 1;
const target = {
  height: height(TARGET),
  id: blockIdAt(TARGET),
  proof: present(made.qcs[TARGET], 'proof'),
};
const begun = (): Download => withNextPieces(beginDownload(target, place.epoch.rootQC));
const range = (from: number, to: number): readonly CertifiedBlock[] =>
  Array.from({ length: to - from + 1 }, (_, index) => blockAt(from + index));
const batchesOf = (from: number, to: number) =>
  range(from, to).flatMap(({ block }) => block.header.batches.map(() => bytesAt(block.header.height)));

function segment(from: number, to: number, batches: readonly Uint8Array[] = batchesOf(from, to)): Segment {
  const judge = { epoch: place.epoch, bls: place.bls, verified: NONE_VERIFIED };
  const check = verifySegment(
    judge,
    { from: height(from), limit: to - from + 1, proofs: [] },
    { blocks: range(from, to), batches },
  );
  if (check.status !== 'verified') throw new Error(check.status);
  return check.segment;
}

const piece = ({ pieces }: Download, index: number): Piece => present(pieces[index], `piece ${index}`);
function filled(download: Download, index: number, given?: Segment): Download {
  const { from, to } = piece(download, index);
  const fuller = withBlocks(piece(download, index), given ?? segment(from, to), place.addressAt(1));
  if (fuller.status === 'parts') throw new Error('it parts');
  return withPiece(download, fuller.piece);
}
const tipAt = (at: number) => ({ height: height(at), id: blockIdAt(at), statement: blockAt(at).qc });

describe('the window of a full download (SY-8, SY-9)', () => {
  it('has a few pieces between the borders, the last one up to the target', () => {
    const download = begun();
    expect(download.pieces.map(({ from, to }) => [from, to])).toEqual([
      [1, 128],
      [129, 256],
      [257, 384],
      [385, 512],
    ]);
    expect(download.pieces).toHaveLength(PIECES_MAX);
    const near = withNextPieces({
      ...beginDownload(target, place.epoch.rootQC),
      durable: { height: height(600), id: blockIdAt(600), statement: blockAt(600).qc },
    });
    expect(near.pieces.map(({ from, to }) => [from, to])).toEqual([
      [601, 640],
      [641, TARGET],
    ]);
  });

  it('writes in order what a verified proof commits, with its batches, and holds the rest back', () => {
    let download = filled(begun(), 1);
    expect(frontOf(download), 'the lowest is not there').toEqual({ status: 'waiting' });
    download = filled(download, 0);
    const front = frontOf(download);
    if (front.status !== 'ready') throw new Error(front.status);
    expect(front.blocks.map(({ certified }) => certified.block.header.height)).toEqual(
      Array.from({ length: 255 }, (_, index) => index + 1),
    );
    for (const { certified, commitProof } of front.blocks) {
      expect(commitProof.height).toBeGreaterThan(certified.block.header.height);
      expect([128, 256]).toContain(commitProof.height);
    }
    expect(front.batches).toHaveLength(25);
    const after = written(download, tipAt(255));
    expect(after.pieces.map(({ from, to }) => [from, to])).toEqual([
      [256, 256],
      [257, 384],
      [385, 512],
    ]);
    expect(frontOf(after)).toEqual({ status: 'waiting' });
    expect(heldBytes(after)).toBeLessThan(heldBytes(download) / 50);
    expect(isWritten(after)).toBe(false);
    expect(isWritten({ ...after, durable: { ...after.durable, height: target.height } })).toBe(true);
  });

  it('writes up to the first block whose batch is missing', () => {
    const download = filled(begun(), 0, segment(1, 128, batchesOf(1, 35)));
    const front = frontOf(download);
    if (front.status !== 'ready') throw new Error(front.status);
    expect(front.blocks.at(-1)?.certified.block.header.height).toBe(39);
    const lacking = piece(download, 0);
    expect(questionOf(lacking)).toEqual({ what: 'batches', from: 40, limit: 16 });
    const question = present(questionOf(lacking), 'question');
    const fuller = withBatches(lacking, question, [
      bytesAt(40),
      bytesAt(50),
      new Uint8Array([1]),
      bytesAt(500),
    ]);
    expect(questionOf(fuller), 'both are within 40 to 55').toEqual({ what: 'batches', from: 60, limit: 16 });
    expect(fuller.batches.size).toBe(5);
  });

  it('asks for fewer blocks when no batch came, and counts only the question for one block as a failure', () => {
    let lacking = piece(filled(begun(), 0, segment(1, 128, [])), 0);
    const limits: number[] = [];
    while (lacking.failures < 2) {
      const question = present(questionOf(lacking), 'question');
      limits.push(question.limit);
      lacking = withBatches(lacking, question, []);
    }
    expect(limits).toEqual([16, 8, 4, 2, 1, 1]);
    const left = withoutBatchesOf(lacking, present(questionOf(lacking), 'question'));
    expect([left.left.size, questionOf(left)?.from, questionOf(left)?.limit]).toEqual([1, 20, 16]);
    const download = withPiece(begun(), left);
    expect(written(download, tipAt(128)).batchesLeft).toBe(1);
  });

  it('asks for what is left of a piece whose answer was cut, and joins it only where it hangs together', () => {
    const cut = piece(filled(begun(), 0, segment(1, 50)), 0);
    expect(questionOf(cut)).toEqual({ what: 'blocks', from: 51, limit: 78 });
    const elsewhere = { ...segment(51, 60), parentId: blockIdAt(7) };
    expect(withBlocks(cut, elsewhere, place.addressAt(2))).toEqual({
      status: 'parts',
      seam: {
        height: 50,
        claims: [
          { peer: place.addressAt(1), id: blockIdAt(50) },
          { peer: place.addressAt(2), id: blockIdAt(7) },
        ],
      },
    });
    const whole = withBlocks(cut, segment(51, 128), place.addressAt(2));
    if (whole.status === 'parts') throw new Error('it parts');
    expect([whole.piece.step, whole.piece.givers]).toEqual([
      { status: 'whole' },
      { lowest: place.addressAt(1), highest: place.addressAt(2) },
    ]);
    expect(pausing(cut)).toMatchObject({ failures: 1, segment: cut.segment, step: { status: 'pausing' } });
  });

  it('begins anew above what is being written, and what is written then joins (SY-9)', () => {
    const download = filled(begun(), 0, segment(1, 50));
    const appending = { ...download, appending: { tag: 1, ...tipAt(49) } };
    const again = withNextPieces(withoutPieces(appending));
    expect(again.pieces.map(({ from, to }) => [from, to])[0]).toEqual([50, 128]);
    const after = filled(written(again, tipAt(49)), 0);
    expect(frontOf(after)).toMatchObject({ status: 'ready' });
  });

  it('writes what no id covers as the block below has it, also at the seam of two pieces (SY-8)', () => {
    const lied = (from: number, to: number) => {
      const [first, ...others] = segment(from, to).blocks;
      const { block, qc } = present(first, 'block');
      const lie = { ...block, qc: { ...block.qc, parentId: blockIdAt(77), parentRound: block.qc.round } };
      return { ...segment(from, to), blocks: [{ block: lie, qc }, ...others] } as const;
    };
    const download = filled(filled(begun(), 0, lied(1, 128)), 1, lied(129, 256));
    const front = frontOf(download);
    if (front.status !== 'ready') throw new Error(front.status);
    for (const { certified } of front.blocks) {
      const { height: at } = certified.block.header;
      expect(certified.block.qc).toEqual(at === 1 ? place.epoch.rootQC : blockAt(at - 1).qc);
    }
    const after = written(download, tipAt(128));
    expect(after.durable.statement).toMatchObject({ blockId: blockIdAt(128), parentId: blockIdAt(127) });
  });

  it('says where two pieces do not hang together, and who gave which block', () => {
    const download = filled(begun(), 0);
    const wrong = { ...segment(129, 256), parentId: blockIdAt(5) };
    const parted = filled(download, 1, wrong);
    expect(frontOf(parted)).toEqual({
      status: 'parts',
      seam: {
        height: 128,
        claims: [
          { peer: place.addressAt(1), id: blockIdAt(128) },
          { peer: place.addressAt(1), id: blockIdAt(5) },
        ],
      },
    });
    const elsewhere = {
      ...filled(begun(), 0),
      durable: { height: height(0), id: blockIdAt(9), statement: blockAt(9).qc },
    };
    expect(frontOf(elsewhere), 'what is written is committed').toEqual({
      status: 'contradicts',
      height: 0,
      giver: place.addressAt(1),
    });
  });

  it('begins no piece above its bytes, but always one that the lower ones wait for', () => {
    const full = begun();
    const heavy: Piece = {
      ...piece(full, 0),
      batches: new Map([[batchAt(1).digest, new Uint8Array(HELD_BYTES_MAX)]]),
    };
    expect(withNextPieces({ ...full, pieces: [heavy] }).pieces).toHaveLength(1);
    expect(
      withNextPieces({ ...full, pieces: [{ ...heavy, step: { status: 'whole' } }] }).pieces,
    ).toHaveLength(2);
  });

  it('gives up where so many blocks are there and no commit is proved', () => {
    let download = begun();
    for (let index = 0; index < PIECES_MAX; index += 1) download = filled(download, index);
    const unproved = {
      ...download,
      pieces: download.pieces.map((one) => ({
        ...one,
        segment: { ...present(one.segment, 'segment'), verified: [] },
      })),
    };
    expect(frontOf(unproved)).toEqual({ status: 'unproved', height: 512 });
    const tail = written(download, tipAt(3));
    const short = { ...tail, pieces: unproved.pieces.slice(0, 2) };
    expect(frontOf({ ...short, durable: download.durable })).toEqual({ status: 'waiting' });
  });
});
