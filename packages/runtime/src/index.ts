export * from './config.ts';
export * from './dns.ts';
export * from './env.ts';
export * from './logger.ts';
export * from './paint.ts';
export * from './redis-watch.ts';
export * from './state-file.ts';
export * from './webhook.ts';
