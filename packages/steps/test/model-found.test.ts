import { test } from 'vitest';
import { FOUND, NARROW } from '../../core/test/model/found.ts';
import { play } from '../../core/test/model/play.ts';
import { stepsEyes } from './model-eyes.ts';

test.each(FOUND)('a history that once broke a promise keeps it: %s', async (_, story) => {
  await play(story, stepsEyes, { acts: 0, checks: 0, ready: 0 });
});

test.each(NARROW)('it does not come to this: %s', async (_, story) => {
  await play(story, stepsEyes, { acts: 0, checks: 0, ready: 0 });
});
