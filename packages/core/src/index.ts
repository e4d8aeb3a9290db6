/** The public surface, in the order of the data's way. */

export * from './backfill.ts';
export * from './backfill-wish.ts';
export * from './beyond.ts';
export * from './compare.ts';
export * from './duration.ts';
export * from './duty.ts';
export * from './errors.ts';
export * from './estimate.ts';
export * from './event.ts';
export * from './halve-values.ts';
export * from './history.ts';
export * from './identity.ts';
export * from './mark.ts';
export * from './own-series.ts';
export * from './pace.ts';
export * from './plan.ts';
export * from './progress.ts';
export * from './rates.ts';
export * from './report.ts';
export * from './selector.ts';
export * from './site.ts';
export * from './state.ts';
export * from './strain.ts';
export * from './stuck.ts';
export * from './window.ts';
