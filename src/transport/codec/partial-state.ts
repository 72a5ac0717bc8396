/**
 * The executed states in a StateSync message as one byte string in msgpack, compressed where that helps. The list has one
 * encoding; its compressed form has as many as there are engines. Never throws on foreign bytes. Rules BR-4, BR-5, TP-8, TP-11.
 */
import { equalBytes } from '../../base/bytes.ts';
import { STATES_MAX, type StateSyncMessage } from '../../protocol/bridge/messages.ts';
import type { ExecutedState } from '../../protocol/chain/types.ts';
import type { FrameRefusal } from '../../protocol/transport/refusal.ts';
import { compressState, restoreState, type StateOnWire } from './compressed-state.ts';
import { packr } from './packr.ts';
import { StructureScanner } from './prescan.ts';
import { EXECUTED_STATES } from './schemas.ts';

type StateList = Pick<StateSyncMessage, 'sequenceNumber' | 'partialState'>;

export type PartialStateWriting =
  | { readonly outcome: 'written'; readonly state: StateOnWire }
  | { readonly outcome: 'refused'; readonly refusal: FrameRefusal };
export type PartialStateReading =
  | { readonly outcome: 'read'; readonly partialState: readonly ExecutedState[] }
  | { readonly outcome: 'refused'; readonly refusal: FrameRefusal };

/** The head of the list, then of each state its head, two keys, a double and a hash in hex. @unit bytes @source held by a test */
const PARTIAL_STATE_BYTES_MAX = 3 + STATES_MAX * (1 + 7 + 9 + 8 + 66);
/** The list, and of each state itself, two keys and two values. */
const BOUNDS = { nodesMax: 1 + STATES_MAX * 5, texts: 'digests' } as const;

const kind = 'StateSync';
const path = 'partialState';
const scanner = new StructureScanner();

/** The list for the wire; refused when `readPartialState` would refuse it. */
export function writePartialState({ sequenceNumber, partialState }: StateList): PartialStateWriting {
  const shaped = shapeOf(partialState, sequenceNumber);
  if (shaped.outcome === 'refused') return shaped;
  // A copy: what msgpackr gives is a view of its pool.
  const serialised = new Uint8Array(packr.pack(shaped.partialState));
  return { outcome: 'written', state: compressState(serialised, sequenceNumber) };
}

/** The list that `state` holds. Total. */
export function readPartialState(state: StateOnWire, sequenceNumber: number): PartialStateReading {
  const restored = restoreState(state, { sequence: sequenceNumber, bytesMax: PARTIAL_STATE_BYTES_MAX });
  if (restored.outcome === 'refused') return refused({ ...restored.refusal, kind });
  const { serialised } = restored;
  const structure = scanner.scan(serialised, 0, BOUNDS);
  if (structure !== undefined) {
    const problem = `Failed to deserialize: ${structure.fault} at byte ${structure.offset} of ${path}`;
    return refused({ code: 'STRUCTURE', kind, ...structure, problem });
  }
  const shaped = shapeOf(unpacked(serialised), sequenceNumber);
  if (shaped.outcome === 'refused') return shaped;
  return equalBytes(packr.pack(shaped.partialState), serialised)
    ? shaped
    : refused({ code: 'NOT_CANONICAL', kind });
}

/** The scan has ruled out what makes msgpackr throw; if it does, there is no list. */
function unpacked(serialised: Uint8Array): unknown {
  try {
    return packr.unpack(serialised);
  } catch {
    return undefined;
  }
}

function shapeOf(raw: unknown, sequenceNumber: number): PartialStateReading {
  const parsed = EXECUTED_STATES.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return misshapen(issue?.path.map(String) ?? [], issue?.message ?? 'malformed');
  }
  let above = sequenceNumber;
  for (const [index, { height }] of parsed.data.entries()) {
    if (height >= above) return misshapen([`${index}`, 'height'], `expected a height below ${above}`);
    above = height;
  }
  return { outcome: 'read', partialState: parsed.data };
}

const misshapen = (inside: readonly string[], problem: string): PartialStateReading =>
  refused({ code: 'SCHEMA', kind, path: [path, ...inside].join('.'), problem });

const refused = (refusal: FrameRefusal): { readonly outcome: 'refused'; readonly refusal: FrameRefusal } => ({
  outcome: 'refused',
  refusal,
});
