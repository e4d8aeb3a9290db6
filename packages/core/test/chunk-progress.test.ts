import { expect, test } from 'vitest';
import { chunkProgress } from '../src/index.ts';

test.each([
  [
    { planned: 3_400_000, samples: 1_200_000, bytes: 12_000_000 },
    'copying: 1.2 M of 3.4 M samples, 12 MB sent',
    35,
  ],
  // More had come to be missing than was planned; it is not done before it was read back.
  [{ planned: 300, samples: 450, bytes: 9_000 }, 'copying: 450 samples, 9 kB sent', 99],
  [{ planned: 300, samples: 300, bytes: 900 }, 'copying: 300 of 300 samples, 900 B sent', 99],
  [
    { planned: 3_400_000, samples: undefined, bytes: 2_500_000 },
    'copying 3.4 M samples in native blocks: 2.5 MB sent',
    0,
  ],
  [{ planned: 0, samples: 0, bytes: 0 }, 'copying: 0 of 0 samples, 0 B sent', 0],
])('%o reads as a sentence', (copied, says, progress) => {
  expect(chunkProgress(copied)).toEqual({ says, progress });
});
