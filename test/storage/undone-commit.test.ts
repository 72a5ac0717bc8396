import { expect, it } from 'vitest';
import { chain, committed, digest, folderDisk, found, write } from './fixtures.ts';

it('a commit that the device undid is forgotten: no execution of its blocks is taken (ST-5)', () => {
  const disk = folderDisk({ databasePagesMax: 40 });
  try {
    const store = disk.open();
    const blocks = chain(400);
    const [first] = blocks;
    if (first === undefined) throw new Error('no block');
    const staged = store.stage([{ kind: 'commit', blocks: blocks.map(committed) }]);
    expect(staged.status === 'staged' ? store.sync() : staged).toMatchObject({ code: 'FULL' });
    const executed = { height: first.block.header.height, appHash: digest('app') };
    const [refused] = write(store, {
      kind: 'execution',
      blockId: first.id,
      executed,
      transactions: [],
      events: [],
      validatorUpdates: [],
    });
    expect(refused).toMatchObject({
      status: 'refused',
      detail: expect.stringContaining('committed there is nothing'),
    });
    expect(found(store.latest()).executed).toBe(0);
    store.close();
  } finally {
    disk.remove();
  }
});
