import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { sha256Hex } from '../../../src/crypto/hash.ts';
import { parseDigest } from '../../../src/protocol/chain/parse.ts';
import type { Address, CertifiedBlock, Digest } from '../../../src/protocol/chain/types.ts';
import type { SnapshotManifest } from '../../../src/protocol/sync/messages.ts';
import { OPEN_PER_PEER_MAX } from '../../../src/protocol/sync/questions.ts';
import {
  askForChunks,
  beginSnapshotDownload,
  type ChunkAsk,
  certificationOf,
  downloadStatus,
  firstBlockNeeded,
  hurryChunk,
  isRestored,
  loseHolder,
  manifestProblem,
  missChunk,
  noteWritten,
  SNAPSHOT_WINDOW_CHUNKS,
  type SnapshotCandidate,
  type SnapshotDownload,
  snapshotCandidates,
  takeChunk,
} from '../../../src/protocol/sync/snapshot.ts';
import { address as addressOf, child as blockOn, height } from '../../storage/fixtures.ts';
import { world } from '../consensus/fixture.ts';

const digestOf = (bytes: Uint8Array): Digest => {
  const digest = parseDigest(sha256Hex(bytes));
  if (digest === 'malformed') throw new Error('SHA-256 has 64 letters');
  return digest;
};

const contentOf = (count: number, salt = ''): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, index) => utf8(`chunk ${index} ${salt}`));
const manifestOf = (at: number, chunks: readonly Uint8Array[]): SnapshotManifest => ({
  height: height(at),
  format: 1,
  bytes: chunks.reduce((sum, { byteLength }) => sum + byteLength, 0),
  chunks: chunks.map(digestOf),
});

const MIB = 1_048_576;
const place = world();
const [A, B, C, D] = place.validators.map(({ address }) => address);
const peers: readonly Address[] = [A, B, C, D].flatMap((peer) => (peer === undefined ? [] : [peer]));
const peer = (index: number): Address => peers[index] ?? addressOf(index);
const stranger = addressOf(77);

const candidatesOf = (
  offers: readonly (readonly [number | Address, SnapshotManifest])[],
  facts: {
    readonly refused?: readonly string[];
    readonly bytesMax?: number;
    readonly above?: number;
    readonly disappointments?: ReadonlyMap<Address, number>;
  } = {},
) =>
  snapshotCandidates(
    offers.map(([who, manifest]) => ({ peer: typeof who === 'number' ? peer(who) : who, manifest })),
    {
      validators: place.epoch.set,
      bytesMax: facts.bytesMax ?? MIB,
      refused: new Set(facts.refused ?? []),
      disappointments: facts.disappointments ?? new Map(),
      above: height(facts.above ?? 0),
    },
  );

describe('which snapshot is tried (SY-10)', () => {
  const low = manifestOf(100, contentOf(3));
  const high = manifestOf(200, contentOf(3));

  it('is the highest that an honest validator must be among the holders of', () => {
    const found = candidatesOf([
      [3, low],
      [1, low],
      [0, high],
      [2, high],
    ]);
    expect(found.map(({ manifest, holders, vouched }) => [manifest.height, holders, vouched])).toEqual([
      [200, [peer(0), peer(2)].sort(), true],
      [100, [peer(1), peer(3)].sort(), true],
    ]);
  });

  it('is not one that a liar alone offers, however high, while others agree', () => {
    const found = candidatesOf([
      [0, low],
      [1, low],
      [2, manifestOf(9_999, contentOf(1))],
    ]);
    expect(found.map(({ manifest }) => manifest.height)).toEqual([100, 9_999]);
    expect(found.map(({ vouched }) => vouched)).toEqual([true, false]);
  });

  it('is of those who disappointed least, by the best of its holders: but one that is vouched for goes first', () => {
    const other = manifestOf(150, contentOf(2));
    const ranked = (
      offers: readonly (readonly [number, SnapshotManifest])[],
      by: readonly (readonly [number, number])[],
    ) =>
      candidatesOf(offers, { disappointments: new Map(by.map(([who, times]) => [peer(who), times])) }).map(
        ({ manifest }) => manifest.height,
      );
    const alone = [
      [0, low],
      [1, high],
      [2, other],
    ] as const;
    expect(ranked(alone, [])).toEqual([200, 150, 100]);
    expect(ranked(alone, [[1, 1]])).toEqual([150, 100, 200]);
    const twice = [
      [0, 2],
      [1, 2],
      [2, 1],
    ] as const;
    expect(ranked(alone, twice)).toEqual([150, 200, 100]);
    // A stranger beside them vouches for nothing, and makes theirs no worse.
    expect(ranked([...alone, [9, high]], [[9, 5]])).toEqual([200, 150, 100]);
    expect(ranked([...alone, [3, high]], [...twice, [3, 9]]), 'vouched for').toEqual([200, 150, 100]);
  });

  it('counts power and no voices: a stranger, and one peer twice, vouch for nothing', () => {
    expect(
      candidatesOf([
        [0, low],
        [stranger, low],
      ])[0]?.vouched,
    ).toBe(false);
    expect(
      candidatesOf([
        [0, low],
        [0, low],
      ]),
    ).toMatchObject([{ vouched: false, holders: [peer(0)] }]);
  });

  it('tells manifests of one height apart by all that is in them', () => {
    const twins = [
      low,
      { ...low, format: 2 },
      { ...low, bytes: low.bytes - 1 },
      manifestOf(100, contentOf(3, 'x')),
    ];
    expect(candidatesOf(twins.map((manifest, index) => [index, manifest]))).toHaveLength(4);
  });

  it('is never again one that turned out false, whoever offers it', () => {
    const [first] = candidatesOf([
      [0, high],
      [1, low],
      [2, low],
    ]);
    const rest = candidatesOf(
      [
        [3, low],
        [0, high],
      ],
      { refused: [first?.id ?? ''] },
    );
    expect(rest.map(({ manifest }) => manifest.height)).toEqual([200]);
  });

  it('saves something, and fits: own height and limit are respected', () => {
    expect(
      candidatesOf(
        [
          [0, low],
          [1, high],
        ],
        { above: 100 },
      ),
    ).toMatchObject([{ manifest: { height: 200 } }]);
    expect(candidatesOf([[0, low]], { bytesMax: low.bytes - 1 })).toEqual([]);
  });

  it('does not depend on the order of the answers', () => {
    const offers: readonly (readonly [number, SnapshotManifest])[] = [
      [0, low],
      [1, high],
      [2, manifestOf(200, contentOf(3, 'other'))],
      [3, manifestOf(200, contentOf(2))],
    ];
    const expected = candidatesOf(offers);
    fc.assert(
      fc.property(fc.shuffledSubarray([...offers], { minLength: 4 }), (shuffled) => {
        expect(candidatesOf(shuffled)).toEqual(expected);
      }),
    );
  });

  it.each<[string, Partial<SnapshotManifest>, string]>([
    ['of height 0', { height: height(0) }, 'SNAPSHOT_HEIGHT_ZERO'],
    ['without chunks', { chunks: [] }, 'SNAPSHOT_CHUNKS'],
    ['of too many chunks', { chunks: new Array(4_097).fill(low.chunks[0]), bytes: 5_000 }, 'SNAPSHOT_CHUNKS'],
    ['of fewer bytes than chunks', { bytes: 2 }, 'SNAPSHOT_BYTES'],
    ['of more bytes than its chunks can have', { bytes: 3 * MIB + 1 }, 'SNAPSHOT_BYTES'],
    ['larger than this node takes', { bytes: 2 * MIB }, 'SNAPSHOT_TOO_LARGE'],
  ])('is none %s', (_, fields, code) => {
    expect(manifestProblem({ ...low, ...fields }, MIB)).toMatchObject({ code });
    expect(manifestProblem(low, MIB)).toBeUndefined();
  });
});

const candidateOf = (chunks: readonly Uint8Array[], holders: readonly Address[]): SnapshotCandidate => ({
  manifest: manifestOf(100, chunks),
  id: 'id',
  holders,
  vouched: true,
});

/** Asks until nothing more is asked for, and says what was. */
const asked = (download: SnapshotDownload) => {
  const { download: next, asks } = askForChunks(download);
  expect(askForChunks(next).asks).toEqual([]);
  return { next, asks };
};

describe('the download of a snapshot', () => {
  it('asks for the first chunks first, one of each peer at once: state-sync would refuse more', () => {
    const { next, asks } = asked(beginSnapshotDownload(candidateOf(contentOf(20), peers)));
    expect(asks.map(({ chunk }) => chunk)).toEqual([0, 1, 2, 3]);
    expect(new Set(asks.map((ask) => ask.peer)).size).toBe(OPEN_PER_PEER_MAX.GetSnapshotChunk * 4);
    const alone = asked(beginSnapshotDownload(candidateOf(contentOf(20), [peer(0)])));
    expect(alone.asks.map(({ chunk }) => chunk)).toEqual([0]);
    expect(downloadStatus(next)).toBe('downloading');
  });

  it('hands chunks on in order, and holds no more than the window of what is not written', () => {
    const content = contentOf(20);
    const { next } = asked(beginSnapshotDownload(candidateOf(content, peers)));
    const of = (chunk: number): ChunkAsk =>
      next.open.find((ask) => ask.chunk === chunk) ?? { peer: peer(0), chunk };
    const second = takeChunk(next, of(1), content[1] ?? utf8(''));
    expect(second).toMatchObject({ verdict: { status: 'good' }, ready: [] });
    const first = takeChunk(second.download, of(0), content[0] ?? utf8(''));
    expect(first.ready).toEqual([content[0], content[1]]);
    let full = first.download;
    for (let chunk = 2; chunk < SNAPSHOT_WINDOW_CHUNKS; chunk += 1) {
      full = askForChunks(full).download;
      const ask = full.open.find((one) => one.chunk === chunk) ?? { peer: stranger, chunk };
      full = takeChunk(full, ask, content[chunk] ?? utf8('')).download;
    }
    // Handed on, not written: no room yet.
    expect(asked(full).asks).toEqual([]);
    expect(asked(noteWritten(full, 2)).asks.map(({ chunk }) => chunk)).toEqual([8, 9]);
  });

  it('blames whoever sends a chunk that differs, and goes on with the others', () => {
    const content = contentOf(2);
    const { next, asks } = asked(beginSnapshotDownload(candidateOf(content, peers.slice(0, 2))));
    const [ask = { peer: stranger, chunk: 0 }] = asks;
    const taken = takeChunk(next, ask, utf8('a lie'));
    expect(taken).toMatchObject({
      verdict: { status: 'differs', code: 'SNAPSHOT_CHUNK_DIFFERS' },
      ready: [],
    });
    const other = { peer: peer(1), chunk: 1 };
    const again = asked(takeChunk(taken.download, other, content[1] ?? utf8('')).download).asks;
    expect(again).toEqual([{ peer: peer(1), chunk: ask.chunk }]);
  });

  it('takes nothing that was not asked of the sender', () => {
    const content = contentOf(3);
    const { next, asks } = asked(beginSnapshotDownload(candidateOf(content, [peer(0)])));
    for (const ask of [
      { peer: peer(1), chunk: 0 },
      { peer: peer(0), chunk: 2 },
    ]) {
      expect(takeChunk(next, ask, content[ask.chunk] ?? utf8(''))).toEqual({
        download: next,
        verdict: { status: 'unasked' },
        ready: [],
      });
    }
    const [first = { peer: stranger, chunk: 0 }] = asks;
    const once = takeChunk(next, first, content[0] ?? utf8(''));
    expect(takeChunk(once.download, first, content[0] ?? utf8('')).verdict).toEqual({ status: 'unasked' });
  });

  it('blames all who offered a manifest whose bytes are not those of its chunks', () => {
    const content = contentOf(1);
    for (const off of [-1, 1]) {
      const made = candidateOf(content, peers.slice(0, 2));
      const lie = { ...made, manifest: { ...made.manifest, bytes: made.manifest.bytes + off } };
      const { next, asks } = asked(beginSnapshotDownload(lie));
      const [ask = { peer: stranger, chunk: 0 }] = asks;
      expect(takeChunk(next, ask, content[0] ?? utf8('')).verdict).toEqual({
        status: 'manifest false',
        code: 'SNAPSHOT_FALSE',
        blamed: peers.slice(0, 2),
      });
    }
  });

  it('asks a peer no more that is silent three times, keeps a chunk no more, or went', () => {
    const begun = () => asked(beginSnapshotDownload(candidateOf(contentOf(1), [peer(0)]))).next;
    const ask = { peer: peer(0), chunk: 0 };
    let silent = begun();
    for (const left of ['downloading', 'downloading', 'exhausted'] as const) {
      silent = missChunk(silent, ask, 'silent');
      expect(downloadStatus(silent)).toBe(left);
      silent = askForChunks(silent).download;
    }
    expect(downloadStatus(missChunk(begun(), ask, 'gone'))).toBe('exhausted');
    expect(downloadStatus(loseHolder(begun(), peer(0)))).toBe('exhausted');
    expect(loseHolder(begun(), peer(0)).open).toEqual([]);
  });

  it('asks one more for the lowest chunk when it is waited for, and whom it waited for only when all are so (SY-8)', () => {
    const content = contentOf(20);
    const both = candidateOf(content, [peer(0), peer(1)]);
    const begun = asked(beginSnapshotDownload(both)).next;
    const busy = hurryChunk(begun);
    expect(busy.asks, 'the other one has no place').toEqual([]);
    const free = takeChunk(busy.download, { peer: peer(1), chunk: 1 }, content[1] ?? utf8('')).download;
    const { download: hurried, asks } = hurryChunk(free);
    expect(asks).toEqual([{ peer: peer(1), chunk: 0 }]);
    const helped = takeChunk(hurried, { peer: peer(1), chunk: 0 }, content[0] ?? utf8(''));
    expect(helped.ready).toEqual([content[0], content[1]]);
    const late = takeChunk(helped.download, { peer: peer(0), chunk: 0 }, content[0] ?? utf8(''));
    expect([late.verdict.status, late.ready, late.download.handed]).toEqual(['good', [], 2]);
    expect(late.download.arrived.size, 'it is held nowhere').toBe(0);
    expect(asked(late.download).asks, 'who kept it waiting is not asked').toEqual([
      { peer: peer(1), chunk: 2 },
    ]);
    let even = askForChunks(late.download).download;
    for (let times = 0; times < 2; times += 1) even = hurryChunk(even).download;
    const nobody = even.holders.map(({ hurries }) => hurries);
    expect(nobody).toEqual([3, 2]);
  });

  it('does not hold it against a peer that its rate was reached', () => {
    let download = beginSnapshotDownload(candidateOf(contentOf(1), [peer(0)]));
    for (let times = 0; times < 9; times += 1) {
      download = missChunk(askForChunks(download).download, { peer: peer(0), chunk: 0 }, 'unasked');
      expect(downloadStatus(download)).toBe('downloading');
    }
    expect(asked(download).asks).toHaveLength(1);
  });

  it('forgets the silences of a peer that answers', () => {
    const content = contentOf(9);
    let download = beginSnapshotDownload(candidateOf(content, [peer(0)]));
    for (let chunk = 0; chunk < 9; chunk += 1) {
      for (const why of ['silent', 'silent', 'given'] as const) {
        download = askForChunks(download).download;
        const ask = { peer: peer(0), chunk };
        if (why === 'silent') download = missChunk(download, ask, 'silent');
        else download = noteWritten(takeChunk(download, ask, content[chunk] ?? utf8('')).download, 1);
      }
      // The next one was asked for too, and is asked for again.
      download = { ...download, open: [] };
    }
    expect(downloadStatus(download)).toBe('complete');
  });

  it('completes with the true chunks as long as one honest holder stays, and blames liars only', () => {
    const kinds = fc.constantFrom('honest', 'liar', 'silent', 'empty');
    fc.assert(
      fc.property(
        fc.array(kinds, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 30 }),
        fc.infiniteStream(fc.nat(7)),
        (behaviours, count, draws) => {
          const content = contentOf(count);
          const holders = peers.slice(0, behaviours.length);
          const behaviourOf = (who: Address) => behaviours[holders.indexOf(who)];
          let download = beginSnapshotDownload(candidateOf(content, holders));
          const handed: Uint8Array[] = [];
          for (let turn = 0; downloadStatus(download) === 'downloading'; turn += 1) {
            expect(turn).toBeLessThan(20 + 20 * count);
            download = askForChunks(download).download;
            const inMemory =
              download.open.length + download.arrived.size + download.handed - download.written;
            expect(inMemory).toBeLessThanOrEqual(SNAPSHOT_WINDOW_CHUNKS);
            for (const each of holders) {
              expect(download.open.filter((ask) => ask.peer === each).length).toBeLessThanOrEqual(2);
            }
            const ask = download.open[draws.next().value % Math.max(1, download.open.length)];
            if (ask === undefined) {
              download = noteWritten(download, 1);
              continue;
            }
            const behaviour = behaviourOf(ask.peer);
            if (behaviour === 'silent' || behaviour === 'empty') {
              download = missChunk(download, ask, behaviour === 'silent' ? 'silent' : 'gone');
              continue;
            }
            const bytes = behaviour === 'liar' ? utf8('lie') : (content[ask.chunk] ?? utf8(''));
            const taken = takeChunk(download, ask, bytes);
            expect(taken.verdict.status).toBe(behaviour === 'liar' ? 'differs' : 'good');
            handed.push(...taken.ready);
            download = draws.next().value > 3 ? noteWritten(taken.download, 2) : taken.download;
          }
          expect(downloadStatus(download)).toBe(behaviours.includes('honest') ? 'complete' : 'exhausted');
          expect(handed).toEqual(content.slice(0, handed.length));
          if (behaviours.includes('honest')) expect(handed).toHaveLength(count);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('what proves a snapshot (SY-10)', () => {
  const appHash = digestOf(utf8('state'));
  const headers = (...executed: readonly number[]): readonly CertifiedBlock[] => {
    const made = blockOn(undefined);
    return executed.map((at, index) => ({
      qc: made.qc,
      block: {
        ...made.block,
        header: {
          ...made.block.header,
          height: height(50 + index),
          executed: { height: height(at), appHash },
        },
      },
    }));
  };

  it('is a header that states the hash of just this height', () => {
    expect(certificationOf(height(48), headers(46, 47, 48, 49))).toEqual({
      status: 'certified',
      appHash,
      by: 52,
    });
    expect(certificationOf(height(48), headers(46, 47))).toEqual({ status: 'not yet' });
    expect(certificationOf(height(48), [])).toEqual({ status: 'not yet' });
  });

  it('never comes when the headers pass over the height: a round failed', () => {
    expect(certificationOf(height(48), headers(46, 47, 49))).toEqual({ status: 'never certified', by: 52 });
  });

  it('is height and hash together', () => {
    const certified = { height: height(48), appHash };
    expect(isRestored({ ...certified }, certified)).toBe(true);
    expect(isRestored({ ...certified, height: height(47) }, certified)).toBe(false);
    expect(isRestored({ ...certified, appHash: digestOf(utf8('other')) }, certified)).toBe(false);
  });

  it('leaves the blocks to fetch that tell duplicates of the next one, and one below (EX-2)', () => {
    expect(firstBlockNeeded(height(1_000), 300)).toBe(700);
    expect(firstBlockNeeded(height(1_000), 1)).toBe(999);
    expect(firstBlockNeeded(height(200), 300)).toBe(1);
  });
});
