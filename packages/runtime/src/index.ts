export * from './config.ts';
export * from './config-dashboard.ts';
export * from './dns.ts';
export * from './env.ts';
export * from './logger.ts';
export * from './password-hash.ts';
export * from './state-file.ts';
export * from './webhook.ts';
