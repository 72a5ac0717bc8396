/** `althing`: run a node from code, with an application of your own if you have one. docs/applications.md. */
export type { Application } from '../protocol/ports/application.ts';
export type { ApplicationFolder, OwnApplication } from './application-place.ts';
export {
  type ConfigOverride,
  type ConfigProblem,
  type ConfigResult,
  type LoadedConfig,
  loadConfig,
} from './config/load.ts';
export type { Config } from './config/schema.ts';
export { StartRefused } from './config/start-refused.ts';
export { type NodeEnd, type RunningNode, type StartOptions, startNode } from './start.ts';
