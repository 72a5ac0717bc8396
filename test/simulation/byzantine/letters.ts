/** Real messages of a run under rough links, for lies to work on. */
import { millis } from '../../../src/base/units.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import type { EpochContext } from '../../../src/protocol/consensus/epoch.ts';
import type { Signer } from '../../../src/protocol/consensus/safety.ts';
import { isPeerMessage } from '../../../src/protocol/transport/kinds.ts';
import type { Letter } from '../../../src/simulation/byzantine/lie.ts';
import { heightBy } from '../../../src/simulation/byzantine/pen.ts';
import type { RunPlan } from '../../../src/simulation/plan.ts';
import { runPlan } from '../../../src/simulation/run.ts';
import { START_WALL_MS } from '../../../src/simulation/setting.ts';
import { CALM } from '../../../src/transport/hub.ts';

export const LIAR = 3;

export interface Correspondence {
  readonly epoch: EpochContext;
  readonly bls: BlsEngine;
  readonly signer: Signer;
  /** What validator LIAR sent, and what came to it, in order. */
  readonly letters: readonly { readonly direction: 'sent' | 'heard'; readonly letter: Letter }[];
}

/** Everything quiet but for rough links: rounds fail now and then, blocks are fetched. */
export const ROUGH_PLAN: RunPlan = {
  seed: 'letters',
  validators: 4,
  twins: [],
  lateStarts: [{ node: LIAR, at: 4_000 }],
  signatures: 'keyed-hash',
  carry: 'reference',
  links: { ...CALM, delayMin: millis(5), delayMean: millis(40), drop: 0.25, reorder: true },
  timeouts: { emptyBlockIntervalMs: millis(100) },
  liars: [],
  clocks: [],
  acts: Array.from({ length: 90 }, (_, turn) => ({
    at: 200 + turn * 400,
    act: { kind: 'load', node: turn % 4, transactions: 3, bytes: 64 },
  })),
  durationMs: 40_000,
  ending: { kind: 'stop' },
};

export type TimeLetter = Letter & Letter<'TimeReply'>;

/** Honest answers about time, one a second, to each of the others in turn; each took 2 ms to write. */
export function timeReplies({ epoch, signer }: Correspondence): readonly TimeLetter[] {
  const others = epoch.set.validators.filter(({ address }) => address !== signer.address);
  return Array.from({ length: 16 }, (_, turn) => turn).flatMap((turn) =>
    others.map(({ address }, place): TimeLetter => {
      const requestId = turn * others.length + place;
      const receivedMicros = (START_WALL_MS + requestId * 1_000) * 1_000;
      const repliedMicros = receivedMicros + 2_000;
      return {
        from: signer.address,
        to: address,
        message: { kind: 'TimeReply', requestId, receivedMicros, repliedMicros, isSynchronised: true },
      };
    }),
  );
}

/** What bridges say, to one of the others. */
export function bridgeLetters({ epoch, signer }: Correspondence): readonly Letter[] {
  const to = epoch.set.validators.find(({ address }) => address !== signer.address)?.address;
  if (to === undefined) throw new Error('a set of one');
  const { height } = epoch.rootQC;
  const appHash = epoch.domain.genesisHash;
  return [1, 2, 3, 4].flatMap((tag): readonly Letter[] => [
    {
      from: signer.address,
      to,
      message: {
        kind: 'StateSync',
        stateHash: appHash,
        sequenceNumber: heightBy(height, tag),
        partialState: [{ height, appHash }],
      },
    },
    {
      from: signer.address,
      to,
      message: {
        kind: 'SubmitOperations',
        tag,
        operations: [Uint8Array.of(tag), Uint8Array.of(tag, tag)],
      },
    },
    {
      from: signer.address,
      to,
      message: {
        kind: 'OperationsAnswered',
        tag,
        admissions: [{ accepted: true }, { accepted: false, code: 'TOO_LARGE', log: '' }],
      },
    },
  ]);
}

let known: Correspondence | undefined;

export function correspondence(): Correspondence {
  known ??= gather();
  return known;
}

function gather(): Correspondence {
  const letters: Correspondence['letters'][number][] = [];
  let setting: Omit<Correspondence, 'letters'> | undefined;
  runPlan(ROUGH_PLAN, {
    prepared: (cluster) => {
      setting = { epoch: cluster.epoch, bls: cluster.bls, signer: cluster.signerOf(LIAR) };
    },
    observers: [
      {
        sent: ({ node, address }, to, message) => {
          if (!isPeerMessage(message)) return;
          const letter: Letter = { from: address, to, message };
          if (node === LIAR) letters.push({ direction: 'sent', letter });
          else if (to === setting?.signer.address) letters.push({ direction: 'heard', letter });
        },
      },
    ],
  });
  if (setting === undefined) throw new Error('the run was not prepared');
  return { ...setting, letters };
}
