import { mergeConfig } from 'vitest/config';
import shared, { endToEnd } from '../../vitest.shared.ts';

export default mergeConfig(shared, endToEnd);
