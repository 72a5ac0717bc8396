/**
 * Submits operations to a running network and waits for the one end of each. The nodes: words of the command line, else
 * ALTHING_NODES, else those of a local network (`npx althing`), where one is running.
 */
import { connect } from 'althing/client';

const LOCAL = [
  'http://127.0.0.1:26657',
  'http://127.0.0.1:26667',
  'http://127.0.0.1:26677',
  'http://127.0.0.1:26687',
];
const named = [...process.argv.slice(2), ...(process.env['ALTHING_NODES']?.split(',') ?? [])];

const client = connect({ endpoints: named.length > 0 ? named : LOCAL });
const status = await client.status().catch((problem: Error) => problem);
if (status instanceof Error) {
  console.log(`no network answers: start one with \`npx althing\`, or name its nodes`);
} else {
  const word = Date.now();
  const operations = await client.submitAll([`ada=${word}`, `eve=${word}`, `val:nobody!${word}`]);
  for (const { id, expiresAtHeight, outcome } of operations) {
    const name = id.slice(0, 8);
    const end = await outcome;
    switch (end.status) {
      case 'committed':
        console.log(`${name} committed before height ${expiresAtHeight}: code ${end.result.code}`);
        break;
      case 'expired':
        console.log(`${name} expired: no node ever executes it`);
        break;
      case 'rejected':
        console.log(`${name} rejected: ${end.code}`);
        break;
    }
  }
  const { value } = await client.query('', 'ada');
  console.log(
    `ada is ${new TextDecoder().decode(value) === String(word) ? 'what was submitted' : 'another'}`,
  );
}
client.close();
