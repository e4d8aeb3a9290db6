export { type Running, startWorker } from './worker.ts';
