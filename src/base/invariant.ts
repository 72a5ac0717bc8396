/** Our own bugs, and nothing else: a peer's or a device's fault is a value, never this. Pure. */

/** An invariant of this program broke. A cell that throws it crashes; its supervisor acts. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** Throws `InvariantViolation` with the claim and its operands when `condition` is false. */
export function invariant(
  condition: unknown,
  claim: string,
  operands?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (condition) return;
  const shown = operands === undefined ? '' : ` (${describe(operands)})`;
  throw new InvariantViolation(`${claim}${shown}`);
}

/** Marks a branch that the types rule out. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`unreachable value ${String(value)}`);
}

function describe(operands: Readonly<Record<string, unknown>>): string {
  return Object.entries(operands)
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');
}
