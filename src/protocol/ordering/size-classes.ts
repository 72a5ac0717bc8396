/** What a sealed content may take, as its sender says and pays it before anybody sees it. Pure; runs in a browser. OR-1, docs/ordering.md. */

/** Of a commitment. @unit bytes @source SHA-256 */
export const COMMITMENT_BYTES = 32;

/** The classes by which a content's size is paid before it is seen. @unit bytes: the most of a content @source chosen */
export const SIZE_CLASSES = [
  { name: 'small', bytesMax: 64 },
  { name: 'medium', bytesMax: 256 },
  { name: 'large', bytesMax: 1_024 },
] as const;
/** Its place in `SIZE_CLASSES`. */
export type SizeClass = 0 | 1 | 2;

/** What a class's number says; undefined where there is no such class. */
export const sizeClassOf = (number: number): SizeClass | undefined =>
  number === 0 || number === 1 || number === 2 ? number : undefined;

/** The smallest class that has room; undefined where none has. */
export const sizeClassFor = (contentBytes: number): SizeClass | undefined =>
  sizeClassOf(SIZE_CLASSES.findIndex(({ bytesMax }) => contentBytes <= bytesMax));
