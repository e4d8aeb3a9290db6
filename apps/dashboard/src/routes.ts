import type { Probe } from '@vm-sync/runtime';
import type { Context } from './context.ts';
import { listStuck } from './handlers/acknowledge.ts';
import { actionsPage, confirmPage } from './handlers/actions-pages.ts';
import { auditPage, listAudit } from './handlers/audit.ts';
import { listBackfills } from './handlers/backfills.ts';
import { certificatePage, showCertificate } from './handlers/certificate.ts';
import { listChecks } from './handlers/check-history.ts';
import { showGapMap } from './handlers/gap-map.ts';
import { healthz, readyz } from './handlers/health.ts';
import { metricsHandler } from './handlers/metrics.ts';
import { parity } from './handlers/parity.ts';
import { showRepairKit } from './handlers/repair-kit.ts';
import { runPage, runsPage } from './handlers/run-pages.ts';
import { listRuns, showRun } from './handlers/runs.ts';
import { showStatus } from './handlers/status.ts';
import { statusPage } from './handlers/status-page.ts';
import type { Route } from './http/serve.ts';
import { writeRoutes } from './write-routes.ts';

/** What programs ask that may know no login: orchestrators, load balancers, failback scripts, scrapers. */
export const probeRoutes = (context: Context): Record<Probe, Route[]> => ({
  health: [
    { method: 'get', path: '/healthz', needsRedis: false, handle: healthz },
    { method: 'get', path: '/readyz', needsRedis: true, handle: readyz },
  ],
  parity: [
    {
      method: 'get',
      path: '/parity/primary',
      needsRedis: true,
      handle: parity(context, 'primary'),
    },
    { method: 'get', path: '/parity/dr', needsRedis: true, handle: parity(context, 'dr') },
  ],
  metrics: [
    // Says by itself that Redis is away, so that an alert on vmsync_ready still has a value to look at.
    { method: 'get', path: '/metrics', needsRedis: false, handle: metricsHandler(context) },
  ],
});

export const guardedRoutes = (context: Context): Route[] => [
  { method: 'get', path: '/', needsRedis: true, handle: statusPage(context) },
  { method: 'get', path: '/api/status', needsRedis: true, handle: showStatus(context) },
  { method: 'get', path: '/certificate', needsRedis: true, handle: certificatePage(context) },
  { method: 'get', path: '/certificate/:id', needsRedis: true, handle: certificatePage(context) },
  { method: 'get', path: '/api/certificate', needsRedis: true, handle: showCertificate(context) },
  {
    method: 'get',
    path: '/api/certificate/:id',
    needsRedis: true,
    handle: showCertificate(context),
  },
  { method: 'get', path: '/api/gap-map', needsRedis: true, handle: showGapMap(context) },
  { method: 'get', path: '/api/checks', needsRedis: true, handle: listChecks(context) },
  { method: 'get', path: '/api/runs', needsRedis: true, handle: listRuns(context) },
  { method: 'get', path: '/api/runs/:id', needsRedis: true, handle: showRun(context) },
  {
    method: 'get',
    path: '/api/jobs/:id/repair-kit',
    needsRedis: true,
    handle: showRepairKit(context),
  },
  { method: 'get', path: '/api/backfills', needsRedis: true, handle: listBackfills(context) },
  { method: 'get', path: '/api/stuck', needsRedis: true, handle: listStuck(context) },
  { method: 'get', path: '/api/audit', needsRedis: true, handle: listAudit(context) },
  { method: 'get', path: '/runs', needsRedis: true, handle: runsPage(context) },
  { method: 'get', path: '/runs/:id', needsRedis: true, handle: runPage(context) },
  { method: 'get', path: '/actions', needsRedis: true, handle: actionsPage(context) },
  { method: 'get', path: '/actions/:name', needsRedis: true, handle: confirmPage(context) },
  { method: 'get', path: '/audit', needsRedis: true, handle: auditPage(context) },
  ...writeRoutes(context),
];
