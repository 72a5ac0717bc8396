/** Gateway: fields of an answer from the feed, read one by one; what is not what it should be is undefined. Pure and total. */

export const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

export function textOf(value: unknown, name: string): string | undefined {
  const field = fieldOf(value, name);
  return typeof field === 'string' ? field : undefined;
}

export function numberOf(value: unknown, name: string): number | undefined {
  const field = fieldOf(value, name);
  return typeof field === 'number' && Number.isFinite(field) ? field : undefined;
}

/** @param max entries beyond are left out: the feed says how many there may be */
export function listOf(value: unknown, name: string, max: number): readonly unknown[] {
  const field = fieldOf(value, name);
  return Array.isArray(field) ? field.slice(0, max) : [];
}
