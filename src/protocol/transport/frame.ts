/** One encoded message on its way to any number of peers. Types only. Rules TP-4, TP-8. */
import type { WireKind } from './kinds.ts';
import type { WireMessage } from './messages.ts';
import type { FrameRefusal } from './refusal.ts';

/** A message as it travels; made once, sent to any number of peers. */
export interface Frame {
  readonly kind: WireKind;
  readonly bytes: Uint8Array;
}

export type Encoding =
  | { readonly outcome: 'encoded'; readonly frame: Frame }
  | { readonly outcome: 'refused'; readonly refusal: FrameRefusal };

/** The codec's half that cells use; `src/transport/codec/` has it. */
export type Encode = (message: WireMessage) => Encoding;
