/** Two proven ends of one TLS connection on loopback, not yet opened. */
import { realClock } from '../../../src/actors/runtime/index.ts';
import type { Epoch } from '../../../src/protocol/chain/types.ts';
import { dial } from '../../../src/transport/dial.ts';
import type { SelfDescription } from '../../../src/transport/handshake.ts';
import { nodeIdentity } from '../../../src/transport/identity.ts';
import { Listener } from '../../../src/transport/listener.ts';
import type { ProvenSocket } from '../../../src/transport/websocket.ts';
import { CHAIN, secretOf } from './nodes.ts';

export const describeSelf = (index: number, change: Partial<SelfDescription> = {}): SelfDescription => ({
  identity: nodeIdentity(secretOf(index)),
  chain: CHAIN,
  role: () => 'validator',
  moniker: `node-${index}`,
  instance: new Uint8Array(8).fill(index),
  epoch: () => 0 as Epoch,
  ...change,
});

export interface Pair {
  readonly dialer: ProvenSocket;
  readonly listener: ProvenSocket;
  close(): void;
}

export async function provenPair(): Promise<Pair> {
  const clock = realClock();
  let accepted: ProvenSocket | undefined;
  const listener = await Listener.open({
    self: describeSelf(0),
    host: '127.0.0.1',
    port: 0,
    clock,
    insecure: false,
    onOffer: (offer) => {
      accepted = offer.accept();
    },
  });
  const outcome = await dial({
    self: describeSelf(1),
    endpoint: { host: '127.0.0.1', port: listener.port },
    expectedPeer: nodeIdentity(secretOf(0)).id,
    clock,
    signal: new AbortController().signal,
    insecure: false,
    onUpgrading: () => undefined,
  });
  listener.close();
  if (outcome.outcome !== 'proven' || accepted === undefined) throw new Error('no connection');
  const ends = { dialer: outcome.proven, listener: accepted };
  return {
    ...ends,
    close: () => {
      ends.dialer.ws.terminate();
      ends.listener.ws.terminate();
    },
  };
}
