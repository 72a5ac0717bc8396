import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepDivergence } from '../../src/node/divergence-keeper.ts';
import type { StateDivergence } from '../../src/protocol/ports/bridge.ts';
import { committedAt, stateAfter } from '../protocol/bridge/operations-of.ts';
import { height, world } from '../protocol/consensus/fixture.ts';

let home = '';
let logged: { readonly level: string; readonly facts: object; readonly words: string }[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'althing-divergence-'));
  logged = [];
});
afterEach(() => rmSync(home, { recursive: true }));

const PEER = world().addressAt(1);
const BY_PEER: StateDivergence = {
  height: height(7),
  ours: stateAfter(7).appHash,
  theirs: stateAfter(7, 'otherwise').appHash,
  by: PEER,
};
const evidence = committedAt(9, stateAfter(7, 'otherwise'));
const BY_CERTIFICATE: StateDivergence = { ...BY_PEER, by: 'the certificate of height 9', evidence };

const noting = (level: string) => (facts: unknown, words?: unknown) =>
  void logged.push({ level, facts: Object(facts), words: String(words) });
const keep = (divergence: StateDivergence, dir = join(home, 'divergences')): void =>
  keepDivergence(
    { dir, wall: () => 1_700_000_000_000, log: { error: noting('error'), warn: noting('warn') } },
    divergence,
  );
const read = (file: string): unknown => JSON.parse(readFileSync(join(home, 'divergences', file), 'utf8'));

describe('a divergence (BR-4)', () => {
  it('by a peer is kept with both hashes, and warned of: the peer may be the one that is wrong', () => {
    keep(BY_PEER);
    expect(read(`7-${PEER}.json`)).toEqual({ ...BY_PEER, at: '2023-11-14T22:13:20.000Z' });
    expect(logged).toMatchObject([
      { level: 'warn', words: `StateDivergence: ${PEER} has another state after height 7` },
    ]);
  });

  it('by a certificate is kept with the block and its certificate, and is an error of this node', () => {
    keep(BY_CERTIFICATE);
    const { signature } = evidence.commitProof;
    expect(read('7-certificate.json')).toMatchObject({
      theirs: BY_PEER.theirs,
      evidence: {
        id: evidence.id,
        block: { header: { height: 9 } },
        commitProof: { signature: Buffer.from(signature).toString('hex') },
      },
    });
    expect(logged).toMatchObject([{ level: 'error' }]);
    expect(logged[0]?.words).toContain('its application is not deterministic, or its data is damaged');
  });

  it('again takes no second file: one for each height and validator', () => {
    for (let time = 0; time < 5; time += 1) keep(BY_PEER);
    keep(BY_CERTIFICATE);
    expect(readdirSync(join(home, 'divergences'))).toHaveLength(2);
  });

  it('that no disk takes is said all the same, and ends nothing', () => {
    writeFileSync(join(home, 'file'), '');
    keep(BY_CERTIFICATE, join(home, 'file', 'divergences'));
    expect(logged).toMatchObject([
      { level: 'error', facts: { height: 7, why: expect.stringContaining('ENOTDIR') } },
    ]);
    expect(logged[0]?.words).toMatch(/^StateDivergence: .*; not kept$/);
  });
});
