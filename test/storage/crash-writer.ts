/**
 * A process that writes to a store without end, and says on stdout what was acknowledged; it is killed from outside.
 * Arguments: the store's folder. Lines: `ready`, then `ack <record version> <committed> <executed> <batch>`.
 */
import { writeSync } from 'node:fs';
import {
  batch,
  child,
  committed,
  execution,
  found,
  type MadeBlock,
  opened,
  record,
  votedFor,
  write,
} from './fixtures.ts';

const [dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('give the folder');
const store = opened(dir, { segmentBytes: 65_536 });
const start = found(store.recover());
let tip: MadeBlock | undefined = start.committed;
let version = start.recordVersion;
let round: number = start.record.lastVotedRound;
writeSync(1, 'ready\n');
for (;;) {
  round += 1;
  const bytes = batch(`batch ${round}`, 100 + ((round * 7_919) % 30_000));
  const made: MadeBlock = child(tip, { round, batches: [bytes] });
  write(store, { kind: 'batches', batches: [bytes] });
  write(store, record(votedFor(made), version, made.block));
  write(
    store,
    { kind: 'commit', blocks: [committed(made)] },
    execution(made, [`tx ${made.block.header.height}`]),
  );
  tip = made;
  version += 1;
  const { height } = made.block.header;
  writeSync(1, `ack ${version} ${height} ${height} ${bytes.digest}\n`);
}
