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
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'althing-evidence-'));
});
afterEach(() => rmSync(dir, { recursive: true }));
const path = () => join(dir, 'fork-evidence.json');

describe('evidence of a fork (SY-5)', () => {
  it.each([
    ['two proofs of commit', proofs],
    ['two certificates of a round', rounds],
  ])('comes back to the last bit: %s', (_, evidence) => {
    expect(readForkEvidence(dir)).toBeUndefined();
    expect(keepForkEvidence(dir, { detail: 'two blocks at height 2', at, evidence })).toBe(true);
    expect(readForkEvidence(dir)).toEqual({
      status: 'kept',
      path: path(),
      detail: 'two blocks at height 2',
      at,
      evidence,
    });
    expect(readdirSync(dir), 'nothing half written').toEqual(['fork-evidence.json']);
  });

  it('is kept in words where there is nothing else, and the first word counts', () => {
    expect(keepForkEvidence(dir, { detail: 'first', at })).toBe(true);
    expect(keepForkEvidence(dir, { detail: 'second', at, evidence: rounds })).toBe(false);
    expect(readForkEvidence(dir)).toEqual({ status: 'kept', path: path(), detail: 'first', at });
  });

  it('that cannot be read still counts as evidence', () => {
    keepForkEvidence(dir, { detail: 'x', at, evidence: proofs });
    for (const text of ['', 'null', '{}', '{"format":2}', '{"format":1,"detail":"x","at":1,"evidence":{}}']) {
      writeFileSync(path(), text);
      expect(readForkEvidence(dir), text).toMatchObject({ status: 'unreadable', path: path() });
    }
    rmSync(path());
    mkdirSync(path());
    expect(readForkEvidence(dir)).toMatchObject({ status: 'unreadable' });
  });

  it('survives a reset, a swap and a rollback of the chain', () => {
    const paths = newHome();
    keepForkEvidence(paths.home, { detail: 'kept', at, evidence: rounds });
    sealSide(paths);
    completeSwap(paths, swapOptions());
    expect(readForkEvidence(paths.home)).toMatchObject({ status: 'kept', evidence: rounds });
    rollbackSwap(paths, { chain: IDENTITY });
    resetChainData(paths.data, { keepSafetyRecord: true, witnessDir: paths.keys });
    expect(readForkEvidence(paths.home)).toMatchObject({ status: 'kept', detail: 'kept' });
    rmSync(dirname(paths.home), { recursive: true });
  });

  it('is put aside by the operator, and can be kept anew', () => {
    expect(settleForkEvidence(dir, at)).toBeUndefined();
    keepForkEvidence(dir, { detail: 'first', at });
    const settled = settleForkEvidence(dir, at);
    expect(settled).toBe(join(dir, 'fork-evidence-2023-11-14T22-13-20.000Z.json'));
    expect(existsSync(settled ?? '')).toBe(true);
    expect(readForkEvidence(dir)).toBeUndefined();
    expect(keepForkEvidence(dir, { detail: 'second', at })).toBe(true);
  });
});
