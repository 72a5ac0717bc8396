import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/base/bytes.ts';
import { isNodeId, nodeIdOf } from '../../src/crypto/node-id.ts';

describe('a node id (TP-1)', () => {
  it('is the first 20 bytes of the hash of the Ed25519 key', () => {
    // Independent of this code: printf <key> | xxd -r -p | sha256sum
    const key =
      fromHex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a') ?? new Uint8Array();
    expect(nodeIdOf(key)).toBe('21fe31dfa154a261626bf854046fd2271b7bed4b');
  });

  it('needs a key of 32 bytes', () => {
    expect(nodeIdOf(new Uint8Array(31))).toBeUndefined();
    expect(nodeIdOf(new Uint8Array(48))).toBeUndefined();
  });

  it('is 40 lower-case hex letters', () => {
    expect(isNodeId('21fe31dfa154a261626bf854046fd2271b7bed4b')).toBe(true);
    for (const text of ['', '21FE31DFA154A261626BF854046FD2271B7BED4B', '21fe31', `${'a'.repeat(40)}\n`]) {
      expect(isNodeId(text)).toBe(false);
    }
  });
});
