/** The NTP client in a system of its own, on the machine's clock; its replies land in a list. */
import { createSocket, type Socket } from 'node:dgram';
import {
  type Clock,
  type ClockTimer,
  child,
  createSystem,
  handler,
  realClock,
  type System,
  seededRandom,
  supervisor,
} from '../../../src/actors/runtime/index.ts';
import { millis } from '../../../src/base/units.ts';
import type { NtpReply } from '../../../src/protocol/ports/time.ts';
import type { Lookup } from '../../../src/time/name-cache.ts';
import { NTP_CLIENT_EVENTS, ntpClientLogic } from '../../../src/time/ntp-client.ts';

export interface TestClient {
  readonly system: System;
  readonly replies: readonly NtpReply[];
  /** @param timeoutMs default 5,000: longer than any answer on loopback takes */
  tell(server: string, timeoutMs?: number): number;
  /** One question and its reply. */
  ask(server: string, timeoutMs?: number): Promise<NtpReply>;
  replyTo(requestId: number): Promise<NtpReply>;
  /** Armed now. */
  timers(): number;
  stop(): Promise<void>;
}

const CLIENT = 'node/ntp-client';

export async function startClient({ lookup }: { readonly lookup?: Lookup } = {}): Promise<TestClient> {
  const { clock, timers } = countedTimers(realClock());
  const replies: NtpReply[] = [];
  const sink = handler<undefined, NtpReply>({
    init: () => undefined,
    receive(reply) {
      replies.push(reply);
    },
  });
  const logic = ntpClientLogic({ wall: () => clock.wall(), ...(lookup === undefined ? {} : { lookup }) });
  const system = createSystem({ name: 'test', clock, random: seededRandom('ntp') });
  const children = [child('sink', sink), child('ntp-client', logic, { publicEvents: NTP_CLIENT_EVENTS })];
  await system.start(child('node', supervisor({ intensity: 0, children }))).started();
  let asked = 0;
  const tell = (server: string, timeoutMs = 5_000): number => {
    asked += 1;
    const question = { server, requestId: asked, timeoutMs: millis(timeoutMs), replyTo: 'node/sink' };
    system.ref(CLIENT).tell({ type: 'ntp.pollRequested', ...question });
    return asked;
  };
  const replyTo = async (requestId: number): Promise<NtpReply> => {
    const end = performance.now() + 15_000;
    for (;;) {
      const reply = replies.find((other) => other.requestId === requestId);
      if (reply !== undefined) return reply;
      if (performance.now() > end) throw new Error(`no reply to question ${requestId}`);
      await pause(2);
    }
  };
  return {
    system,
    replies,
    tell,
    replyTo,
    timers: () => timers.size,
    ask: (server, timeoutMs) => replyTo(tell(server, timeoutMs)),
    stop: () => system.stop(),
  };
}

function countedTimers(clock: Clock): { readonly clock: Clock; readonly timers: ReadonlySet<ClockTimer> } {
  const timers = new Set<ClockTimer>();
  const counted = (arm: (fire: () => void) => ClockTimer, fire: () => void): ClockTimer => {
    const timer = arm(() => {
      timers.delete(timer);
      fire();
    });
    timers.add(timer);
    return timer;
  };
  return {
    timers,
    clock: {
      ...clock,
      schedule: (delayMs, fire) => counted((watched) => clock.schedule(delayMs, watched), fire),
      scheduleAt: (due, fire) => counted((watched) => clock.scheduleAt(due, watched), fire),
      cancel(timer) {
        timers.delete(timer);
        clock.cancel(timer);
      },
    },
  };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Answers one question as it likes; `send` may be called any number of times. */
export type Script = (question: Buffer, send: (bytes: Uint8Array) => void) => void;

export interface LoopbackServer {
  /** `127.0.0.1:port` */
  readonly server: string;
  readonly port: number;
  readonly questions: readonly Buffer[];
  /** Source ports of the questions. */
  readonly ports: readonly number[];
  readonly socket: Socket;
  stop(): Promise<void>;
}

/** A UDP server on loopback that follows a script. */
export async function loopbackServer(script: Script, host = '127.0.0.1'): Promise<LoopbackServer> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const questions: Buffer[] = [];
  const ports: number[] = [];
  let stopped = false;
  socket.on('message', (question, { address, port }) => {
    questions.push(question);
    ports.push(port);
    script(question, (bytes) => {
      if (!stopped) socket.send(bytes, port, address);
    });
  });
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  const { port } = socket.address();
  return {
    server: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    port,
    questions,
    ports,
    socket,
    stop() {
      stopped = true;
      return new Promise((resolve) => socket.close(() => resolve()));
    },
  };
}

export interface AnswerFields {
  readonly leap: number;
  readonly mode: number;
  readonly stratum: number;
  readonly reference: string;
  readonly originate: Uint8Array;
  /** T2 and T3. @unit ms since 1970 */
  readonly received: number;
  readonly replied: number;
}

/** From 1900 to 1970. @unit s @source RFC 5905 §6 */
const NTP_TO_UNIX_S = 2_208_988_800;

/** A server's answer of 48 bytes, laid out by RFC 5905 §7.3; all right but for what is changed. */
export function answerTo(question: Buffer, changed: Partial<AnswerFields> = {}): Buffer {
  const now = performance.timeOrigin + performance.now();
  const fields: AnswerFields = {
    leap: 0,
    mode: 4,
    stratum: 1,
    reference: 'TEST',
    originate: question.subarray(40, 48),
    received: now,
    replied: now,
    ...changed,
  };
  const packet = Buffer.alloc(48);
  packet.writeUInt8((fields.leap << 6) | (4 << 3) | fields.mode, 0);
  packet.writeUInt8(fields.stratum, 1);
  packet.writeInt8(-20, 3);
  packet.writeUInt32BE(0x0000_0100, 8);
  packet.write(fields.reference, 12, 4, 'latin1');
  writeTime(packet, 16, fields.received);
  packet.set(fields.originate, 24);
  writeTime(packet, 32, fields.received);
  writeTime(packet, 40, fields.replied);
  return packet;
}

function writeTime(packet: Buffer, at: number, ms: number): void {
  const seconds = Math.floor(ms / 1_000);
  packet.writeUInt32BE((seconds + NTP_TO_UNIX_S) % 2 ** 32, at);
  packet.writeUInt32BE(Math.floor(((ms / 1_000) % 1) * 2 ** 32), at + 4);
}
