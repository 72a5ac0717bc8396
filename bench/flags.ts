/** What a benchmark is given on its command line, as `--name=value`. Boundary: the process. */

/** Undefined where it is left out. */
export const wordOf = (name: string): string | undefined =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);

export const numberOf = (name: string, otherwise: number): number => Number(wordOf(name) ?? otherwise);
