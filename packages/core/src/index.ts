/** The public surface, in the order of the data's way. */

export * from './compare.ts';
export * from './duration.ts';
export * from './errors.ts';
export * from './event.ts';
export * from './history.ts';
export * from './mark.ts';
export * from './plan.ts';
export * from './report.ts';
export * from './selector.ts';
export * from './site.ts';
export * from './state.ts';
export * from './window.ts';
