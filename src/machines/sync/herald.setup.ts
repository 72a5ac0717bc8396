/**
 * Parts of the herald's chart: whoever is connected without being a validator hears of commits, so that it need not ask. What it
 * is told is a certificate: it proves itself, and names the block to fetch (CS-12). Pure. Rule SY-15, docs/protocol/sync.md.
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { CommitProof } from '../../protocol/chain/types.ts';
import type { ExecutionRequest } from '../../protocol/ports/execution.ts';
import type { GuestsTellRequested } from '../../protocol/ports/network.ts';
import { type CellAddress, declare, on, step, telling, types } from '../vocabulary/index.ts';

/** Between two words to the guests. @unit ms @source chosen: ten certificates a second to 32 guests are 100 KB/s */
export const HERALD_PAUSE_MS = millis(100);

export interface HeraldInput {
  readonly router: CellAddress;
}

export interface HeraldContext extends HeraldInput {
  /** Of the newest commit that is durable here. */
  readonly newest: CommitProof | undefined;
  /** The proof that was told last. */
  readonly told: CommitProof | undefined;
}

type HeraldPublicEvent = Extract<ExecutionRequest, { type: 'blocks.committed' }>;

/** Event types that other cells may send (RT-16). */
export const HERALD_EVENTS = declare<HeraldPublicEvent>()('blocks.committed');

export const initialHerald = (input: HeraldInput): HeraldContext => ({
  ...input,
  newest: undefined,
  told: undefined,
});

/** Rounds begin anew with each epoch (CS-16). */
const isAfter = (newest: CommitProof, told: CommitProof | undefined): boolean =>
  told === undefined ||
  newest.epoch > told.epoch ||
  (newest.epoch === told.epoch && newest.round > told.round);

export const heraldSetup = setup({
  types: types<HeraldContext, HeraldPublicEvent, HeraldInput>(),
  guards: {
    thereIsNews: ({ context: { newest, told } }) => newest !== undefined && isAfter(newest, told),
  },
  delays: { pause: HERALD_PAUSE_MS },
  actions: {
    recordNewest: step(
      on('blocks.committed', ({ context, event: { blocks } }) => ({
        context: { newest: blocks.at(-1)?.commitProof ?? context.newest },
      })),
    ),
    tellFollowers: step(({ context: { newest, router } }) => {
      if (newest === undefined) return {};
      const message: GuestsTellRequested = {
        type: 'guests.tellRequested',
        message: { kind: 'QC', qc: newest },
      };
      return { context: { told: newest }, effects: [telling(router, message)] };
    }),
  },
});
