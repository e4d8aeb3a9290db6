import { mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

// Properties run thousands of examples: the limit is for what hangs, not for what is slow.
export default mergeConfig(shared, { test: { testTimeout: 60_000 } });
