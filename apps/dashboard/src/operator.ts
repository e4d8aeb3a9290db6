import type { Config } from '@vm-sync/runtime';

/** Who acts, for the log: the one login, or whoever sits at this machine where there is none. */
export const operator = ({ dashboard }: Config): string =>
  dashboard.login?.user ?? 'local (no login)';
