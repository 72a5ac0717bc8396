import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wallTime } from '../../src/base/units.ts';
import type { ForkEvidence } from '../../src/protocol/sync/types.ts';
import { completeSwap, rollbackSwap } from '../../src/storage/chain-swap.ts';
import { keepForkEvidence, readForkEvidence, settleForkEvidence } from '../../src/storage/fork-evidence.ts';
import { resetChainData } from '../../src/storage/reset.ts';
import { chain, child, height, IDENTITY } from './fixtures.ts';
import { newHome, sealSide, swapOptions } from './swap-fixture.ts';

const [first, second] = chain(2);
if (first === undefined || second === undefined) throw new Error('two blocks');
const rival = child(first, { salt: 'rival' });
const proofs: ForkEvidence = {
  kind: 'CommitProofs',
  height: height(2),
  first: { id: second.id, proof: child(second).qc },
  second: { id: rival.id, proof: child(rival).qc },
};
const rounds: ForkEvidence = { kind: 'RoundCertificates', first: second.qc, second: rival.qc };
const at = wallTime(1_700_000_000_000);

let dir = '';
let keys = '';
let places = { home: dir, keys };
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'althing-evidence-'));
  keys = join(dir, 'keys');
  mkdirSync(keys);
  places = { home: dir, keys };
});
afterEach(() => rmSync(dir, { recursive: true }));
const path = () => join(dir, 'fork-evidence.json');

describe('evidence of a fork (SY-5)', () => {
  it.each([
    ['two proofs of commit', proofs],
    ['two certificates of a round', rounds],
  ])('comes back to the last bit: %s', (_, evidence) => {
    expect(readForkEvidence(places)).toBeUndefined();
    expect(keepForkEvidence(places, { detail: 'two blocks at height 2', at, evidence })).toBe('proof');
    expect(readForkEvidence(places)).toEqual({
      status: 'kept',
      path: path(),
      detail: 'two blocks at height 2',
      at,
      evidence,
    });
    expect(readdirSync(dir), 'nothing half written').toEqual(['fork-evidence.json', 'keys']);
  });

  it('is kept in words where there is nothing else, and the first word counts', () => {
    expect(keepForkEvidence(places, { detail: 'first', at })).toBe('proof');
    expect(keepForkEvidence(places, { detail: 'second', at, evidence: rounds })).toBe('before');
    expect(readForkEvidence(places)).toEqual({ status: 'kept', path: path(), detail: 'first', at });
  });

  it('that cannot be read still counts as evidence', () => {
    keepForkEvidence(places, { detail: 'x', at, evidence: proofs });
    for (const text of ['', 'null', '{}', '{"format":2}', '{"format":1,"detail":"x","at":1,"evidence":{}}']) {
      writeFileSync(path(), text);
      expect(readForkEvidence(places), text).toMatchObject({ status: 'unreadable', path: path() });
    }
    rmSync(path());
    mkdirSync(path());
    expect(readForkEvidence(places)).toMatchObject({ status: 'unreadable' });
  });

  it('survives a reset, a swap and a rollback of the chain', () => {
    const paths = newHome();
    keepForkEvidence(paths, { detail: 'kept', at, evidence: rounds });
    sealSide(paths);
    completeSwap(paths, swapOptions());
    expect(readForkEvidence(paths)).toMatchObject({ status: 'kept', evidence: rounds });
    rollbackSwap(paths, { chain: IDENTITY });
    resetChainData(paths.data, { keepSafetyRecord: true, witnessDir: paths.keys });
    expect(readForkEvidence(paths)).toMatchObject({ status: 'kept', detail: 'kept' });
    rmSync(dirname(paths.home), { recursive: true });
  });

  it('is put aside by the operator, and can be kept anew', () => {
    expect(settleForkEvidence(places, at)).toEqual([]);
    keepForkEvidence(places, { detail: 'first', at });
    const settled = settleForkEvidence(places, at);
    expect(settled).toEqual([join(dir, 'fork-evidence-2023-11-14T22-13-20.000Z.json')]);
    expect(settled.map((file) => existsSync(file))).toEqual([true]);
    expect(readForkEvidence(places)).toBeUndefined();
    expect(keepForkEvidence(places, { detail: 'second', at })).toBe('proof');
  });

  it('is kept beside the keys where the home takes nothing, and put aside from there', () => {
    mkdirSync(`${path()}.new`);
    expect(keepForkEvidence(places, { detail: 'x', at, evidence: proofs })).toBe('proof');
    const beside = join(keys, 'fork-evidence.json');
    expect(readForkEvidence(places)).toEqual({
      status: 'kept',
      path: beside,
      detail: 'x',
      at,
      evidence: proofs,
    });
    expect(keepForkEvidence(places, { detail: 'y', at })).toBe('before');
    expect(settleForkEvidence(places, at)).toEqual([
      join(keys, 'fork-evidence-2023-11-14T22-13-20.000Z.json'),
    ]);
    expect(readForkEvidence(places)).toBeUndefined();
  });

  it('which no folder takes is an error, and nothing is taken for kept', () => {
    for (const folder of [dir, keys]) mkdirSync(join(folder, 'fork-evidence.json.new'));
    expect(() => keepForkEvidence(places, { detail: 'x', at })).toThrow(/EISDIR.*fork-evidence\.json\.new/);
    expect(readForkEvidence(places)).toBeUndefined();
  });

  it('halts as an empty file too, which is all that a full disk takes, and says where the proof is', () => {
    writeFileSync(path(), '');
    expect(readForkEvidence(places)).toMatchObject({
      status: 'unreadable',
      path: path(),
      detail: expect.stringContaining('it is in the log of that time'),
    });
    keepForkEvidence({ home: keys, keys }, { detail: 'a proof counts before a mark', at });
    expect(readForkEvidence(places)).toMatchObject({
      status: 'kept',
      detail: 'a proof counts before a mark',
    });
    expect(settleForkEvidence(places, at)).toHaveLength(2);
  });
});
