/**
 * Entries of a journal, as JSON, into a replay: nothing throws but the named refusal of a root that was not given, every
 * feed ends, and mailboxes stay bounded. Rule RT-15.
 */
import {
  type CellSpec,
  child,
  type Effect,
  type JournalEntry,
  type Message,
  millis,
  monotonic,
  replay,
  seededRandom,
  supervisor,
} from '../../../src/actors/runtime/index.ts';
import { wallTime } from '../../../src/base/units.ts';
import { puppet, rig } from '../../actors/runtime/harness.ts';
import { JSON_FORM } from '../forms/json.ts';
import { claim, type Target } from '../target.ts';

const ENTRIES_MAX = 64;
/** What a journal of other roots, or one that starts a root twice, is refused with. */
const REFUSALS = ['which is not among the roots given', 'one parent owns an address'];
const MAILBOX = { capacity: 3, postponed: 2 };

const tree = (): CellSpec =>
  child(
    'top',
    supervisor({
      strategy: 'rest_for_one',
      intensity: 3,
      period: millis(30),
      children: [child('a', puppet, { mailbox: MAILBOX }), child('b', puppet, { restart: 'transient' })],
      templates: [child('extra', puppet, { restart: 'temporary' })],
    }),
  );

/** A message names its effects by number: charts are typed, so no journal can make one ask for something else. */
const EFFECTS: readonly Effect[] = [
  { kind: 'tell', to: 'top/b', message: { type: 'note', value: 1 } },
  { kind: 'tell', to: 'nowhere', message: { type: 'note', value: 2 } },
  { kind: 'startTimer', key: 'k', delayMs: 3, message: { type: 'note', value: 3 } },
  { kind: 'startTimer', key: 'k', delayMs: 0, message: { type: 'later', value: 4 } },
  { kind: 'watch', address: 'top/b' },
  { kind: 'spawn', logic: 'idle', id: 's' },
  { kind: 'stop', id: 's' },
  { kind: 'exit', reason: { kind: 'normal' } },
  { kind: 'reply', message: { type: 'note', value: 5 } },
];

function sampleJournal(): readonly object[] {
  const { system, clock, journal } = rig(tree());
  const tell = (to: string, message: Message): void => {
    system.ref(to).tell(message);
    clock.settle();
  };
  tell('top/a', { type: 'note', value: 1 });
  tell('top/a', { type: 'later', value: 2 });
  tell('top/a', { type: 'do', effects: [EFFECTS[2], EFFECTS[4]].filter((effect) => effect !== undefined) });
  clock.advance(millis(5));
  tell('top/b', { type: 'throw' });
  tell('top/a', { type: 'go', to: 'right' });
  return journal.entries.map((entry) =>
    'message' in entry && entry.message.type === 'do'
      ? { ...entry, message: { type: 'do', effects: [2, 4] } }
      : entry,
  );
}

const bytesOf = (value: unknown): Uint8Array => new Uint8Array(Buffer.from(JSON.stringify(value)));

export const journalReplay: Target = {
  name: 'replay',
  what: 'entries of a journal into a replay of the same tree',
  covers: [
    '/src/actors/runtime/',
    '/src/machines/vocabulary/',
    '/src/machines/supervisor/',
    '/src/protocol/supervision/',
  ],
  mutations: JSON_FORM,
  dictionary: [
    ...[
      'message',
      'timer',
      'started',
      'ended',
      'stale',
      'lapsed',
      'open',
      'close',
      'draw',
      'digest',
      'kind',
      'turn',
      'seq',
    ],
    ...[
      'top',
      'top/a',
      'top/b',
      'top/extra',
      '@ask/1',
      '@kill',
      '@outside',
      'normal',
      'priority',
      'note',
      'later',
      'do',
      'go',
    ],
  ].map((word) => new Uint8Array(Buffer.from(word))),
  bytesMax: 16 * 1024,
  window: 300,
  seeds: () => {
    const entries = sampleJournal();
    return [
      bytesOf(entries),
      ...entries.slice(0, 12).map((_, index) => bytesOf(entries.slice(0, index + 1))),
    ];
  },
  open: async () => ({ run }),
};

function run(input: Uint8Array): string {
  const entries = entriesOf(input);
  if (entries === undefined) return 'no journal';
  const run = replay({ name: 'rig', random: seededRandom('rig'), roots: [tree()], digestEvery: 1 });
  let ending = 'fed';
  for (const entry of entries) {
    try {
      run.feed(entry);
    } catch (error) {
      const named =
        error instanceof Error ? REFUSALS.find((words) => error.message.includes(words)) : undefined;
      if (named === undefined) throw error;
      ending = named;
      break;
    }
  }
  run.runTo(run.turn() + 1_000);
  const counters = run.system.ref('top/a').info()?.counters;
  claim((counters?.queued ?? 0) <= MAILBOX.capacity, 'a mailbox is bounded (RT-6)');
  return `${ending}${run.divergence() === undefined ? '' : ', diverged'} after ${Math.min(8, run.turn())} turns`;
}

/** What a reader of journals would let through: the gateway is the journal file's, whose issue comes later. */
function entriesOf(input: Uint8Array): readonly JournalEntry[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(input).toString('utf8'));
  } catch {
    return undefined;
  }
  return Array.isArray(value) ? value.slice(0, ENTRIES_MAX).flatMap((raw) => entryOf(raw) ?? []) : undefined;
}

type Raw = Readonly<Record<string, unknown>>;
const isRaw = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const whole = (value: unknown): number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function entryOf(raw: unknown): JournalEntry | undefined {
  if (!isRaw(raw)) return undefined;
  const { kind } = raw;
  const turn = whole(raw['turn']);
  const address = text(raw['address']);
  const stamp = {
    seq: whole(raw['seq']),
    turn,
    now: monotonic(whole(raw['now'])),
    wall: wallTime(whole(raw['wall'])),
  };
  const message = messageOf(raw['message']);
  switch (kind) {
    case 'message': {
      const lane = raw['lane'] === 'control' ? 'control' : 'user';
      return { ...stamp, kind, from: text(raw['from']), to: text(raw['to']), lane, message };
    }
    case 'timer':
      return { ...stamp, kind, address, key: text(raw['key']) };
    case 'started':
    case 'lapsed':
    case 'open':
    case 'close':
      return { ...stamp, kind, address };
    case 'ended':
      return { ...stamp, kind, address, reason: { kind: 'crash', error: 'fuzz' } };
    case 'stale':
      return { ...stamp, kind, from: text(raw['from']), address, message };
    case 'draw':
      return { kind, turn, value: Number(raw['value']) };
    case 'digest':
      return { kind, turn, address, digest: text(raw['digest']) };
    default:
      return undefined;
  }
}

function messageOf(raw: unknown): Message {
  if (!isRaw(raw)) return { type: '' };
  const type = text(raw['type']);
  const { effects } = raw;
  if (type !== 'do' && type !== 'do then throw') return { ...raw, type };
  const chosen = Array.isArray(effects)
    ? effects.slice(0, 8).flatMap((index) => EFFECTS[whole(index) % EFFECTS.length] ?? [])
    : [];
  return { type, effects: chosen };
}
