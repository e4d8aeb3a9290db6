export { programPath, type VmVersion, vmProgramPath, vmVersions } from './binaries.ts';
export { type Certificates, selfSignedCertificate } from './certificates.ts';
export { diffRaw, noDifference, type RawDifference } from './diff-raw.ts';
export { canMount, type Disk } from './disk.ts';
export { type DnsRecord, type DnsServer, startDns } from './dns.ts';
export { exportRaw, type RawExport, type RawSamples } from './export-raw.ts';
export { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
export type { Corruption, Fault, FaultMatch, ProxiedRequest } from './faults.ts';
export { temporaryFolder } from './folders.ts';
export { fuzz } from './fuzz.ts';
export type { Access } from './http.ts';
export { importLines, importSeries } from './import-series.ts';
export {
  type Damage,
  damages,
  mutate,
  mutateValue,
  type ValueDamage,
  valueDamages,
} from './mutate.ts';
export { freePort } from './ports.ts';
export { type ProcessOptions, type RunningProcess, startProcess } from './process.ts';
export { type RedisServer, startRedis } from './redis.ts';
export {
  countSamples,
  filterSamples,
  makeSeries,
  type Series,
  type SeriesShape,
  seriesKey,
} from './series.ts';
export type { Server } from './server.ts';
export { startTcpProxy, type TcpFault, type TcpProxy } from './tcp-proxy.ts';
export { type Patience, until } from './until.ts';
export { startVictoriaMetrics, type VmOptions, type VmServer } from './victoria-metrics.ts';
export { startVmagent, type Vmagent } from './vmagent.ts';
export {
  type AlertRule,
  checkRules,
  startVmalert,
  type Vmalert,
  type VmalertOptions,
} from './vmalert.ts';
export { startVmauth, type Vmauth, type VmauthOptions, vmauthPaths } from './vmauth.ts';
export { startWebhook, type Webhook, type WebhookMessage } from './webhook.ts';
export { startWriter, type Writer, type WriterOptions } from './writer.ts';
