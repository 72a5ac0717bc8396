#!/usr/bin/env node
/** The command line: runs the program and ends the process with its exit code. */
import { openCompileCache } from './compile-cache.ts';

openCompileCache();
const { runProgram } = await import('./program.ts');

process.exitCode = await runProgram(process.argv.slice(2));
// What is still open (kept-alive connections, timers) belongs to nobody any more.
process.exit();
