/** Bytes in the latin1 texts that a state's pairs are, one letter a byte. Pure. src/application/state/rules.ts. */

export const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
