/** A chain whose headers state what the kv application comes to: as a chain that was agreed on does. */

import { kv } from '../../src/application/kv/rules.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { wallTime } from '../../src/base/units.ts';
import { blockIdOf, digestOf } from '../../src/protocol/chain/canonical.ts';
import type { ExecutedState } from '../../src/protocol/chain/types.ts';
import type { BatchBytes } from '../../src/storage/store.ts';
import { child as blockOn, certificate, height, IDENTITY, type MadeBlock } from '../storage/fixtures.ts';
import { batchOf } from './lives.ts';

export const GENESIS = {
  chainId: 'store-chain',
  genesisHash: digestOf(new Uint8Array()),
  genesisTime: wallTime(0),
  validators: [],
  appState: {},
};

export interface Made {
  readonly made: MadeBlock;
  readonly batch: BatchBytes;
  readonly texts: readonly string[];
}

/** Blocks with transactions, whose headers state what kv says two blocks before: as a chain does. */
export async function chainTo(
  tip: number,
  /** At a height, one that appeared before within the window: it is not executed again (EX-2). */
  duplicateAt: (height: number) => readonly string[] = () => [],
): Promise<readonly Made[]> {
  const reference = kv();
  const { appHash } = await reference.initChain(GENESIS);
  const states: ExecutedState[] = [{ height: height(0), appHash }];
  const blocks: Made[] = [];
  for (let at = 1; at <= tip; at += 1) {
    const texts = [`a${at % 7}=${at}`, `b${at}=${at}`];
    const batch = batchOf([...texts, ...duplicateAt(at)]);
    const plain = blockOn(blocks.at(-1)?.made, { batches: [batch] });
    const executed = states[Math.max(0, at - 2)] ?? states[0];
    if (executed === undefined) throw new Error('no state');
    const block = { ...plain.block, header: { ...plain.block.header, executed } };
    const id = blockIdOf(IDENTITY, block);
    blocks.push({ made: { id, block, qc: certificate(block, id) }, batch, texts });
    const { appHash: after } = await reference.finalizeBlock({
      height: height(at),
      blockId: id,
      time: block.header.time,
      proposer: block.header.proposer,
      randomness: id,
      transactions: texts.map(utf8),
    });
    states.push({ height: height(at), appHash: after });
  }
  return blocks;
}
