import { describeStore } from './contract.ts';
import { folderDisk } from './fixtures.ts';

// Small segments, so that values cross from file to file; the longest inline value lies between the lengths that occur.
describeStore('SQLite store', () => folderDisk({ segmentBytes: 4_096, inlineBytesMax: 700 }), 40);
describeStore(
  'SQLite store, all values in segments',
  () => folderDisk({ segmentBytes: 4_096, inlineBytesMax: 0 }),
  40,
);
