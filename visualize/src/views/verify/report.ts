/** What a verification says: each check in words, with its numbers, and what it proves in the end. Types and data alone. */

/** What the reader trusts to begin with; everything else is proven. */
export type Trusted =
  /** The genesis that the node shows, or one that was pasted. */
  | { readonly kind: 'genesis'; readonly document: unknown; readonly isPasted: boolean }
  /** A later epoch by its hash, as a light client says it (`TrustedPoint`, src/client/light/types.ts). */
  | { readonly kind: 'point'; readonly point: unknown };

export interface VerifyTask {
  /** Hexadecimal, as in `CertificateAnswer`. */
  readonly proof: string;
  readonly epochs: readonly string[];
  readonly scheme: 'bls12-381' | 'keyed-hash';
  readonly trusted: Trusted;
  readonly height: number;
  /** The block that the page shows at that height, where it shows one. */
  readonly block: string | undefined;
}

export const CHECKS = [
  'trusted',
  'encoding',
  'epochs',
  'block',
  'validators',
  'path',
  'consecutive',
  'quorum',
  'signature',
  'fork',
] as const;
export type CheckName = (typeof CHECKS)[number];

export interface Check {
  readonly name: CheckName;
  readonly outcome: 'passed' | 'failed' | 'notReached';
  /** What was found, with its numbers. */
  readonly says: string;
}

export interface Signer {
  readonly address: string;
  readonly power: string;
  readonly signed: boolean;
}

export interface Report {
  /** 'unverifiable': the structure holds, and nobody outside can check these signatures. */
  readonly verdict: 'proven' | 'refused' | 'unverifiable';
  readonly checks: readonly Check[];
  readonly signers: readonly Signer[];
  /** @unit power, decimal */
  readonly power: { readonly signed: string; readonly quorum: string; readonly total: string } | undefined;
  /** Code and operands of what refused it. */
  readonly refusal: { readonly code: string; readonly detail: string } | undefined;
}

/** More epochs are needed, from this one on: the node is asked again. */
export interface AskOn {
  readonly fromEpoch: number;
}

/** What each check is about, for whoever has never seen one. */
export const CHECK_WORDS: Readonly<Record<CheckName, { readonly title: string; readonly why: string }>> = {
  trusted: {
    title: 'What you start from',
    why: 'The genesis names the first validators; each of them proved that it holds its key.',
  },
  encoding: {
    title: 'The proof is in its one encoding',
    why: 'Other bytes for the same proof do not exist, so nothing can hide in them.',
  },
  epochs: {
    title: 'The validators of this height follow from those',
    why: 'A quorum of each epoch committed the block that names the validators of the next.',
  },
  block: {
    title: 'The header is the block you asked for',
    why: 'The block’s id is the hash of the header’s bytes; the page hashes them itself.',
  },
  validators: {
    title: 'The header names these validators',
    why: 'It carries the hash of the epoch that it is judged by.',
  },
  path: {
    title: 'Each header above is a child of the one below',
    why: 'By the hash of its parent, its height and its parent’s round, up to the certified block.',
  },
  consecutive: {
    title: 'Two certified rounds in a row',
    why: 'HotStuff commits a block when its child is certified in the very next round.',
  },
  quorum: {
    title: 'A quorum signed',
    why: 'More than two thirds of the power, so that any two quorums share an honest validator.',
  },
  signature: {
    title: 'The signature is theirs',
    why: 'One BLS12-381 signature, checked by two pairings against the sum of the signers’ public keys.',
  },
  fork: {
    title: 'No other block was proven at this height',
    why: 'Two proofs of two blocks at one height would convict a third of the validators.',
  },
};

export const NOT_PROVEN: readonly string[] = [
  'That this is the newest block: a node may keep newer ones from you.',
  'That the genesis is your network’s, where the node itself gave it: compare its hash with one from elsewhere.',
  'What transactions did in this block: a header states the state after an earlier height, which a proof of a key is checked against.',
  'Anything, if a third of the validators’ power, or more, breaks the rules together.',
];
