import { describeStore } from './contract.ts';
import { folderDisk } from './fixtures.ts';

// Small segments, so that values cross from file to file.
describeStore('SQLite store', () => folderDisk({ segmentBytes: 4_096 }), 40);
