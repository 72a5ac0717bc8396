/**
 * Datagrams of NTP servers: as they come, and with the nonce of our question in them. What is read is within its bounds or
 * refused by name, who does not know the nonce ends nothing, and a server's record takes what ended the question. Rule TM-3.
 */
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { TIME_DEFAULTS } from '../../../src/protocol/time/config.ts';
import {
  type Association,
  answered,
  candidateOf,
  newAssociation,
  nextPollAt,
  pollSent,
} from '../../../src/protocol/time/ntp-association.ts';
import {
  encodeNtpRequest,
  endsExchange,
  isNtpRefusal,
  NTP_PACKET_BYTES,
  type NtpAnswer,
  type NtpRefusal,
  readNtpAnswer,
} from '../../../src/protocol/time/ntp-packet.ts';
import { claim, type Target } from '../target.ts';

const NONCE = Uint8Array.of(0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, 0x18);
const ORIGIN_AT = 24;
const NEAR = wallTime(Date.UTC(2026, 6, 1));
/** @unit ms */
const LEAST = 0;
const MOST = 16_000;
const POLLS = 8;
const config = { ...TIME_DEFAULTS, ntpPollIntervalMs: millis(1_000) };

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
/** Head, root delay, root dispersion, reference; then the times, with or without our nonce. */
const packet = (words: string, times = 'edeed70080000000 edeed70080418937', origin = 'a1b2c3d4e5f60718') =>
  bytesOf(`${words} edeed6f000000000 ${origin} ${times}`);

export const ntpPacket: Target = {
  name: 'ntp-packet',
  what: 'datagrams of NTP servers, as they come and with our nonce, into the record of a server',
  covers: ['/src/protocol/time/'],
  mutations: [],
  dictionary: [
    NONCE,
    ...['52415445', '44454e59', '52535452', '494e4954', '24', 'e4', '1c', '00', '10', '8000', '7fffffff'].map(
      bytesOf,
    ),
    ...['edeed70080000000', '0000000000000001', 'ffffffffffffffff'].map(bytesOf),
  ],
  bytesMax: 256,
  window: 5_000,
  seeds: () => [
    packet('240106ec 00000000 00000042 47505300'),
    packet('5c020ae8 00000800 00001080 c0000207', 'edeed70100000000 edeed70100001000'),
    packet('e40006ec 00000000 00000000 52415445'),
    packet('e40006ec 00000000 00000000 44454e59'),
    packet('e40006ec 00000000 00000000 00000000'),
    packet('240106ec 00000000 00000042 47505300', 'edeed70080000000 edeed70080418937', 'a1b2c3d4e5f60719'),
    packet('240106ec 00000000 00000042 47505300', '0000000000000001 0000000100000000'),
    encodeNtpRequest(NONCE),
  ],
  open: async () => ({ run }),
};

function run(input: Uint8Array): string {
  const raw = readNtpAnswer(input, NONCE, NEAR);
  const sealed = input.slice();
  if (sealed.byteLength >= NTP_PACKET_BYTES) sealed.set(NONCE, ORIGIN_AT);
  const answer = readNtpAnswer(sealed, NONCE, NEAR);
  const isOurs = Buffer.compare(input.subarray(ORIGIN_AT, ORIGIN_AT + NONCE.byteLength), NONCE) === 0;
  claim(
    isOurs || (isNtpRefusal(raw) && !endsExchange(raw)),
    'who does not know the nonce ends nothing (TM-3)',
  );
  return `${named(raw)}, ${named(answer)}, ${recorded(answer)}`;
}

function named(answer: NtpAnswer | NtpRefusal): string {
  if (isNtpRefusal(answer)) return answer.code === 'ABSURD' ? `ABSURD ${answer.field}` : answer.code;
  const { leap, stratum, rootDelay, rootDispersion, precision, receivedAt, repliedAt } = answer;
  claim(leap < 3 && stratum > 0 && stratum < 16, 'an answer is of a synchronised server (TM-3)');
  for (const each of [rootDelay, rootDispersion, precision, repliedAt - receivedAt]) {
    claim(each >= LEAST && each <= MOST, 'an answer is within its bounds (TM-3)');
  }
  claim(Math.abs(receivedAt - NEAR) <= 2 ** 31 * 1_000, 'a timestamp is of the nearest era');
  return stratum === 1 ? 'primary' : 'secondary';
}

/** The same answer as time goes by. */
function after(answer: NtpAnswer | NtpRefusal, elapsed: number): NtpAnswer | NtpRefusal {
  if (isNtpRefusal(answer)) return answer;
  const { receivedAt, repliedAt } = answer;
  return { ...answer, receivedAt: wallTime(receivedAt + elapsed), repliedAt: wallTime(repliedAt + elapsed) };
}

/** That answer to every question: the record of the server says something finite, or nothing. */
function recorded(answer: NtpAnswer | NtpRefusal): string {
  let association: Association = newAssociation('ntp.example');
  let now = monotonic(0);
  for (let requestId = 1; requestId <= POLLS; requestId += 1) {
    const due = nextPollAt(association);
    if (!Number.isFinite(due)) return 'denied';
    claim(due >= now, 'no poll is in the past');
    association = pollSent(association, requestId, due, config);
    now = monotonic(due + 20);
    const waiting = association;
    const reply = { requestId, sentAt: due, arrivedAt: now, answer: after(answer, due) };
    association = answered(association, reply, now, config);
    const isOver = !isNtpRefusal(answer) || endsExchange(answer);
    claim((association !== waiting) === isOver, 'what ends an exchange is recorded, and nothing else');
  }
  const candidate = candidateOf(association, now, { ...config, ratePpm: 0 });
  if (candidate === undefined) return 'unusable';
  const { offset, rootDistance, jitter } = candidate;
  claim([offset, rootDistance, jitter].every(Number.isFinite), 'a candidate has numbers');
  claim(rootDistance > 0 && rootDistance < 1_500, 'a candidate is near its reference clock (TM-3)');
  return 'usable';
}
