/**
 * The epoch of another chain that is trusted, as bytes in the state and back: number, seed, who leads nothing, and the validators
 * with their powers. Pure; what was written is read without a check, since the rules alone write it. LG-30, docs/ledger.md.
 */
import { toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import { addressBytes, digestBytes, digestFromBytes, parseEpoch } from '../../protocol/chain/parse.ts';
import type { EpochDescriptor, Validator } from '../../protocol/chain/types.ts';
import { addressOf, validatorSet } from '../../protocol/chain/validator-set.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { ADDRESS_BYTES, BLS_KEY_BYTES, DIGEST_BYTES, KEY_BYTES, NUMBER_BYTES } from './widths.ts';

/** Epoch, seed, two counts. @unit bytes */
const HEAD_BYTES = DIGEST_BYTES + 3 * NUMBER_BYTES;
/** Node key, consensus key, power. @unit bytes */
const VALIDATOR_BYTES = KEY_BYTES + BLS_KEY_BYTES + NUMBER_BYTES;

export function encodeTrustedEpoch({ epoch, seed, passedOver, validators }: EpochDescriptor): Uint8Array {
  const list = validators.validators;
  const writer = new FieldWriter(
    HEAD_BYTES + passedOver.length * ADDRESS_BYTES + list.length * VALIDATOR_BYTES,
  )
    .u64(BigInt(epoch))
    .fixed(digestBytes(seed), DIGEST_BYTES)
    .u64(BigInt(passedOver.length));
  for (const address of passedOver) writer.fixed(addressBytes(address), ADDRESS_BYTES);
  writer.u64(BigInt(list.length));
  for (const { nodeKey, consensusKey, power } of list) {
    writer.fixed(nodeKey, KEY_BYTES).fixed(consensusKey, BLS_KEY_BYTES).u64(power);
  }
  return writer.finish();
}

/** @param bytes as `encodeTrustedEpoch` wrote them */
export function readTrustedEpoch(bytes: Uint8Array): EpochDescriptor {
  const reader = new FieldReader(bytes);
  const epoch = parseEpoch(Number(reader.u64()));
  const seed = digestFromBytes(reader.fixed(DIGEST_BYTES));
  const passed = Array.from({ length: Number(reader.u64()) }, () => toHex(reader.fixed(ADDRESS_BYTES)));
  const list = Array.from({ length: Number(reader.u64()) }, (): Validator => {
    const nodeKey = reader.fixed(KEY_BYTES);
    const consensusKey = reader.fixed(BLS_KEY_BYTES);
    return { address: addressOf(nodeKey), nodeKey, consensusKey, power: reader.u64() };
  });
  const validators = validatorSet(list);
  invariant(
    epoch !== 'malformed' && seed !== 'malformed' && !('code' in validators),
    'the rules write epochs that can be read',
  );
  const passedOver = list.map(({ address }) => address).filter((address) => passed.includes(address));
  return { epoch, seed, passedOver: passedOver.sort(), validators };
}
