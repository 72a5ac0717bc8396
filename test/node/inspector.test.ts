/** The cell that serves a node's feed: what it leaves behind, and what becomes of the node when it cannot serve. Rules IN-1, IN-2, IN-4. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSystem, realClock, type System, seededRandom } from '../../src/actors/runtime/index.ts';
import { NodeInspector } from '../../src/node/inspector.ts';
import { GENESIS_HEIGHT } from '../../src/protocol/chain/ordinals.ts';
import { MemoryNode } from '../rpc/memory-node.ts';

const NO_BLOCKS = { status: 'found', value: { blocks: [], height: GENESIS_HEIGHT } } as const;

/** A system whose one root is the inspector's cell, which looks at it. */
async function inspected(listen: string, urlFile: string) {
  const lines: string[] = [];
  const system: System = createSystem({ name: 'looked at', clock: realClock(), random: seededRandom('x') });
  const note = (first: object | string, second?: string): void => void lines.push(String(second ?? first));
  const inspector = new NodeInspector({
    config: { listen, allowControl: false, allowedHosts: [], viewersMax: 4 },
    urlFile,
    log: { info: note, error: note },
  });
  inspector.lookAt({
    system,
    port: new MemoryNode(),
    store: { blocksFrom: () => NO_BLOCKS },
    journal: () => undefined,
  });
  const [cell] = inspector.cells();
  if (cell === undefined) throw new Error('it is off');
  const root = system.start(cell);
  await root.started();
  return { inspector, lines, system };
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'althing-inspector-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** Of this machine, and free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe("a node's inspector", () => {
  it('leaves its address with its owner alone while it runs, and nothing afterwards (IN-2)', async () => {
    const urlFile = join(folder(), 'inspector.url');
    const { inspector, lines, system } = await inspected('127.0.0.1:0', urlFile);
    const url = readFileSync(urlFile, 'utf8').trim();
    expect([inspector.url, statSync(urlFile).mode & 0o077]).toEqual([url, 0]);
    const token = new URL(url).hash.replace('#token=', '');
    expect([token.length, lines.join().includes(token)]).toEqual([43, false]);
    expect((await fetch(url)).status).toBe(200);
    await system.stop();
    expect([inspector.url, existsSync(urlFile)]).toEqual([undefined, false]);
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });

  it('serves nobody where its address cannot be written, says so, and the node goes on (IN-4)', async () => {
    const port = await freePort();
    const nowhere = join(folder(), 'none', 'inspector.url');
    const { inspector, lines, system } = await inspected(`127.0.0.1:${port}`, nowhere);
    expect(inspector.url).toBeUndefined();
    expect(lines.join()).toMatch(/ENOENT.*the node runs without its inspector/);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow('fetch failed');
    await system.stop();
  });
});
