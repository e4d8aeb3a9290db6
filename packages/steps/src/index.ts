export {
  type CheckContext,
  type CheckResult,
  type CheckSettings,
  checkGaps,
  NOTHING_SET_ASIDE,
  type Plan,
  type SetAside,
} from './check-gaps.ts';
export { countDevices, type DeviceQuestion } from './count-devices.ts';
export { type FreshnessContext, type FreshnessSettings, lookAtFreshness } from './freshness.ts';
export type { CheckProgress } from './how-far.ts';
export { type IdentifyContext, IdentityError, identify } from './identify.ts';
export type * from './ports.ts';
export { type ChunkContext, type ChunkOutcome, repairChunk, ShortError } from './repair-chunk.ts';
