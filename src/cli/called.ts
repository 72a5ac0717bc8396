/** What to type to run this program again: `npx althing` where npm started it, since it is on no PATH then. Boundary: the environment. */

const PROGRAM = process.env['npm_lifecycle_event'] === undefined ? 'althing' : 'npx althing';

/** A command line for the reader to type. */
export const commandLine = (words: string): string => `${PROGRAM} ${words}`;

/** A sentence that names command lines in quotes as `althing …`, whoever wrote it, in the words that the reader can type. */
export const inTypedWords = (sentence: string): string =>
  sentence.replaceAll(/(?<=[`'])althing(?=[ `'])/g, PROGRAM);
