/** The journal in `/metrics`: what it has written, what it has not, and whether it is being written. Boundary: prom-client. Rules RP-2, docs/operator-guide.md. */
import { Gauge, type Registry } from 'prom-client';
import type { JournalStatus } from '../record/journal-writer.ts';

/** @param status undefined where nothing is recorded */
export function registerJournal(registry: Registry, status: () => JournalStatus | undefined): void {
  const gauge = (name: string, help: string, read: (of: JournalStatus | undefined) => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(status()));
      },
    });
  };
  gauge('althing_journal_recording', '1 while all that this node learns is written down', (of) =>
    of?.state === 'recording' ? 1 : 0,
  );
  gauge('althing_journal_bytes', 'bytes of this life in the journal', (of) => of?.written ?? 0);
  gauge('althing_journal_waiting_bytes', 'bytes that wait for the disk', (of) => of?.waiting ?? 0);
  gauge(
    'althing_journal_missing',
    'entries that the journal lacks since the disk was too slow',
    (of) => of?.missing ?? 0,
  );
}
