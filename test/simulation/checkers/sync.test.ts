/** Each claim about sync is broken by a history made for it, and kept by the same history without the fault. SM-4, SY-1 to SY-9. */
import { describe, expect, it } from 'vitest';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { addressOf } from '../../../src/protocol/chain/validator-set.ts';
import type { ForkEvidence } from '../../../src/protocol/sync/types.ts';
import type { Violation } from '../../../src/simulation/checkers/index.ts';
import {
  DURABLE_HEIGHT,
  FORK_ENDS_SIGNING,
  FORK_PROVED,
  FORK_SEEN,
  HEARD_FIRST,
  NO_FALSE_ALARM,
  OPERATOR_ONLY,
  QUESTIONS_BOUNDED,
  RIGHT_BLAME,
  type StatusSeen,
  Syncs,
  WINDOW_BOUNDED,
  type WindowSeen,
} from '../../../src/simulation/checkers/sync.ts';
import { Cluster } from '../../../src/simulation/cluster.ts';

const run = new Cluster({ seed: 'sync claims', start: false });
const [first, second, third, liar] = run.epoch.set.validators.map(({ address }) => address);
const stranger = addressOf(new Uint8Array(32));
const [ME, A, B, LIAR]: readonly [Address, Address, Address, Address] = [
  first ?? stranger,
  second ?? stranger,
  third ?? stranger,
  liar ?? stranger,
];

/** @param faulty validators that lie */
function checked(work: (syncs: Syncs) => void, faulty: readonly Address[] = [LIAR]): readonly string[] {
  const violations: Violation[] = [];
  const report = (claim: string, detail: string): void => void violations.push({ claim, detail });
  const syncs = new Syncs({ epoch: run.epoch, bls: run.bls }, new Set(faulty), report);
  syncs.began(ME);
  work(syncs);
  return violations.map(({ claim }) => claim);
}

const IN_SYNC: StatusSeen = {
  kind: 'InSync',
  own: 7,
  onDisk: 7,
  resyncs: 0,
  fork: undefined,
  set: run.epoch.set,
};
const CRITICAL: StatusSeen = { ...IN_SYNC, kind: 'Critical', reason: 'told so' };
const WINDOW: WindowSeen = { asked: 300, tip: 100, maxGap: 200, bytes: 1_000, isMoving: true };
const open = (...kinds: readonly string[]) => new Map([[A, kinds]]);

const { rootQC } = run.epoch;
const NO_PROOF: ForkEvidence = {
  kind: 'RoundCertificates',
  first: { ...rootQC, round: run.epoch.rootQC.round },
  second: rootQC,
};

describe('in sync', () => {
  it('needs answers of more than f, of this life, and not the own one (SY-2)', () => {
    expect(checked((syncs) => syncs.showed(ME, 1, IN_SYNC))).toEqual([HEARD_FIRST]);
    const heard = (...peers: readonly Address[]) =>
      checked((syncs) => {
        for (const peer of peers) syncs.heard(ME, peer);
        syncs.showed(ME, 1, IN_SYNC);
      });
    expect(heard(A)).toEqual([HEARD_FIRST]);
    expect(heard(A, A)).toEqual([HEARD_FIRST]);
    expect(heard(A, B)).toEqual([]);
    const again = (syncs: Syncs): void => {
      for (const peer of [A, B]) syncs.heard(ME, peer);
      syncs.began(ME);
      syncs.showed(ME, 1, IN_SYNC);
    };
    expect(checked(again)).toEqual([HEARD_FIRST]);
  });

  it('goes by a height that is on the disk (SY-12)', () => {
    const shown = (own: number | undefined, onDisk: number | undefined) =>
      checked((syncs) => syncs.showed(ME, 1, { ...IN_SYNC, kind: 'Unknown', own, onDisk }));
    expect(shown(8, 7)).toEqual([DURABLE_HEIGHT]);
    expect(shown(7, 7)).toEqual([]);
    expect(shown(6, 7)).toEqual([]);
    expect(shown(8, undefined)).toEqual([]);
    expect(shown(undefined, 7)).toEqual([]);
  });
});

describe('Critical', () => {
  it('is no claim of f liars, and may be one of more (SY-5)', () => {
    const shown = (faulty: readonly Address[]) => checked((syncs) => syncs.showed(ME, 1, CRITICAL), faulty);
    expect(shown([LIAR])).toEqual([NO_FALSE_ALARM]);
    expect(shown([LIAR, B])).toEqual([]);
  });

  it('is what a node on one side of a fork must be in the end (SY-5)', () => {
    const ended = (status: StatusSeen, isForked: boolean) =>
      checked(
        (syncs) => {
          syncs.showed(ME, 1, status);
          syncs.ended(ME, isForked);
        },
        [LIAR, B],
      );
    const unknown = { ...IN_SYNC, kind: 'Unknown' };
    expect(ended(unknown, true)).toEqual([FORK_SEEN]);
    expect(ended(unknown, false)).toEqual([]);
    expect(ended(CRITICAL, true)).toEqual([]);
  });
});

describe('a proven fork', () => {
  it('is evidence that holds (SY-5)', () => {
    const shown = (evidence: ForkEvidence) =>
      checked((syncs) => syncs.showed(ME, 1, { ...CRITICAL, fork: { evidence } }), [LIAR, B]);
    expect(shown(NO_PROOF)).toEqual([FORK_PROVED]);
    const half = { id: rootQC.blockId, proof: rootQC };
    expect(shown({ kind: 'CommitProofs', height: rootQC.height, first: half, second: half })).toEqual([
      FORK_PROVED,
    ]);
  });

  it('ends signing: what was signed before may be sent again, nothing new (SY-5)', () => {
    const signs = (at: number, round: number) =>
      checked(
        (syncs) => {
          syncs.signed(ME, 5, 'vote', { epoch: 0, round: 10 });
          syncs.showed(ME, 6, { ...CRITICAL, fork: {} });
          syncs.signed(ME, at, 'vote', { epoch: 0, round });
        },
        [LIAR, B],
      );
    expect(signs(7, 11)).toEqual([FORK_ENDS_SIGNING]);
    expect(signs(7, 10)).toEqual([]);
    expect(signs(6, 11)).toEqual([]);
  });
});

describe('bounds', () => {
  it('a full resync is the operator’s (SY-9)', () => {
    expect(checked((syncs) => syncs.showed(ME, 1, { ...IN_SYNC, kind: 'Unknown', resyncs: 1 }))).toEqual([
      OPERATOR_ONLY,
    ]);
    expect(checked((syncs) => syncs.resyncBegan(ME, 'a side store'))).toEqual([OPERATOR_ONLY]);
  });

  it('the window: heights while it moves, bytes always (SY-8)', () => {
    const held = (change: Partial<WindowSeen>) =>
      checked((syncs) => syncs.window(ME, { ...WINDOW, ...change }));
    expect(held({})).toEqual([]);
    expect(held({ asked: 557 })).toEqual([WINDOW_BOUNDED]);
    expect(held({ asked: 557, isMoving: false })).toEqual([]);
    expect(held({ asked: undefined })).toEqual([]);
    expect(held({ bytes: 200 * 1_048_576 })).toEqual([WINDOW_BOUNDED]);
  });

  it('questions to one peer: two for blocks, one of each other kind, and so many tasks (SY-6)', () => {
    const asked = (tasks: number, ...kinds: readonly string[]) =>
      checked((syncs) => syncs.questions(ME, open(...kinds), tasks));
    expect(asked(3, 'GetBlocks', 'GetBlock', 'GetBlockHeight', 'GetChain')).toEqual([]);
    expect(asked(3, 'GetBlocks', 'GetBlock', 'GetBlocks')).toEqual([QUESTIONS_BOUNDED]);
    expect(asked(3, 'GetBlockHeight', 'GetBlockHeight')).toEqual([QUESTIONS_BOUNDED]);
    expect(asked(129)).toEqual([QUESTIONS_BOUNDED]);
  });
});

describe('blame', () => {
  it('is for liars alone, but for what links do (SY-8)', () => {
    const blamed = (peer: Address, code: string, faulty = [LIAR]) =>
      checked((syncs) => syncs.blamed(ME, peer, code), faulty);
    expect(blamed(A, 'CLAIM_FALSE')).toEqual([RIGHT_BLAME]);
    expect(blamed(LIAR, 'CLAIM_FALSE')).toEqual([]);
    expect(blamed(A, 'REQUEST_TIMEOUT')).toEqual([]);
    expect(blamed(A, 'CLAIM_FALSE', [LIAR, B])).toEqual([]);
    expect(checked((syncs) => syncs.distrusts(ME, A))).toEqual([RIGHT_BLAME]);
    expect(checked((syncs) => syncs.distrusts(ME, LIAR))).toEqual([]);
  });
});
