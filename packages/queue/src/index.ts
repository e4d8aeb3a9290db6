export * from './connection.ts';
export * from './queues.ts';
export * from './readiness.ts';
export * from './schemas.ts';
export { Store } from './store.ts';
