/** What a node answers to those who hold nothing of the chain: proofs as bytes, bounded, and words where there are none. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import { encodeEpochProof, encodeProvenHeader } from '../../src/protocol/light/encoding.ts';
import { chainOf, height, world } from '../protocol/consensus/fixture.ts';
import { epochProofOf, nextOf, proofOf } from '../protocol/light/fixture.ts';
import { MemoryNode } from './memory-node.ts';
import { base64Of, startTestServer, type TestServer } from './server.ts';

const held = { node: new MemoryNode() };
let rpc: TestServer;
beforeEach(async () => {
  held.node = new MemoryNode();
  rpc = await startTestServer({ port: held.node });
  await rpc.call('broadcast_tx_sync', { tx: base64Of('a=1') });
});
afterEach(() => rpc.server.close());

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const place = world();
const proof = proofOf(chainOf(place, [1, 2]), 0, 1);

describe('althing_proven_header', () => {
  it('answers the proof of the height, and of the newest one without it', async () => {
    held.node.proofs = { headers: new Map([[height(1), proof]]) };
    const expected = { height: '1', proof: base64(encodeProvenHeader(proof)) };
    expect((await rpc.call('althing_proven_header', { height: '1' })).result).toEqual(expected);
    expect((await rpc.call('althing_proven_header')).result).toEqual(expected);
  });

  it('says which heights there are, and where a commit cannot be proven', async () => {
    const beyond = await rpc.call('althing_proven_header', { height: '2' });
    expect(beyond.error?.data).toMatch('must be less than or equal to the current blockchain height 1');
    const unproven = await rpc.call('althing_proven_header', { height: '1' });
    expect(unproven.error?.data).toBe('the commit of height 1 cannot be proven here');
  });
});

describe('althing_epoch_proofs', () => {
  it('answers what the node knows, and refuses what is no epoch', async () => {
    expect((await rpc.call('althing_epoch_proofs', { from: '0' })).result).toEqual({
      current: '0',
      proofs: [],
    });
    const epoch = epochProofOf(place, nextOf(place, world([1n], 'next')));
    held.node.proofs = { epochs: [epoch] };
    const { result } = await rpc.call('althing_epoch_proofs');
    expect(result).toMatchObject({ proofs: [base64(encodeEpochProof(epoch))] });
    expect((await rpc.call('althing_epoch_proofs', { from: '-1' })).error?.data).toMatch('must be an epoch');
  });
});

describe('abci_query with prove', () => {
  it('has one operation, whose type says whether the key is there', async () => {
    const there = await rpc.call('abci_query', { path: '/pair', data: '61', prove: true });
    const op = { type: 'althing:pair/v1', key: base64Of('a'), data: base64Of('proof') };
    expect(there.result).toMatchObject({ response: { value: base64Of('1'), proofOps: { ops: [op] } } });
    const absent = await rpc.call('abci_query', { path: '/pair', data: '62', prove: true });
    expect(absent.result).toMatchObject({
      response: { value: null, proofOps: { ops: [{ type: 'althing:absent/v1', key: base64Of('b') }] } },
    });
    const plain = await rpc.call('abci_query', { path: '', data: '61' });
    expect(plain.result).toMatchObject({ response: { proofOps: null } });
  });

  it('is of the newest state alone', async () => {
    const { error } = await rpc.call('abci_query', { path: '/pair', data: '61', prove: true, height: '1' });
    expect(error?.data).toBe('only the newest state can be proven: ask for no height');
  });
});

describe('tx with prove', () => {
  it('has the batch and the place in it', async () => {
    const hash = base64(Buffer.from(digestOf(utf8('a=1')), 'hex'));
    const without = await rpc.call('tx', { hash, prove: true });
    expect(without.error?.data).toMatch('is not stored here');
    held.node.proofs = { transaction: { batch: 2, bytes: utf8('batch'), index: 3 } };
    const { result } = await rpc.call('tx', { hash, prove: true });
    expect(result).toMatchObject({
      height: '1',
      proof: { batch: '2', index: '3', bytes: base64Of('batch') },
    });
    expect((await rpc.call('tx', { hash })).result).not.toHaveProperty('proof');
  });
});
