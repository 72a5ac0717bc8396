/** Starts the page: takes the token out of the address, connects, and keeps what is selected in the address. Boundary: the browser's window. */
import './theme.css';
import './shell/shell.css';
import { createRoot } from 'react-dom/client';
import { Connection, type ConnectionEvents } from './feed/connection.ts';
import { PageStore } from './feed/store.ts';
import { StoreContext } from './feed/use-page.ts';
import { keepInAddress, takeToken } from './shell/address.ts';
import { App } from './shell/app.tsx';
import { chosenTheme, showTheme } from './shell/theme.ts';
import { StatelyBridge } from './stately/bridge.ts';
import { StatelyContext } from './stately/stately-button.tsx';

showTheme(chosenTheme());
const token = takeToken(window);
const store = new PageStore((callback) => requestAnimationFrame(callback));
const connect = (events: ConnectionEvents) => new Connection(window.location.origin, token, events);
const connection = connect(store);
const bridge = new StatelyBridge(connect);
store.attach(connection);
keepInAddress(store, window);
connection.open();

const root = document.getElementById('page');
if (root !== null) {
  createRoot(root).render(
    <StoreContext value={store}>
      <StatelyContext value={bridge}>
        <App />
      </StatelyContext>
    </StoreContext>,
  );
}
