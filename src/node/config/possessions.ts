/**
 * Remembers on disk which keys have proven their possession, so that a pairing in JavaScript (16 ms and its warming up)
 * is paid once a key and not once a start. As trusted as the genesis beside it: who can write here can write keys too.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { toHex } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import type { PossessionVerifier } from '../../protocol/chain/genesis.ts';

export interface Possessions extends PossessionVerifier {
  /** A proof that this process made itself needs no verification. */
  readonly admit: (publicKey: Uint8Array, proof: Uint8Array) => void;
  /** Writes what is new; without it nothing is kept. A disk that refuses costs only time at the next start. */
  readonly save: (path: string) => void;
}

/** Proofs kept in one file; further ones are verified at each start. @unit proofs @source 4 sets of 1,024 */
const PROOFS_MAX = 4_096;
const LINE = /^[0-9a-f]{64}$/;
/** First line: what a proof proves. A file of another scheme, or of none, says nothing about this one. */
const HEADER = 'althing/possessions/v1';

/** The proofs remembered in `path` (none when it is not there or not readable), and `verifier` for all others. */
export function rememberedPossessions(verifier: PossessionVerifier, path?: string): Possessions {
  const remembered = new Set(path === undefined ? [] : linesOf(path));
  const proven = new Set<string>();
  const admit = (publicKey: Uint8Array, proof: Uint8Array): void => {
    if (proven.size < PROOFS_MAX) proven.add(digestOf(publicKey, proof));
  };
  return {
    admit,
    verifyPossession(publicKey, proof) {
      const digest = digestOf(publicKey, proof);
      const holds =
        proven.has(digest) || remembered.has(digest) || verifier.verifyPossession(publicKey, proof);
      if (holds) admit(publicKey, proof);
      return holds;
    },
    save(target) {
      if (target === path && proven.isSubsetOf(remembered)) return;
      try {
        writeFileSync(`${target}.new`, [HEADER, ...proven, ''].join('\n'), { mode: 0o600 });
        renameSync(`${target}.new`, target);
      } catch {
        // Kept nowhere: verified again at the next start.
      }
    },
  };
}

const digestOf = (publicKey: Uint8Array, proof: Uint8Array): string => toHex(sha256(publicKey, proof));

function linesOf(path: string): readonly string[] {
  try {
    const [header, ...lines] = readFileSync(path, 'utf8').split('\n');
    if (header !== HEADER) return [];
    return lines.filter((line) => LINE.test(line)).slice(0, PROOFS_MAX);
  } catch {
    return [];
  }
}
