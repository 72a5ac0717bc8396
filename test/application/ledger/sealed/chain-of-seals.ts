/** A ledger that takes transfers sealed: seals and reveals of its accounts, made as a client makes them. For tests. */
import { encodeContent, type SealedTransfer } from '../../../../src/application/ledger/sealed/content.ts';
import { encodeReveal } from '../../../../src/application/ledger/sealed/reveal.ts';
import { toHex, utf8 } from '../../../../src/base/bytes.ts';
import { sha256 } from '../../../../src/crypto/hash.ts';
import { commitIdOf, commitmentOf } from '../../../../src/protocol/ordering/commitment.ts';
import { type SizeClass, sizeClassFor } from '../../../../src/protocol/ordering/size-classes.ts';
import { present } from '../../../protocol/consensus/fixture.ts';
import { type ChainOptions, type Key, LedgerChain } from '../chain-of-ledger.ts';

/** R of these chains: the least of four validators alike. @unit heights */
export const R = 10;
export const DEPOSIT = 200n;
/** Of a small seal at the least price: 4 work of 10 units, and 5 units for each of two places. @unit units */
export const SEAL_FEE = 50n;

export interface Sealed {
  readonly id: string;
  readonly seal: Uint8Array;
  readonly reveal: Uint8Array;
  readonly commitment: Uint8Array;
}

export interface SealGiven {
  readonly nonce?: bigint;
  readonly sizeClass?: SizeClass;
  readonly salt?: Uint8Array;
  readonly tip?: bigint;
  readonly commitment?: Uint8Array;
  /** Genesis hash of the chain that they go to. */
  readonly chain?: Uint8Array;
}

export class SealedChain extends LedgerChain {
  constructor(options: ChainOptions = {}) {
    super({
      ...options,
      parameters: {
        ordering: 'commit_reveal',
        reveal_heights: R,
        reveal_ms: 0,
        seal_deposit: (DEPOSIT / 2n).toString(),
        seal_fee: '5',
        seals_per_sender_max: 3,
        block_work_target: 1_000,
        ...options.parameters,
      },
    });
  }

  sealed(key: Key, transfers: readonly SealedTransfer[], given: SealGiven = {}): Sealed {
    const content = encodeContent(transfers, given.chain);
    const { nonce, lastHeight } = { ...this.turn(key), ...(given.nonce === undefined ? {} : given) };
    const salt = given.salt ?? sha256(utf8(`salt of ${key.text} ${nonce}`));
    const { genesisHash } = this.domain;
    const commitment =
      given.commitment ?? commitmentOf({ genesisHash, sender: key.address, nonce }, content, salt);
    const sizeClass = given.sizeClass ?? present(sizeClassFor(content.byteLength), 'a class');
    const seal = this.sign(
      key,
      { kind: 'seal', sizeClass, commitment },
      { nonce, lastHeight, feeMax: 100_000n, tip: given.tip ?? 0n },
    );
    const id = commitIdOf({ sender: key.address, nonce }, commitment);
    return { id: toHex(id), seal, reveal: encodeReveal({ id, salt, content }), commitment };
  }

  /** Empty blocks up to this one, which is not made yet. */
  idleTo(height: number): void {
    this.idle(height - 1 - this.height);
  }

  statusOf(id: string): unknown {
    return this.ask('/seal', id)['status'];
  }

  /** What the newest block told of seals: outcome and place by id. */
  told(): ReadonlyMap<string, string> {
    return new Map(
      this.events
        .filter(({ type }) => type === 'ledger.sealed')
        .map(({ attributes }) => {
          const of = (name: string) => attributes.find(({ key }) => key === name)?.value ?? '';
          return [of('seal'), of('outcome')];
        }),
    );
  }
}
