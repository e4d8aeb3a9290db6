import { test } from 'vitest';
import { coreEyes } from './model/core-eyes.ts';
import { FOUND, NARROW } from './model/found.ts';
import { play } from './model/play.ts';

test.each(FOUND)('a history that once broke a promise keeps it: %s', async (_, story) => {
  await play(story, coreEyes, { acts: 0, checks: 0, ready: 0 });
});

test.each(NARROW)('it does not come to this: %s', async (_, story) => {
  await play(story, coreEyes, { acts: 0, checks: 0, ready: 0 });
});
