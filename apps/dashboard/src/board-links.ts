import { SettleOrder } from '@vm-sync/queue';

interface Link {
  readonly displayText: string;
  readonly href: string;
}

/** From a job on the board to the page of its run; jobs of no run lead to the status page. */
export function pageOfJob(data: unknown): Link {
  // A chunk names its run as its settling does.
  const order = SettleOrder.safeParse(data).data;
  if (!order) return { displayText: 'Status', href: '/' };
  return { displayText: 'Run', href: `/runs/${encodeURIComponent(order.runId)}` };
}
