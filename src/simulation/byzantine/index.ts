/**
 * Byzantine validators of a simulated run: their program is the production one, and what it sends is lied about on its
 * way out. Deterministic. Rule SM-3; docs/simulation/byzantine.md.
 */
import type { PeerMessage } from '../../protocol/consensus/types.ts';
import { isPeerMessage } from '../../protocol/transport/kinds.ts';
import type { Transit } from '../../transport/hub.ts';
import type { Liar, LieKind } from '../plan.ts';
import { duplicateSigners } from './duplicate-signers.ts';
import { equivocate } from './equivocate.ts';
import { flood } from './flood.ts';
import { forgeSigners } from './forge-signers.ts';
import { hideQc } from './hide-qc.ts';
import type { LiarTools, LieModule, LieTools } from './lie.ts';
import { lieClocks } from './lie-clocks.ts';
import { lieHeights } from './lie-heights.ts';
import { lieSync } from './lie-sync.ts';
import { lieTimes } from './lie-times.ts';
import { lieVrf } from './lie-vrf.ts';
import { Memory } from './memory.ts';
import { mutate } from './mutate.ts';
import { type Pen, penOf } from './pen.ts';
import { staleCertificates } from './stale-certificates.ts';
import { withholdVotes } from './withhold-votes.ts';

/** Every lie by its kind. */
export const LIES: Readonly<Record<LieKind, LieModule>> = {
  equivocate,
  'withhold-votes': withholdVotes,
  'hide-qc': hideQc,
  'stale-certificates': staleCertificates,
  'lie-heights': lieHeights,
  'lie-times': lieTimes,
  'forge-signers': forgeSigners,
  'duplicate-signers': duplicateSigners,
  flood,
  mutate,
  'lie-clocks': lieClocks,
  'lie-sync': lieSync,
  'lie-vrf': lieVrf,
};

export const LIE_KINDS = Object.keys(LIES).filter((kind): kind is LieKind => Object.hasOwn(LIES, kind));

/** A liar's mouth and ears. */
export interface LyingVoice {
  /** What leaves instead of what its program sent; `[sent]` when it tells the truth. */
  outgoing(sent: Transit): readonly Transit[];
  /** A message is on its way to it. */
  heard(arriving: Transit): void;
}

/**
 * One liar. Whether a message is lied about is drawn once for the message, also when it goes to many; each lie concerns
 * some kinds of message, and among those of the liar that do one is drawn.
 */
export function createLiar(liar: Liar, tools: LiarTools): LyingVoice {
  const memory = new Memory();
  const { signer, draws, aggregate } = tools;
  let pen: Pen | undefined;
  // One for all lies, which remember what they chose by it; read when needed: its cluster may still be in the making.
  const lieTools: LieTools = {
    ...{ signer, draws, aggregate, memory },
    get epoch() {
      return tools.epoch;
    },
    get pen() {
      pen ??= penOf(tools.epoch, signer);
      return pen;
    },
  };
  const chosen = new WeakMap<PeerMessage, LieModule | 'truth'>();
  const choose = (message: PeerMessage): LieModule | 'truth' => {
    const known = chosen.get(message);
    if (known !== undefined) return known;
    const fitting = liar.lies
      .map((kind) => LIES[kind])
      .filter(({ concerns }) => concerns.includes(message.kind));
    const lies = tools.draws.next() < liar.rate;
    const choice = (lies ? fitting[tools.draws.below(Math.max(1, fitting.length))] : undefined) ?? 'truth';
    chosen.set(message, choice);
    return choice;
  };
  return {
    heard({ message }) {
      if (isPeerMessage(message)) memory.note(message);
    },
    outgoing(sent) {
      const { message } = sent;
      if (!isPeerMessage(message)) return [sent];
      memory.note(message);
      const choice = choose(message);
      return choice === 'truth' ? [sent] : choice.lie({ ...sent, message }, lieTools);
    },
  };
}
