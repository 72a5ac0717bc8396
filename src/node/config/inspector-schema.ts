/** The keys of [inspector]: where viewers connect, and what they may do. Pure. Rules IN-1, IN-2, docs/inspector.md. */
import { flag, integer, list, text } from './setting.ts';

export const INSPECTOR_SETTINGS = {
  listen: text({
    default: '',
    pattern: /^$|^(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}$/,
    shape: 'an address of this machine alone, "127.0.0.1:port", or "" for none',
    note: 'Where pages look into this node; "" for none. From elsewhere: through a tunnel (ssh -L).',
    source: 'IN-2',
  }),
  allow_control: flag({
    default: false,
    note: 'Whether viewers may submit transactions. Else they may only look.',
    source: 'IN-2',
  }),
  allowed_hosts: list({
    pattern: /^[A-Za-z0-9.[\]-]+(:\d{1,5})?$/,
    shape: 'a host name, with its port where that is another than of `listen`',
    lengthMax: 100,
    note: 'Values of the Host header, and of the Origin with http:// before it, beside those of this machine: the near end of a tunnel.',
    source: 'IN-2; docs/inspector.md',
  }),
  viewers_max: integer({
    default: 16,
    min: 1,
    max: 256,
    unit: 'viewers',
    note: 'Pages and programs that look at once; one more is refused.',
    source: 'chosen: each costs at most 10 MB when it does not read',
  }),
};
