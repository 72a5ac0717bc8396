/** What viewers of the feed ask, and how it is answered. Types only: what travels is JSON. Rules IN-1, RP-4, docs/inspector.md. */
import type { At, BlockRow, NodeIndex } from './feed.ts';

export type Question =
  /** A message between nodes, decoded, by what the wire event says of it. */
  | { readonly kind: 'message'; readonly node: NodeIndex; readonly id: string }
  /** A committed block with its transactions and results. */
  | { readonly kind: 'block'; readonly node: NodeIndex; readonly height: number }
  /** What a page needs to verify a committed height itself. `fromEpoch`: the newest that it knows, at most the height's; 0 when left out. */
  | {
      readonly kind: 'certificate';
      readonly node: NodeIndex;
      readonly height: number;
      readonly fromEpoch?: number;
    };

export interface Answer {
  readonly type: 'answer';
  readonly id: number;
  /** By the question: `MessageAnswer`, `BlockAnswer`, `CertificateAnswer`. A viewer reads it as something from outside. */
  readonly answer: unknown;
}

export interface MessageAnswer {
  readonly kind: string;
  /** Decoded, plain and bounded as `CellDetail.view`. */
  readonly message: unknown;
  /** Its frame, or the beginning of it, hexadecimal, at most 4,096 bytes; absent where nobody kept it. */
  readonly encoded?: string;
  readonly bytes?: number;
  /** Of a sent one: what the node was told or reminded of that made it send. */
  readonly cause?: {
    readonly event: string;
    readonly cell: string;
    readonly turn: number;
    readonly at: At;
    /** Where it came from another node: `WireEvent.id`. */
    readonly wire?: string;
  };
  /** Where a recorded run has it. */
  readonly journal?: { readonly segment: string; readonly offset: number };
}

export interface BlockAnswer {
  readonly block: BlockRow;
  /** Every field of the header, plain. */
  readonly header: Readonly<Record<string, unknown>>;
  readonly batches: readonly { readonly digest: string; readonly count: number; readonly bytes: number }[];
  /** The first of the block, at most 256. */
  readonly transactions: readonly {
    readonly hash: string;
    readonly bytes: number;
    /** As text where it is some, else hexadecimal; cut at 256 letters, the cut marked by '…'. */
    readonly shown: string;
    /** 0: done. Absent: not executed yet. */
    readonly code?: number;
    readonly log?: string;
  }[];
  readonly transactionsTotal: number;
}

/** In the encodings of the light client (src/protocol/light/encoding.ts), which has the rules too: the node is believed in nothing. */
export interface CertificateAnswer {
  /** `encodeProvenHeader`, hexadecimal: the header, those above it up to the certified one, and the QC. */
  readonly proof: string;
  /** `encodeEpochProof`, hexadecimal, oldest first, from `fromEpoch` on; at most 16 and 1 MiB: the page asks on for the rest. */
  readonly epochs: readonly string[];
  /** The document: the page computes its hash, and a reader who has it from elsewhere compares. */
  readonly genesis: unknown;
  /** A simulation may sign with keyed hashes, which nobody outside can verify. */
  readonly scheme: 'bls12-381' | 'keyed-hash';
}
