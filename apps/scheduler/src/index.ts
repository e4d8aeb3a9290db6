export { requestBackfillCheck } from './check.ts';
export { type Running, startScheduler } from './scheduler.ts';
export { checkSettings } from './settings.ts';
