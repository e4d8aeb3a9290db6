export * from './config.ts';
export * from './dns.ts';
export * from './env.ts';
export * from './logger.ts';
export * from './notify-targets.ts';
export * from './state-file.ts';
export * from './webhook.ts';
export * from './webhook-body.ts';
