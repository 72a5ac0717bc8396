import { describe, expect, it } from 'vitest';
import { feedAddress } from '../../../visualize/src/feed/connection.ts';
import { readFeedMessage } from '../../../visualize/src/feed/read.ts';
import { heard } from '../support/run.ts';

describe('what comes from the feed', () => {
  it('is read as it was told', () => {
    const { hello, moment, deltas } = heard(2);
    for (const message of [hello, moment, ...deltas])
      expect(readFeedMessage(JSON.stringify(message))).toEqual({ ok: true, message });
  });

  it.each([
    ['no JSON', 'NOT_JSON', '{'],
    ['no message', 'UNKNOWN_MESSAGE', 'null'],
    ['a message of no known type', 'UNKNOWN_MESSAGE', '{"type":"greeting"}'],
    ['a hello of another version', 'OTHER_VERSION', '{"type":"hello","version":99}'],
  ])('is refused by name when it is %s', (_, code, text) => {
    expect(readFeedMessage(text)).toMatchObject({ ok: false, code });
  });

  it('comes from the page’s own origin, by its scheme, with the token', () => {
    expect(feedAddress('http://127.0.0.1:26700', 'a b')).toBe('ws://127.0.0.1:26700/feed?token=a+b');
    expect(feedAddress('https://localhost:1', 't')).toBe('wss://localhost:1/feed?token=t');
  });
});
