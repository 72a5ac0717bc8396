/** Validators of a network of processes that come and go by transactions of kv. Boundary: HTTP, child processes. CS-16. */
import { ROUNDS, STATUS } from '../../../src/cli/shapes.ts';
import { althing, eventually, type LocalNetwork } from './local-network.ts';

/** What a command prints of a node's keys. */
export interface ShownKeys {
  readonly node_key: string;
  readonly consensus_key: string;
  readonly possession_proof: string;
}

export async function shownKeys(home: string, command: 'show-validator' | 'rotate-key'): Promise<ShownKeys> {
  const { code, stdout, stderr } = await althing(command, '--home', home, '--json');
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
  return JSON.parse(stdout);
}

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

/** Brings a validator in, or gives it another key. */
export const joining = ({ node_key, consensus_key, possession_proof }: ShownKeys, power = 1): string =>
  `val:${base64(node_key)}!${base64(consensus_key)}!${base64(possession_proof)}!${power}`;

export const leaving = ({ node_key }: ShownKeys): string => `val:${base64(node_key)}!0`;

/** Committed, with code 0, as the node says that it is given to. */
export const commit = (network: LocalNetwork, index: number, text: string): Promise<true> =>
  eventually(text, 60_000, async () => {
    const tx = Buffer.from(text).toString('base64');
    const answer = await network.call(index, 'broadcast_tx_commit', { tx });
    return answer?.check_tx?.code === 0 && answer.tx_result?.code === 0 ? true : undefined;
  });

/** The epoch that a node shows, and its own power in it. */
export async function standing(
  network: LocalNetwork,
  index: number,
): Promise<{ readonly epoch: number; readonly power: string } | undefined> {
  const [status, rounds]: readonly unknown[] = await Promise.all([
    network.call(index, 'status'),
    network.call(index, 'althing_rounds'),
  ]);
  const power = STATUS.safeParse(status);
  const epoch = ROUNDS.safeParse(rounds);
  if (!power.success || !epoch.success) return undefined;
  return {
    epoch: Number(epoch.data.current_epoch),
    power: power.data.validator_info.voting_power,
  };
}

export const reaches = (network: LocalNetwork, index: number, epoch: number, power: string): Promise<true> =>
  eventually(`${index} is in epoch ${epoch} with power ${power}`, 60_000, async () => {
    const at = await standing(network, index);
    return at?.epoch === epoch && at.power === power ? true : undefined;
  });
