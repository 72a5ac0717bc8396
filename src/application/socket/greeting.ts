/**
 * The first frame each way: the node says of which chain it is, the application which of the optional methods it has. One that
 * is not understood is answered with a refusal in words. Pure. Rule AP-5, docs/application-protocol.md.
 */
import type { Application } from '../../protocol/ports/application.ts';
import type { Packable } from './frames.ts';
import { Nonsense, type WireReader } from './reader.ts';

const MAGIC = 'althing-application';
/** One number: what differs in any way has another. 2: a block has its randomness and misbehavior. */
export const WIRE_VERSION = 2;
/** Of a chain id in a genesis. @unit bytes */
const CHAIN_ID_BYTES_MAX = 256;
const METHODS_MAX = 16;
const METHOD_BYTES_MAX = 64;

export const NODE_GREETING = {
  write: (chainId: string): Packable => [MAGIC, WIRE_VERSION, chainId],
  read(reader: WireReader): { readonly chainId: string } {
    readHead(reader, 'a node');
    return { chainId: reader.text('chainId', CHAIN_ID_BYTES_MAX) };
  },
};

export const APPLICATION_GREETING = {
  write: (application: Application): Packable => [
    MAGIC,
    WIRE_VERSION,
    [
      ...(application.prove === undefined ? [] : ['prove']),
      ...(application.takeSnapshot === undefined ? [] : ['takeSnapshot']),
      ...(application.restoreSnapshot === undefined ? [] : ['restoreSnapshot']),
    ],
  ],
  /** Names that this version does not know are passed over. */
  read(reader: WireReader): ReadonlySet<string> {
    readHead(reader, 'an application');
    const methods = new Set<string>();
    for (let left = reader.list('methods', METHODS_MAX); left > 0; left -= 1) {
      methods.add(reader.text('method', METHOD_BYTES_MAX));
    }
    return methods;
  },
};

function readHead(reader: WireReader, who: string): void {
  reader.tuple('the greeting', 3);
  const magic = reader.text('the magic word', METHOD_BYTES_MAX);
  if (magic !== MAGIC) throw new Nonsense(`the greeting begins with "${magic}", not "${MAGIC}"`);
  const version = reader.whole('the version');
  if (version === WIRE_VERSION) return;
  throw new Nonsense(
    `${who} of version ${version} greets; this is version ${WIRE_VERSION}: run releases that share one`,
  );
}
