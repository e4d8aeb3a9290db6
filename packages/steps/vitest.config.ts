import { mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

// Properties over days of samples, and real servers: limits are for what hangs, not for what is slow.
export default mergeConfig(shared, { test: { testTimeout: 60_000 } });
