/** What of a cell's context is worth a look: without what is the same all along, like keys, engines and addresses of other cells. Pure. */

/** Names of fields, in the contexts of a node's charts, that configuration and wiring gave. */
const WIRING: ReadonlySet<string> = new Set([
  ...['setting', 'signer', 'bls', 'vrf', 'config', 'configured', 'timeouts', 'limits', 'timeliness', 'rules'],
  ...['addresses', 'storage', 'router', 'safety', 'viewChange', 'roundManager', 'mempool', 'evidencePool'],
  ...[
    'epochKeeper',
    'blockSync',
    'networkSync',
    'stateSync',
    'heightSync',
    'chainSync',
    'executor',
    'bridge',
  ],
  ...[
    'alarm',
    'timeCoordinator',
    'clock',
    'ntpClient',
    'listener',
    'peers',
    'route',
    'connectivity',
    'sources',
  ],
  ...[
    'commitListeners',
    'epochListeners',
    'listeners',
    'observers',
    'paced',
    'replyTo',
    'sideStore',
    'listensTo',
  ],
]);

/** Of an epoch its number, its size and its powers: keys are not what a reader looks for. */
const summaryOf = (epoch: object): unknown =>
  'epoch' in epoch && 'set' in epoch && typeof epoch.set === 'object' && epoch.set !== null
    ? {
        epoch: epoch.epoch,
        ...('totalPower' in epoch.set ? { totalPower: epoch.set.totalPower } : {}),
        ...('quorumPower' in epoch.set ? { quorumPower: epoch.set.quorumPower } : {}),
      }
    : epoch;

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);

export const worthALook = (context: object): unknown =>
  Object.fromEntries(
    Object.entries(context)
      // Peers that are a table are the cell's own knowledge; an address is wiring.
      .filter(([name, value]) => !WIRING.has(name) || (name === 'peers' && isObject(value)))
      .map(([name, value]) => [name, name === 'epoch' && isObject(value) ? summaryOf(value) : value]),
  );
