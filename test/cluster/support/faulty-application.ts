/**
 * kv in a process of its own, as a user of `althing/application` serves it, with one fault at a time: its parent names it by message.
 * What hangs goes on when the fault is another. Run: node faulty-application.ts <address>
 */
import { type Application, appHashOf, kv, serveApplication } from '../../../src/application/index.ts';

export const FAULTS = [
  'none',
  'finalizeBlock throws',
  'finalizeBlock hangs',
  'checkTx hangs',
  'another hash',
] as const;
export type Fault = (typeof FAULTS)[number];

let fault: Fault = 'none';
let changed = Promise.withResolvers<void>();

process.on('message', (message) => {
  fault = FAULTS.find((each) => each === message) ?? 'none';
  changed.resolve();
  changed = Promise.withResolvers();
  process.send?.(fault);
});

function faulty(): Application {
  const inner = kv();
  return {
    info: () => inner.info(),
    initChain: (request) => inner.initChain(request),
    query: (path, data, height) => inner.query(path, data, height),
    async checkTx(transaction) {
      if (fault === 'checkTx hangs') await changed.promise;
      return inner.checkTx(transaction);
    },
    async finalizeBlock(request) {
      if (fault === 'finalizeBlock throws') throw new Error('out of paper');
      if (fault === 'finalizeBlock hangs') await changed.promise;
      const answer = await inner.finalizeBlock(request);
      return fault === 'another hash' ? { ...answer, appHash: appHashOf(answer.appHash) } : answer;
    },
    close: () => inner.close?.(),
  };
}

const [, , listen = ''] = process.argv;
await serveApplication(faulty, { listen });
process.send?.('listens');
