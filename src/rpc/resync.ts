/** `althing_resync`: the operator's order to download the whole chain, with the block that it must hold. Rule SY-9. */
import { toHex } from '../base/bytes.ts';
import { parseBlockId, parseHeight } from '../protocol/chain/parse.ts';
import { type Answer, invalidParams, succeed } from './json-rpc.ts';
import type { CallContext } from './method.ts';
import type { Checkpoint } from './sync-port.ts';
import { resyncJson } from './sync-shape.ts';

interface Given {
  readonly height: number | undefined;
  readonly id: Uint8Array | undefined;
}

export async function resync(given: Given, { port }: CallContext): Promise<Answer> {
  const checkpoint = checkpointOf(given);
  if (checkpoint === 'malformed') {
    const words =
      'a checkpoint is a height above 0 and the 32 bytes of the id of its block: both, or neither';
    return { error: invalidParams(words) };
  }
  return succeed(resyncJson(await port.resync(checkpoint)));
}

function checkpointOf({ height, id }: Given): Checkpoint | undefined | 'malformed' {
  if (height === undefined && id === undefined) return undefined;
  if (height === undefined || id === undefined) return 'malformed';
  const [at, named] = [parseHeight(height), parseBlockId(toHex(id))];
  return at === 'malformed' || at === 0 || named === 'malformed' ? 'malformed' : { height: at, id: named };
}
