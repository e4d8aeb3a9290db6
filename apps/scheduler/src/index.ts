export { createContext, type SchedulerContext } from './context.ts';
export { notificationsWorker, sendNotice } from './notify.ts';
export { type Running, startScheduler } from './scheduler.ts';
export { checkSettings } from './settings.ts';
export { settleRun } from './settle.ts';
