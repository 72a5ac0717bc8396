/** How the program ends, as a number for the caller's shell. Pure. Source: docs/operator-guide.md, exit codes. */

/** @unit exit status @source docs/operator-guide.md; 130 and 143 are 128 + SIGINT and 128 + SIGTERM */
export const EXIT_CODES = {
  ok: 0,
  runtime: 1,
  usage: 2,
  badConfig: 3,
  corruptStore: 4,
  safetyViolation: 5,
  interrupted: 130,
  terminated: 143,
} as const;
