import { mergeConfig } from 'vitest/config';
import shared, { endToEnd } from '../../vitest.shared.ts';

// The whole matrix waits even more than it works.
const whole = process.env['MATRIX'] === 'full' ? { test: { maxConcurrency: 8 } } : {};

export default mergeConfig(mergeConfig(shared, endToEnd), whole);
