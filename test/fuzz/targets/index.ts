/** All targets, in the order in which they run, each loaded when it is wanted: what runs before it is counted is not counted. */
import type { Target } from '../target.ts';

export const TARGETS: ReadonlyMap<string, () => Promise<Target>> = new Map<string, () => Promise<Target>>([
  ['codec', async () => (await import('./codec.ts')).codec],
  ['chain', async () => (await import('./chain.ts')).chain],
  ['consensus', async () => (await import('./consensus.ts')).consensus],
  ['mempool', async () => (await import('./mempool.ts')).mempool],
  ['handshake', async () => (await import('./handshake.ts')).handshake],
  ['upgrade', async () => (await import('./upgrade.ts')).upgrade],
  ['frames', async () => (await import('./frames.ts')).frames],
  ['ntp-packet', async () => (await import('./ntp-packet.ts')).ntpPacket],
  ['rpc', async () => (await import('./rpc.ts')).rpc],
  ['kv', async () => (await import('./kv.ts')).kvTransactions],
  ['config', async () => (await import('./config.ts')).config],
  ['genesis', async () => (await import('./files.ts')).genesis],
  ['keys', async () => (await import('./files.ts')).keys],
  ['records', async () => (await import('./records.ts')).records],
  ['store', async () => (await import('./store.ts')).store],
  ['replay', async () => (await import('./replay.ts')).journalReplay],
]);
