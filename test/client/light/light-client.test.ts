/** A light client before nodes that say what is so, and before liars. Real HTTP, real signatures. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { wallTime } from '../../../src/base/units.ts';
import { ForkFound, LightClient, NotProven, TrustExpired } from '../../../src/client/light/index.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';
import { encodeStateProof, parseProvenHeader } from '../../../src/protocol/light/encoding.ts';
import { chainOf, height, present, qcOf, world } from '../../protocol/consensus/fixture.ts';
import { endingChain, nextOf, proofOf, worldAfter } from '../../protocol/light/fixture.ts';
import { startTestServer, type TestServer } from '../../rpc/server.ts';
import { type LightChain, LightNode, lightChain, TRANSACTION_ID, trustedPointOf } from './light-node.ts';

let bls: BlsEngine;
let chain: LightChain;
beforeAll(async () => {
  ({ engine: bls } = await loadBlsEngine());
  chain = lightChain(bls);
});

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function served(node: LightNode): Promise<string> {
  const server: TestServer = await startTestServer({ port: node });
  closing.push(() => server.server.close());
  return server.url;
}

type Options = Partial<ConstructorParameters<typeof LightClient>[0]>;
async function lightFor(nodes: readonly LightNode[], options: Options = {}): Promise<LightClient> {
  const endpoints = await Promise.all(nodes.map(served));
  const light = new LightClient({ endpoints, trusted: trustedPointOf(chain), bls, waitMs: 600, ...options });
  closing.push(() => light.close());
  return light;
}

/** What the refusal of the one endpoint was. */
async function refusalOf(asked: Promise<unknown>): Promise<string> {
  const failure = await asked.then(
    () => 'proven',
    (cause: unknown) => cause,
  );
  if (!(failure instanceof NotProven)) return String(failure);
  const [problem] = failure.problems;
  const refusal = problem?.refusal ?? problem?.words ?? '';
  return typeof refusal === 'string' ? refusal : refusal.code;
}

describe('a light client', () => {
  it('verifies headers, pairs, their absence, and transactions, from an epoch that is believed by its hash', async () => {
    const light = await lightFor([new LightNode(chain)]);
    expect(await light.header(3)).toMatchObject({ height: 3, epoch: 1 });
    expect((await light.header(4)).id).toBe((await light.header(5)).header.parentId);
    expect((await light.header()).height).toBe(6);
    const { value, height: at } = await light.pair('ada');
    expect([Buffer.from(value ?? '').toString(), at]).toEqual(['1', 4]);
    expect((await light.pair('nobody')).value).toBeUndefined();
    const { bytes, header } = await light.transaction(TRANSACTION_ID.toUpperCase());
    expect([Buffer.from(bytes).toString(), header.height]).toEqual(['ada=1', 3]);
    expect(light.endpoints.map(({ lie }) => lie)).toEqual(['']);
  });

  it('believes by noble what was signed with blst', async () => {
    const { bls: _, ...options } = { bls };
    const endpoints = [await served(new LightNode(chain))];
    const light = new LightClient({ endpoints, trusted: trustedPointOf(chain), ...options });
    expect((await light.header(3)).height).toBe(3);
  });

  it('says what another life of it may begin with', async () => {
    const light = await lightFor([new LightNode(chain)]);
    expect(light.trusted).toBeUndefined();
    const { time } = await light.header(6);
    expect(light.trusted).toEqual({ ...trustedPointOf(chain), time });
    const again = await lightFor([new LightNode(chain)], { trusted: present(light.trusted, 'point') });
    expect((await again.header(3)).height).toBe(3);
  });

  it('does not verify headers of epochs before the one that is believed', async () => {
    const light = await lightFor([new LightNode(chain)]);
    expect(await refusalOf(light.header(1))).toMatch(
      'shows epoch 0, which is older than what is believed here',
    );
  });

  it('refuses forged, foreign and exchanged proofs, and says so of their endpoint', async () => {
    const node = new LightNode(chain);
    const light = await lightFor([node]);
    const forged = (proof: Parameters<NonNullable<typeof node.lies.header>>[0]) => {
      const signature = proof.certificate.signature.toReversed();
      return { ...proof, certificate: { ...proof.certificate, signature } };
    };
    node.lies = { header: forged };
    expect(await refusalOf(light.header(3))).toBe('SIGNATURE_INVALID');
    expect(light.endpoints[0]?.lie).toMatch('SIGNATURE_INVALID');
    node.lies = { header: () => proofOf(chain.later, 0, 1) };
    expect(await refusalOf(light.header(6))).toBe('malformed');
    const few = qcOf(chain.second, present(chain.later.blocks[1], 'block'), [0]);
    node.lies = { header: (proof) => ({ ...proof, certificate: few }) };
    expect(await refusalOf(light.header(3))).toBe('QUORUM_NOT_REACHED');
    const stranger = worldAfter(world([2n, 1n, 1n], 'strangers', bls), chain.place, chain.epochProof);
    node.lies = { header: () => proofOf(chainOf(stranger, [1, 2]), 0, 1) };
    expect(await refusalOf(light.header(3))).toBe('QUORUM_NOT_REACHED');
    node.lies = {};
    expect((await light.header(3)).height).toBe(3);
  });

  it('refuses another epoch than the one that is believed', async () => {
    const node = new LightNode(chain);
    const other = nextOf(chain.place, world([9n], 'coup', bls));
    node.lies = { epochs: [{ ...chain.epochProof, next: other }] };
    expect(await refusalOf((await lightFor([node])).header(3))).toBe('NEXT_HASH_WRONG');
    node.lies = { epochs: [] };
    expect(await refusalOf((await lightFor([node])).header(3))).toMatch('and no proof of epoch 1');
  });

  it('refuses a value, an absence and a transaction that are not so', async () => {
    const node = new LightNode(chain);
    const light = await lightFor([node]);
    node.lies = { value: '2' };
    expect(await refusalOf(light.pair('ada'))).not.toBe('proven');
    node.lies = { value: '2', proof: encodeStateProof(chain.state.prove('word', [])) };
    expect(await refusalOf(light.pair('ada'))).not.toBe('proven');
    node.lies = { proof: encodeStateProof(chain.state.prove('nobody', [])) };
    expect(await refusalOf(light.pair('ada'))).toBe('STATE_END_WRONG');
    node.lies = { transaction: { index: 1 } };
    expect(await refusalOf(light.transaction(TRANSACTION_ID))).toBe('TRANSACTION_NOT_HELD');
    node.lies = { transaction: { bytes: chain.batch.toReversed() } };
    expect(await refusalOf(light.transaction(TRANSACTION_ID))).toBe('BATCH_DIGEST_WRONG');
  });

  it('names an endpoint that has no answer: nothing was compared with it', async () => {
    const gone = 'http://127.0.0.1:9';
    const light = await lightFor([], { endpoints: [await served(new LightNode(chain)), gone] });
    await light.header();
    expect(light.endpoints).toMatchObject([
      { lie: '', silence: '' },
      {
        url: `${gone}/`,
        lie: '',
        silence: expect.stringMatching(/^has no answer to althing_proven_header: /),
      },
    ]);
  });

  it('goes on to another endpoint where one lies, and names the liar', async () => {
    const liar = new LightNode(chain);
    liar.lies = { header: (proof) => ({ ...proof, certificate: proofOf(chain.later, 2, 3).certificate }) };
    const light = await lightFor([liar, new LightNode(chain), liar]);
    for (let asked = 0; asked < 3; asked += 1) expect((await light.header(3)).height).toBe(3);
    expect(light.endpoints.map(({ lie }) => lie !== '')).toEqual([true, false, true]);
  });

  it('stops where two endpoints prove two blocks at one height, with both proofs', async () => {
    const fork = lightChain(bls, 'other');
    const light = await lightFor([new LightNode(chain), new LightNode(fork)]);
    const failure = await light.header(3).catch((cause: unknown) => cause);
    // Height 3 is the same in both but for the state that it states.
    expect(failure).toBeInstanceOf(ForkFound);
    if (!(failure instanceof ForkFound)) return;
    const heights = failure.proofs.map((proof) => {
      const parsed = parseProvenHeader(proof);
      return parsed === 'malformed' ? parsed : parsed.path[0].header.height;
    });
    expect(heights).toEqual([height(3), height(3)]);
    await expect(light.header(4)).rejects.toBe(failure);
  });

  it('believes nothing after the trusting period, until a newer epoch is given', async () => {
    const time = 1_000_000;
    const trusted = { ...trustedPointOf(chain), time };
    const late = await lightFor([new LightNode(chain)], {
      trusted,
      trustingPeriodMs: 500,
      now: () => time + 501,
    });
    await expect(late.header(3)).rejects.toThrow(TrustExpired);
    const fresh = await lightFor([new LightNode(chain)], {
      trusted,
      trustingPeriodMs: 500,
      now: () => time + 500,
    });
    expect((await fresh.header(3)).height).toBe(3);
  });

  const LATER = wallTime(2_000_000);
  /** The second epoch ends with block 4; what its former validators sign for ever after. */
  async function followed(options: Options = {}) {
    const others = world([1n, 1n], 'third', bls);
    const next = nextOf(chain.second, others);
    const ending = endingChain(chain.second, [1, 2, 3], 1, next);
    const proof = { last: proofOf(ending, 1, 2), next };
    const later = chainOf(worldAfter(others, chain.second, proof), [1, 2, 3], () => ({ time: LATER }));
    const node = new LightNode(chain);
    node.lies = { epochs: [chain.epochProof, proof], header: () => proofOf(later, 0, 1) };
    const light = await lightFor([node], options);
    expect(await light.header(5)).toMatchObject({ epoch: 2, time: LATER });
    return { light, node, ending, end: present(ending.blocks[1], 'end').header.time };
  }

  it('believes nothing that the keys of an epoch sign outside of it (CS-16)', async () => {
    const { light, node, ending } = await followed();
    // The former validators go on for themselves, from where they ended; on another block; and below their time.
    const beyond = chainOf(chain.second, [1, 2, 3, 4, 5, 6]);
    for (const [at, from] of [
      [6, 3],
      [4, 1],
    ] as const) {
      node.lies = { ...node.lies, header: () => proofOf(beyond, from, from + 1) };
      expect(await refusalOf(light.header(at)), `height ${at}`).toBe('OUTSIDE_EPOCH');
    }
    const late = chainOf(chain.second, [1, 2], () => ({ time: wallTime(4_000_000_000_000) }));
    node.lies = { ...node.lies, header: () => proofOf(late, 0, 1) };
    expect(await refusalOf(light.header(3))).toBe('OUTSIDE_EPOCH');
    node.lies = { ...node.lies, header: () => proofOf(ending, 1, 2) };
    expect((await light.header(4)).epoch).toBe(1);
  });

  it('verifies nothing by an epoch that ended before the trusting period', async () => {
    let now = 0;
    const { light, node, ending, end } = await followed({ trustingPeriodMs: 5_000, now: () => now });
    node.lies = { ...node.lies, header: () => proofOf(ending, 0, 1) };
    now = end + 5_000;
    expect((await light.header(3)).epoch).toBe(1);
    now += 1;
    expect(now, 'the newest epoch is fresh').toBeLessThanOrEqual(LATER + 5_000);
    expect(await refusalOf(light.header(3))).toMatch('older than what is believed here');
  });

  it('gives up a pair whose state no header states in time', async () => {
    const node = new LightNode(chain);
    node.pairHeight = 90;
    node.lies = { value: '2' };
    expect(await refusalOf((await lightFor([node], { waitMs: 300 })).pair('ada'))).toMatch(
      'has no header that states height 90',
    );
  });

  it('refuses options that are none, and is of no use once closed', async () => {
    const trusted = trustedPointOf(chain);
    expect(() => new LightClient({ endpoints: [], trusted })).toThrow('endpoints');
    const endpoints = ['http://127.0.0.1:1'];
    expect(() => new LightClient({ endpoints, trusted: { ...trusted, epoch: 0 } })).toThrow(
      'trusted.epoch 0',
    );
    expect(() => new LightClient({ endpoints, trusted: { ...trusted, epochHash: 'x' } })).toThrow(
      'epochHash x',
    );
    expect(() => new LightClient({ endpoints, trusted: { genesis: {} } })).toThrow('trusted.genesis');
    expect(() => new LightClient({ endpoints, trusted, waitMs: 0 })).toThrow('waitMs 0');
    const light = new LightClient({ endpoints, trusted });
    await expect(light.header()).rejects.toThrow(NotProven);
    light.close();
    await expect(light.header()).rejects.toThrow('the light client is closed');
  });
});
