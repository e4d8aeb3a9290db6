import type { Direction, Site } from '@vm-sync/core';
import { VictoriaMetrics } from './database.ts';
import type { EndpointOptions } from './endpoint.ts';
import { nativeIsShared } from './native.ts';
import type { SelectionRequest } from './query.ts';
import { type CopyRequest, copyLines, copyMissing, copyNative } from './transfer.ts';

export type Databases = Readonly<Record<Site, VictoriaMetrics>>;

/** Opens both sites' databases; nothing is sent yet. */
export const openDatabases = (
  vm: Readonly<Record<Site, Omit<EndpointOptions, 'site'>>>,
): Databases => ({
  primary: new VictoriaMetrics({ ...vm.primary, site: 'primary' }),
  dr: new VictoriaMetrics({ ...vm.dr, site: 'dr' }),
});

/** The ways of copying from one of them to the other. */
export function transferBetween(databases: Databases, direction: Direction): Transfer {
  const source = databases[direction.source].endpoint;
  const destination = databases[direction.destination].endpoint;
  return {
    nativeIsShared: (request) => nativeIsShared(source, destination, request),
    copyNative: (request) => copyNative(source, destination, request),
    copyLines: (request) => copyLines(source, destination, request),
    copyMissing: (present, dedupMs, request) =>
      copyMissing(source, destination, present, dedupMs, request),
  };
}

export interface Transfer {
  nativeIsShared(request: SelectionRequest): ReturnType<typeof nativeIsShared>;
  copyNative(request: CopyRequest): ReturnType<typeof copyNative>;
  copyLines(request: CopyRequest): ReturnType<typeof copyLines>;
  copyMissing(
    present: Parameters<typeof copyMissing>[2],
    dedupMs: number,
    request: CopyRequest,
  ): ReturnType<typeof copyMissing>;
}
