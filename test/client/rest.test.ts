import { describe, expect, it } from 'vitest';
import { Rest } from '../../src/client/rest.ts';

describe('how long a node rests', () => {
  it('doubles with each failure, and is as long as the node asks for', () => {
    const rest = new Rest();
    rest.begin(0);
    expect(rest.leftAt(0)).toBe(200);
    rest.begin(200);
    expect(rest.leftAt(200)).toBe(400);
    rest.begin(600, 3_000);
    expect(rest.leftAt(600)).toBe(3_000);
  });

  it('is longer where a second call that was under way brings a longer wish, and counts as the same failure', () => {
    const rest = new Rest();
    rest.begin(0, 500);
    rest.begin(100, 1_000);
    rest.begin(200, 10);
    expect([rest.leftAt(200), rest.failures]).toEqual([900, 1]);
  });

  it('is never longer than ten seconds, whatever the node asks for', () => {
    const rest = new Rest();
    rest.begin(0, 86_400_000);
    expect(rest.leftAt(0)).toBe(10_000);
  });
});
