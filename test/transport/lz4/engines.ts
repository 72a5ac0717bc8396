/** Both LZ4 engines, whichever this machine would run. */
import { createRequire } from 'node:module';
import { createNativeEngine } from '../../../src/transport/lz4/native.ts';
import { createPortableEngine } from '../../../src/transport/lz4/portable.ts';

const require = createRequire(import.meta.url);

export const native = createNativeEngine(require('lz4-napi'));
export const portable = createPortableEngine();
export const ENGINES = [native, portable] as const;
