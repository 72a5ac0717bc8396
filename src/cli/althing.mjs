#!/usr/bin/env node
// The program's entry, in JavaScript that every Node can read: one too old for the rest must get a sentence.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `Althing needs Node.js 24 or newer, and this is ${process.version}: install it from https://nodejs.org, or run it with \`npx node@24\`\n`,
  );
  process.exitCode = 2;
} else {
  const { existsSync } = await import('node:fs');
  // A clone runs its sources; the package has them compiled, since Node strips no types of what is installed.
  const isClone = existsSync(new URL('./main.ts', import.meta.url));
  await import(isClone ? './main.ts' : '../../dist/cli/main.js');
}
