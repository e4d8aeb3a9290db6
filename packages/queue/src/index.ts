export * from './backfills.ts';
export * from './connection.ts';
export { DutyStore } from './duty-store.ts';
export { PaceStore } from './pace-store.ts';
export * from './progress.ts';
export * from './queues.ts';
export * from './readiness.ts';
export * from './schemas.ts';
export { Store } from './store.ts';
