export { type Running, startScheduler } from './scheduler.ts';
export { checkSettings } from './settings.ts';
