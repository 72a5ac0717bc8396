/** The chaos suite's own parts: what compares the disks must find a difference, and the proxy must do what it says. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../cluster/support/local-network.ts';
import { type ChainOnDisk, differencesOf } from './support/chain-on-disk.ts';
import { Link } from './support/proxy.ts';

const chain = (blocks: readonly string[], states: readonly string[] = blocks): ChainOnDisk => ({
  blocks: new Map(blocks.map((id, index) => [index + 1, id])),
  states: new Map(states.map((hash, index) => [index + 1, hash])),
});

describe('the comparison of disks', () => {
  it('passes chains of different length, and a genesis state', () => {
    const withGenesis = { ...chain(['a', 'b']), states: new Map([[0, 'g'] as const, [1, 'a'] as const]) };
    expect(differencesOf([chain(['a', 'b', 'c'], ['a']), withGenesis])).toEqual([]);
  });

  it('finds another block, another state, and a gap', () => {
    expect(differencesOf([chain(['a', 'b']), chain(['a', 'c'], ['a', 'b'])])).toEqual([
      'blocks at height 2: validator 0 b, 1 c',
    ]);
    expect(differencesOf([chain(['a'], ['s']), chain(['a'], ['t'])])).toEqual([
      'states at height 1: validator 0 s, 1 t',
    ]);
    const gap: ChainOnDisk = { blocks: new Map([[2, 'b']]), states: new Map() };
    expect(differencesOf([gap])).toEqual(['blocks of validator 0: 1 up to height 2']);
  });
});

describe('the proxy', () => {
  const opened: (Socket | Server | Link)[] = [];
  afterEach(() => {
    for (const one of opened.splice(0)) {
      if ('cut' in one || 'listen' in one) one.close();
      else one.destroy();
    }
  });

  /** A client through the proxy, and what arrives at the other end. */
  async function joined() {
    let text = '';
    let ended = '';
    const server = createServer((socket) => {
      opened.push(socket);
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('error', () => undefined);
    });
    opened.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    const { link, port } = await Link.before(typeof bound === 'object' && bound !== null ? bound.port : 0);
    const client = connect(port, '127.0.0.1');
    opened.push(link, client);
    client.on('error', (error) => {
      ended = 'code' in error ? String(error.code) : error.message;
    });
    const arrives = (wanted: string): Promise<true> =>
      eventually(`"${wanted}" arrives`, 5_000, () => (text === wanted ? true : undefined));
    return { link, client, arrives, seen: () => text, ended: () => ended };
  }

  it('passes bytes, keeps them while a direction is stalled, and passes them later', async () => {
    const { link, client, arrives, seen } = await joined();
    client.write('one');
    await arrives('one');
    link.set('there', { stalled: true });
    client.write(' two');
    await sleep(100);
    expect(seen()).toBe('one');
    link.calm();
    await arrives('one two');
  });

  it('drips, and resets in the middle of what is under way', async () => {
    const { link, client, arrives, seen, ended } = await joined();
    link.set('there', { drip: 1 });
    client.write('0123456789');
    await eventually('some of it arrives', 5_000, () => (seen().length > 2 ? true : undefined));
    expect(seen().length).toBeLessThan(10);
    await arrives('0123456789');
    link.set('there', { delay: 60_000 });
    client.write('abcd');
    await sleep(100);
    link.cut('reset');
    await eventually('the client is reset', 5_000, () => (ended() === '' ? undefined : true));
    expect(ended()).toBe('ECONNRESET');
    expect(['0123456789', '0123456789ab']).toContain(seen());
  });
});
