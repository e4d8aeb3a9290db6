import { mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

// Real servers are started: the limits are for what hangs, not for what is slow.
export default mergeConfig(shared, { test: { testTimeout: 60_000, hookTimeout: 60_000 } });
