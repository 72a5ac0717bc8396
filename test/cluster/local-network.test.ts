/** Four real processes, as `npm start` runs them: blocks, a transaction, Ctrl-C, and on from the same height. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { althing, eventually, LocalNetwork } from './support/local-network.ts';

const VALIDATORS = [0, 1, 2, 3];

describe('a local network', () => {
  let network: LocalNetwork;
  beforeAll(async () => {
    network = await LocalNetwork.create();
    network.start();
  });
  afterAll(() => network.remove());

  it('commits its first block soon after the start, with four processes', async () => {
    await eventually('a block is committed', 20_000, () =>
      network.events.find(({ type }) => type === 'block'),
    );
    const ready = await eventually('it is ready', 20_000, () =>
      network.events.find(({ type }) => type === 'ready'),
    );
    expect(new Set(ready.nodes?.map(({ pid }) => pid)).size).toBe(4);
  });

  it('commits a transaction sent by the command line and answers queries for it on all four', async () => {
    const sent = await althing('tx', 'name=ada', '--rpc', network.rpcOf(0), '--json');
    expect(sent).toMatchObject({ code: 0 });
    for (const index of VALIDATORS) {
      const value = await eventually(`validator ${index} knows the value`, 5_000, async () => {
        const data = Buffer.from('name').toString('hex');
        const answer = await network.call(index, 'abci_query', { path: '', data });
        return answer?.response?.value ?? undefined;
      });
      expect(Buffer.from(value, 'base64').toString()).toBe('ada');
    }
  });

  it('ends within 5 s of Ctrl-C with exit code 0, and goes on from its height when started again', async () => {
    const before = await network.height(0);
    const { code, ms } = await network.interrupt();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(5_000);
    network.start();
    const after = await eventually('it commits again', 20_000, async () => {
      const height = await network.height(0);
      return height !== undefined && height > (before ?? 0) ? height : undefined;
    });
    expect(after).toBeGreaterThan(before ?? 0);
    const data = Buffer.from('name').toString('hex');
    const answer = await network.call(3, 'abci_query', { path: '', data });
    expect(Buffer.from(answer?.response?.value ?? '', 'base64').toString()).toBe('ada');
  });
});
