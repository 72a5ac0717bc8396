/** Hello headers: as text, as a frame, and signed anew for this very connection. Judging is total. Rules TP-1, TP-3. */

import { helloStatement } from '../../../src/protocol/transport/handshake.ts';
import type { HelloMessage } from '../../../src/protocol/transport/messages.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import {
  describeRefusal,
  type HelloContext,
  type HelloVerdict,
  helloHeader,
  judgeHello,
  plainBinding,
} from '../../../src/transport/handshake.ts';
import { nodeIdentity } from '../../../src/transport/identity.ts';
import { secretOf } from '../../transport/support/nodes.ts';
import { describeSelf } from '../../transport/support/pair.ts';
import { MSGPACK } from '../forms/msgpack.ts';
import { claim, type Target } from '../target.ts';
import { words } from './codec.ts';

const listener = describeSelf(0);
const dialer = describeSelf(1);
const binding = plainBinding(new Uint8Array(16).fill(9));
const context: HelloContext = {
  self: listener,
  from: 'dialer',
  binding,
  certificateKey: dialer.identity.nodeKey,
  expectedPeer: dialer.identity.id,
};

const frameOf = (header: string): Uint8Array => new Uint8Array(Buffer.from(header, 'base64url'));

export const handshake: Target = {
  name: 'handshake',
  what: 'Hello headers into the judge of hellos: raw, framed, and signed anew',
  covers: [
    '/src/transport/handshake',
    '/src/protocol/transport/handshake',
    '/src/transport/codec/',
    '/src/crypto/ed25519',
  ],
  mutations: MSGPACK,
  dictionary: words(),
  bytesMax: 8 * 1024,
  window: 2_000,
  seeds: () => [
    frameOf(helloHeader(dialer, 'dialer', binding)),
    frameOf(helloHeader(describeSelf(2, { role: () => 'full', moniker: 'Þingvellir' }), 'dialer', binding)),
    frameOf(helloHeader(listener, 'listener', binding)),
  ],
  open: async () => ({ run }),
};

function run(input: Uint8Array): string {
  const raw = endingOf(judgeHello(Buffer.from(input).toString('latin1'), context));
  const framed = endingOf(judgeHello(Buffer.from(input).toString('base64url'), context));
  const decoding = decode(input);
  if (decoding.outcome !== 'decoded' || decoding.message.kind !== 'Hello') return `${raw}, ${framed}`;
  const signed = signedAnew(decoding.message);
  const verdict = judgeHello(signed, { ...context, certificateKey: undefined, expectedPeer: undefined });
  const claimed = decoding.message.nodeKey;
  if (verdict.outcome === 'proven') {
    claim(
      Buffer.compare(verdict.peer.nodeKey, claimed) === 0,
      'the proven key is the one that signed (TP-1)',
    );
    const reflected = judgeHello(signed, {
      ...context,
      certificateKey: undefined,
      expectedPeer: undefined,
      from: 'listener',
    });
    claim(reflected.outcome === 'refused', 'a Hello is not accepted as the other end’s (TP-1)');
    const elsewhere = judgeHello(signed, {
      ...context,
      certificateKey: undefined,
      expectedPeer: undefined,
      binding: plainBinding(),
    });
    claim(elsewhere.outcome === 'refused', 'a Hello is not accepted on another connection (TP-1)');
  }
  return `${raw}, ${framed}, ${endingOf(verdict)}`;
}

/** By the key of whichever test node it names; by node 1's in its own name otherwise. */
function signedAnew(hello: HelloMessage): string {
  const identities = [0, 1, 2].map((index) => nodeIdentities[index] ?? dialer.identity);
  const named = identities.find(({ nodeKey }) => Buffer.compare(nodeKey, hello.nodeKey) === 0);
  const signature = (named ?? dialer.identity).sign(helloStatement(hello, 'dialer', binding));
  const encoding = encode({ ...hello, signature });
  return encoding.outcome === 'encoded' ? Buffer.from(encoding.frame.bytes).toString('base64url') : '';
}

const nodeIdentities = [0, 1, 2].map((index) => nodeIdentity(secretOf(index)));

function endingOf(verdict: HelloVerdict): string {
  if (verdict.outcome === 'proven') return 'proven';
  const { refusal } = verdict;
  claim(describeRefusal(refusal).startsWith(refusal.code), 'a refusal can be told');
  return refusal.code === 'HELLO_MALFORMED' ? `${refusal.code} ${refusal.problem}` : refusal.code;
}
