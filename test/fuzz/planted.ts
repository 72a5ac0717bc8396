/** Targets with one planted fault each: the engine must find it, or it finds nothing. */
import type { Subject, Target } from './target.ts';

const planted = (name: string, run: Subject['run']): Target => ({
  name: `planted-${name}`,
  what: 'a planted fault',
  covers: ['/test/fuzz/planted.ts'],
  mutations: [],
  dictionary: [],
  bytesMax: 64,
  window: 500,
  seeds: () => [new Uint8Array(6)],
  open: async () => ({ run }),
});

/** A crash that no blind draw finds: one in 2^24 of the inputs of its length. */
export const crash = planted('crash', (input) => {
  if (input[1] === 0xb7) {
    if (input[3] === 0x42) {
      if (input[5] === 0x99) throw new Error('three bytes are right');
      return 'two bytes';
    }
    return 'one byte';
  }
  return 'none';
});

export const slow = planted('slow', (input) => {
  if (input[0] !== 0x53) return 'fast';
  const end = process.threadCpuUsage().user + 60_000;
  while (process.threadCpuUsage().user < end);
  return 'slow';
});

const kept: Uint8Array[] = [];
export const leak = planted('leak', (input) => {
  kept.push(new Uint8Array(400 + input.byteLength));
  return 'kept';
});

export const quiet = planted('quiet', (input) => {
  let sum = 0;
  for (const byte of input) sum += byte;
  return sum > 100 ? 'much' : 'little';
});

export const endless = planted('endless', (input) => {
  while (input[0] === 0x45);
  return 'ended';
});
