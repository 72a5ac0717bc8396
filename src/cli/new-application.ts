/** What a new chain runs, as the command line says it: built in, or the user's own, and where each node asks that one. Pure. Rule AP-1. */

import type { BuiltInName } from '../application/built-in-names.ts';
import { parseSocketAddress, SOCKET_ADDRESS_SHAPE } from '../application/socket/address.ts';
import { parseApplicationName } from '../node/application-name.ts';
import { usageFailure } from './failure.ts';
import type { Ordering } from './leadership.ts';

export type NewApplication =
  /** `ordering`: of a ledger's transfers; left out: plain. */
  | { readonly kind: 'built-in'; readonly name: BuiltInName; readonly ordering?: Ordering | undefined }
  /** `addresses`: by the node's place; "" where the program that starts the node gives the application. */
  | { readonly kind: 'own'; readonly name: string; readonly addresses: readonly string[] };

/** The word for an application that the program which starts the node brings with it (`startNode`). */
export const IN_PROCESS = 'in-process';
/** In an address: the node's place, from 0. */
const PLACE = '{n}';

export const ADDRESS_HELP = `your own application: where it listens, or ${IN_PROCESS}; ${PLACE} in it is the node's number`;

/** What to do about a name that is not built in. */
export const OWN_APPLICATION_HINT =
  'for one of your own make the homes with `althing init` or `althing testnet` and --application-address (docs/applications.md)';

export interface ApplicationOptions {
  readonly application?: string;
  readonly applicationAddress?: string;
  readonly ordering?: Ordering;
}

/** @param nodes how many ask for it. @throws a usage failure */
export function newApplication(
  { application: name, applicationAddress: address, ordering }: ApplicationOptions,
  nodes: number,
): NewApplication | undefined {
  if (ordering !== undefined && (name !== 'ledger' || address !== undefined)) {
    throw usageFailure('--ordering is of the ledger that is built in: give --application ledger with it');
  }
  if (address === undefined) return name === undefined ? undefined : { ...builtIn(name), ordering };
  if (name === undefined) {
    throw usageFailure('--application-address needs --application NAME: what the application calls itself');
  }
  return { kind: 'own', name, addresses: addressesOf(address, nodes) };
}

/** Of an application beside each node, in the words of the configuration. @throws a usage failure */
export function addressesOf(address: string, nodes: number): readonly string[] {
  if (address === IN_PROCESS) return Array.from({ length: nodes }, () => '');
  if (nodes > 1 && !address.includes(PLACE)) {
    throw usageFailure(
      `--application-address ${address}: each of the ${nodes} nodes needs an application of its own, since one serves one node: ` +
        `put ${PLACE} where 0 to ${nodes - 1} is to stand`,
    );
  }
  return Array.from({ length: nodes }, (_, place) => {
    const text = address.replaceAll(PLACE, String(place));
    if (parseSocketAddress(text) !== undefined) return text;
    throw usageFailure(
      `--application-address ${address}: "${text}" is no address of an application: give ${SOCKET_ADDRESS_SHAPE}, or ${IN_PROCESS}`,
    );
  });
}

function builtIn(raw: string): NewApplication & { readonly kind: 'built-in' } {
  const parsed = parseApplicationName(raw);
  if (parsed.status === 'built-in') return { kind: 'built-in', name: parsed.name };
  throw usageFailure(
    `--application ${raw}: ${parsed.message}; for one of your own say where it is: --application-address ADDRESS, ` +
      `which is ${SOCKET_ADDRESS_SHAPE}, or ${IN_PROCESS} (docs/applications.md)`,
  );
}
