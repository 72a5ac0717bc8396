/**
 * Amounts as people write them: whole coins and decimals, exact, never through a floating-point number.
 * Pure; runs in a browser. LG-1, docs/ledger.md.
 */
import { U64_MAX } from './fields.ts';

/** How a chain writes its amounts: 1 coin = 10^decimals units. */
export interface Denomination {
  readonly symbol: string;
  readonly decimals: number;
}

/** Units of a text such as `12`, `0.5` or `12.000001`; or what is wrong with it. */
export function parseAmount(text: string, { decimals }: Denomination): bigint | { readonly problem: string } {
  const parts = /^([0-9]{1,20})(?:\.([0-9]+))?$/.exec(text);
  if (parts === null) {
    return { problem: `"${text}" is no amount: write digits, and a point before decimals, as in 12.5` };
  }
  const [, whole = '0', fraction = ''] = parts;
  if (fraction.length > decimals) {
    return { problem: `${text} has ${fraction.length} decimals; the coin has ${decimals}` };
  }
  const units = BigInt(whole) * 10n ** BigInt(decimals) + BigInt(fraction.padEnd(decimals, '0') || '0');
  if (units <= U64_MAX) return units;
  return { problem: `${text} is more than there can be: ${amountText(U64_MAX, { decimals })}` };
}

/** Units as whole coins and as many decimals as are not zero: `12.5`. */
export function amountText(units: bigint, { decimals }: Pick<Denomination, 'decimals'>): string {
  const digits = units.toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '');
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

/** With the coin's symbol: `12.5 ALT`. */
export const coinsText = (units: bigint, denomination: Denomination): string =>
  `${amountText(units, denomination)} ${denomination.symbol}`;

/** For refusals, which programs and people read: `12.5 ALT (12500000 units)`. */
export const bothText = (units: bigint, denomination: Denomination): string =>
  `${coinsText(units, denomination)} (${units} units)`;
