/**
 * npm runs this at the end of `npm ci`: it builds the page that nodes serve, and loads the node once, so that its first start finds it
 * compiled. A node runs without either, so nothing that goes wrong here may fail an installation. JavaScript, since an older Node must
 * get that far too.
 */
if (Number(process.versions.node.split('.')[0]) >= 24) {
  try {
    const { openCompileCache } = await import('../src/cli/compile-cache.ts');
    openCompileCache();
    await Promise.all([
      import('../src/cli/program.ts'),
      import('../src/cli/commands/start.ts'),
      import('../src/cli/local-network/network.ts'),
      import('../src/node/start.ts'),
    ]);
  } catch (error) {
    process.stderr.write(`althing: not compiled beforehand, the first start will do it (${error})\n`);
  }
  try {
    const { buildPage } = await import('./page.ts');
    await buildPage();
  } catch (error) {
    process.stderr.write(`althing: the page was not built, \`npm run page\` tries again (${error})\n`);
  }
}
