import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NTP_PORT, parseServer } from '../../../src/protocol/time/ntp-server.ts';

describe('names of NTP servers (TM-3)', () => {
  it.each([
    ['time.example.org', 'time.example.org', NTP_PORT],
    ['time.example.org.', 'time.example.org.', NTP_PORT],
    ['ntp_1', 'ntp_1', NTP_PORT],
    ['localhost:11123', 'localhost', 11_123],
    ['192.0.2.7', '192.0.2.7', NTP_PORT],
    ['192.0.2.7:65535', '192.0.2.7', 65_535],
    ['[::1]', '::1', NTP_PORT],
    ['[::1]:1', '::1', 1],
    ['::1', '::1', NTP_PORT],
    ['2001:db8::1', '2001:db8::1', NTP_PORT],
    ['[fe80::1%eth0]:123', 'fe80::1%eth0', 123],
    ['::ffff:192.0.2.7', '::ffff:192.0.2.7', NTP_PORT],
  ])('reads %s', (text, host, port) => {
    expect(parseServer(text)).toEqual({ host, port });
  });

  it.each([
    '',
    ':123',
    'host:',
    'host:0',
    'host:65536',
    'host:123456',
    'host:1e3',
    'host:-1',
    'host: 123',
    'ho st',
    'http://host',
    '-host',
    'host-',
    '[::1',
    '[]',
    '[]:123',
    '[::1]123',
    '[::1]:',
    '[::1]:0',
    '[host]:123',
    '[::1]]:123',
    'host:1:2',
    '2001:db8::1]:123',
    'a'.repeat(254),
    'höst',
  ])('refuses %j', (text) => {
    expect(parseServer(text)).toBe('malformed');
  });

  it('reads back every host and port that it could have read', () => {
    const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
    const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));
    const port = fc.integer({ min: 1, max: 65_535 });
    fc.assert(
      fc.property(fc.oneof(name, fc.ipV4()), fc.ipV6(), port, (host, address, at) => {
        expect(parseServer(`${host}:${at}`)).toEqual({ host, port: at });
        expect(parseServer(host)).toEqual({ host, port: NTP_PORT });
        expect(parseServer(`[${address}]:${at}`)).toEqual({ host: address, port: at });
      }),
    );
  });

  it('answers any text whatever, and never with a port outside 1 to 65535', () => {
    const nearly = fc.string({ unit: fc.constantFrom(...'a1.:[]%-_ ') });
    fc.assert(
      fc.property(fc.oneof(fc.string(), nearly), (text) => {
        const read = parseServer(text);
        if (read === 'malformed') return;
        expect(read.host).not.toBe('');
        expect(read.port).toBeGreaterThanOrEqual(1);
        expect(read.port).toBeLessThanOrEqual(65_535);
        expect(text).toContain(read.host);
      }),
    );
  });
});
