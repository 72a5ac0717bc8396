#!/usr/bin/env node
// The program's entry, in JavaScript that every Node can read: one too old for TypeScript must get a sentence.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `Althing needs Node.js 24 or newer, and this is ${process.version}: install it from https://nodejs.org, or run it with \`npx node@24\`\n`,
  );
  process.exitCode = 2;
} else {
  await import('./main.ts');
}
