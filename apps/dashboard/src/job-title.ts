import { formatDirection } from '@vm-sync/core';
import {
  AcceptOrder,
  AcknowledgeOrder,
  BackfillOrder,
  CancelRunOrder,
  CheckOrder,
  ChunkOrder,
  NotifyOrder,
  PinOrder,
  ReconcileOrder,
  SettleOrder,
} from '@vm-sync/queue';
import { spanText } from './page/text.ts';

interface NamedJob {
  readonly name?: string;
  readonly data?: unknown;
}

/** What the board writes over a job. Never throws: a job with strange data must still be seen. */
export function jobTitle({ name = '', data }: NamedJob, nowMs: number): string {
  switch (name) {
    case 'repair-chunk': {
      const order = ChunkOrder.safeParse(data).data;
      return order ? chunkTitle(order, nowMs) : name;
    }
    case 'check-gaps':
      return named(name, CheckOrder.safeParse(data).data?.cause);
    case 'settle-run':
      return named(name, SettleOrder.safeParse(data).data?.runId);
    case 'backfill':
      return named(name, backfillDetail(data));
    case 'pin': {
      const order = PinOrder.safeParse(data).data;
      return order?.action === 'pin' ? named(name, order.pin.site) : (order?.action ?? name);
    }
    case 'reconcile':
      return named(name, ReconcileOrder.safeParse(data).data?.action);
    case 'accept':
      return named(name, AcceptOrder.safeParse(data).data?.site);
    case 'cancel-run':
      return named(name, CancelRunOrder.safeParse(data).data?.runId);
    case 'acknowledge':
      return named(name, AcknowledgeOrder.safeParse(data).data?.who);
    case 'notify':
      return named(name, NotifyOrder.safeParse(data).data?.kind);
    default:
      return name;
  }
}

function backfillDetail(data: unknown): string | undefined {
  const order = BackfillOrder.safeParse(data).data;
  return order && `${order.action} ${order.id}`;
}

/** `dr → primary · bigip-07 · 13:00–14:00`, or `200 series`; times are UTC, with the day unless it is today. */
export function chunkTitle({ direction, chunk }: ChunkOrder, nowMs: number): string {
  const about = chunk.about ?? `${chunk.series} series`;
  return [formatDirection(direction), about, spanText(chunk.window, nowMs)].join(' · ');
}

const named = (name: string, detail: string | undefined): string =>
  detail === undefined ? name : `${name} (${detail})`;
