/** `althing`: run a node from code. */
export type { Config } from './config/schema.ts';
export { StartRefused } from './config/start-refused.ts';
export { type NodeEnd, type RunningNode, startNode } from './start.ts';
