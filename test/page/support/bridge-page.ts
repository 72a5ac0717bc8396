/** A page with nothing but the bridge to Stately's inspector, and a button for it. Its address names the inspector's. */
import { Connection } from '../../../visualize/src/feed/connection.ts';
import { StatelyBridge } from '../../../visualize/src/stately/bridge.ts';

const given = new URLSearchParams(location.hash.slice(1));
const bridge = new StatelyBridge(
  (events) => new Connection(location.origin, given.get('token') ?? '', events),
  new URL(given.get('inspector') ?? ''),
);
const [button, state] = [document.createElement('button'), document.createElement('p')];
button.id = 'open';
state.id = 'state';
button.append('open');
button.addEventListener('click', bridge.open);
bridge.subscribe(() => {
  state.textContent = Object.values(bridge.get()).join(' ');
});
document.body.append(button, state);
