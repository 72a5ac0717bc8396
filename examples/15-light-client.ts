/**
 * Believes no node: begins with the genesis of a running network and verifies what its nodes say. The genesis file and the nodes:
 * words of the command line, else those of a local network (`npx althing`), where one is running.
 */
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'althing/client';
import { LightClient } from 'althing/client/light';

const [file = '.althing/node0/config/genesis.json', ...named] = process.argv.slice(2);
const endpoints = named.length > 0 ? named : ['http://127.0.0.1:26657', 'http://127.0.0.1:26667'];

const client = connect({ endpoints });
const status = await client.status().catch((problem: Error) => problem);
if (status instanceof Error || !existsSync(file)) {
  console.log('no network answers: start one with `npx althing`, or name its genesis file and its nodes');
} else {
  const light = new LightClient({
    endpoints,
    trusted: { genesis: JSON.parse(readFileSync(file, 'utf8')) },
  });
  const word = String(Date.now());
  const { id, outcome } = await client.submit(`proven=${word}`);
  await outcome;
  // Each of these is verified here, whatever the nodes say.
  const transaction = await light.transaction(id);
  console.log(`${id.slice(0, 8)} is in the block of height ${transaction.header.height}`);
  const pair = await light.pair('proven');
  const text = new TextDecoder().decode(pair.value);
  console.log(`"proven" is ${text === word ? 'what was submitted' : 'another'}, by height ${pair.height}`);
  const absent = await light.pair('nobody wrote this');
  console.log(`another key is ${absent.value === undefined ? 'not there' : 'there'}`);
  const { epoch = 0, epochHash = '' } = light.trusted ?? {};
  console.log(`believed from now on: epoch ${epoch}, ${epochHash.slice(0, 8)}`);
  light.close();
}
client.close();
