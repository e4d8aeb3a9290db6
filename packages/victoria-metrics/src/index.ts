export { type CurlSide, curlLines } from './curl.ts';
export { VictoriaMetrics } from './database.ts';
export type { EndpointOptions } from './endpoint.ts';
export { nativeIsShared } from './native.ts';
export { type Databases, openDatabases, type Transfer, transferBetween } from './open.ts';
export type { SelectionRequest, TallyRequest } from './query.ts';
export type { SeriesPrint, SeriesTally } from './series.ts';
export {
  type CopyRequest,
  copyLines,
  copyMissing,
  copyNative,
  type Moved,
} from './transfer.ts';
