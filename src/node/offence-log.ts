/**
 * What the operator's log says when a committed block proves an offence: of whom, which, and what to do where it is this node.
 * Pure but for the log. CS-14, docs/operator-guide.md.
 */
import type { NodeLog } from '../observe/log.ts';
import type { Address } from '../protocol/chain/types.ts';
import type { Misbehavior } from '../protocol/ports/application.ts';
import type { BlockResults } from '../protocol/ports/execution.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'warn' | 'error'>;

const DEEDS: Readonly<Record<Misbehavior['type'], string>> = {
  DUPLICATE_VOTE: 'signed two votes in one round',
  HIDDEN_QC: 'hid a certificate that it knew from a timeout',
};

/** To be told of each block once, when its outcome is durable: a line for each offence. */
export const offenceLog =
  (log: Log, self: Address) =>
  ({ executed: { height }, misbehavior = [] }: Pick<BlockResults, 'executed' | 'misbehavior'>): void => {
    for (const { type, validator, height: committedAt } of misbehavior) {
      const facts = { validator: validator.address, power: String(validator.power), offence: type };
      const words = `block ${height} proves that`;
      const deed = `${DEEDS[type]}, at height ${committedAt}`;
      if (validator.address !== self) {
        log.warn(facts, `${words} validator ${validator.address} ${deed}; the application was told`);
        continue;
      }
      log.error(
        facts,
        `${words} this validator ${deed}; the application was told. Its keys sign elsewhere too, or an old data/ was put back: ` +
          'stop it, find the other node that has these keys, and let none of the two sign again',
      );
    }
  };
