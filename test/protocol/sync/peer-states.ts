/** Peers as state-sync tells of them, for tests of what is made of their claims. */
import { utf8 } from '../../../src/base/bytes.ts';
import { wallTime } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseBlockId } from '../../../src/protocol/chain/parse.ts';
import type { Address, BlockId, CommitProof } from '../../../src/protocol/chain/types.ts';
import type { CommittedBlock } from '../../../src/protocol/ports/storage.ts';
import type { PeerState, ProvedTip } from '../../../src/protocol/sync/types.ts';
import { chainOf, height, idOf, present, type World } from '../consensus/fixture.ts';

/** A block id that no chain of these tests has. */
export function strangeId(text: string): BlockId {
  const id = parseBlockId(digestOf(utf8(text)));
  if (id === 'malformed') throw new Error(`no id of ${text}`);
  return id;
}

/** What a peer says: a tip with its proof, or a bare height. */
export type Said = ProvedTip | { readonly height: number; readonly id?: BlockId };

/** A peer and its claim; without one it has not answered. */
export function peerState(peer: Address, said?: Said, power = 1n): PeerState {
  const state: PeerState = {
    peer,
    power,
    failures: 0,
    reputation: { peer, score: 0.5, at: wallTime(0), consistentSince: wallTime(0) },
  };
  if (said === undefined) return state;
  const tip = {
    base: height(Math.min(1, said.height)),
    height: height(said.height),
    tipId: said.id ?? strangeId(`tip ${said.height}`),
  };
  const claim =
    'proof' in said
      ? ({ ...tip, status: 'proved', proof: said.proof } as const)
      : ({ ...tip, status: 'unproved' } as const);
  return { ...state, claim };
}

/** Committed blocks from height 1 on. */
export interface Committed {
  readonly tip: (at: number) => ProvedTip;
  readonly block: (at: number) => CommittedBlock;
}

export function committedChain(place: World, length: number): Committed {
  const rounds = Array.from({ length: length + 1 }, (_, index) => index + 1);
  const { blocks, qcs } = chainOf(place, rounds);
  const proofOf = (at: number): CommitProof => present(qcs[at], `proof of ${at}`);
  const block = (at: number): CommittedBlock => {
    const one = present(blocks[at - 1], `block ${at}`);
    const qc = present(qcs[at - 1], `certificate of ${at}`);
    return { id: idOf(place, one), block: one, qc, commitProof: proofOf(at) };
  };
  return { block, tip: (at) => ({ height: height(at), id: block(at).id, proof: proofOf(at) }) };
}
