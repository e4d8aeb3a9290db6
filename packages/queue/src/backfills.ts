import { randomBytes } from 'node:crypto';
import {
  type BackfillChange,
  type BackfillRange,
  BackfillRefusedError,
  directionFrom,
  type SiteObservation,
  whyElsewhere,
  whyNoBackfill,
  whyUnchangeable,
  withinRetention,
} from '@vm-sync/core';
import type { Queue } from 'bullmq';
import type { DutyStore } from './duty-store.ts';
import { BACKFILL_OPTIONS } from './queues.ts';
import type { BackfillOrder, Status } from './schemas.ts';
import type { Store } from './store.ts';

/** Where wishes are looked up and put. */
interface Desk {
  readonly store: Store;
  readonly checks: Queue;
  readonly dutyStore: DutyStore;
}

/** A backfill that was asked for: its id, and its range without what is beyond repair. */
export interface AskedBackfill extends BackfillRange {
  readonly id: string;
  /** What is still to be done where the other site's vm-sync repairs: this one then only proves the range. */
  readonly hint?: string;
}

/**
 * Asks the scheduler for a backfill. Throws a `BackfillRefusedError`, and asks for nothing, when by what is known now it
 * could not begin: no direction, the whole range beyond repair, or the same range at work already. Where the other site's
 * vm-sync repairs, a backfill proves the range for this one, which otherwise could not say READY of it.
 */
export async function askForBackfill(
  { store, checks, dutyStore }: Desk,
  range: BackfillRange,
  grid: { readonly nowMs: number; readonly stepMs: number },
  who?: string,
): Promise<AskedBackfill> {
  const [state, status] = await Promise.all([store.loadState(), store.loadStatus()]);
  const duty = await dutyStore.loadView();
  const elsewhere = duty && whyElsewhere(duty);
  const known = state ?? { activeSite: 'unknown' as const, backfills: [] };
  const soundRange = async (): Promise<BackfillRange> => {
    if (known.activeSite === 'unknown') return range;
    return withinRetention(range, directionFrom(known.activeSite), observationsOf(status), grid);
  };
  const sound = await soundRange();
  const refusal = whyNoBackfill(known, sound);
  if (refusal !== undefined) throw new BackfillRefusedError(undefined, refusal);
  const id = newOrderId(grid.nowMs);
  const { window, match } = sound;
  const order: BackfillOrder = { action: 'start', id, window, match: [...match], who };
  await checks.add('backfill', order, { ...BACKFILL_OPTIONS, jobId: `backfill-${id}` });
  return { id, ...sound, ...(elsewhere !== undefined && { hint: elsewhere }) };
}

/**
 * Asks the scheduler to pause, resume or cancel a backfill. Throws a `BackfillRefusedError`, and asks for nothing, when
 * there is none of this id or it has ended.
 */
export async function askToChange(
  { store, checks }: Omit<Desk, 'dutyStore'>,
  id: string,
  change: BackfillChange,
  who?: string,
): Promise<void> {
  const state = await store.loadState();
  const backfill = state?.backfills.find((one) => one.id === id);
  const refusal = whyUnchangeable(backfill, id, change);
  if (refusal !== undefined) throw new BackfillRefusedError(undefined, refusal);
  const order: BackfillOrder = { action: change, id, who };
  await checks.add('backfill', order, BACKFILL_OPTIONS);
}

/** `20261124T001500-3fa2`: sorts by time, and is short enough to be typed. */
export const newOrderId = (nowMs: number): string =>
  `${new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+Z/g, '')}-${randomBytes(2).toString('hex')}`;

const observationsOf = (status: Status | undefined): SiteObservation[] =>
  Object.values(status?.sites ?? {}).flatMap((view) =>
    view?.healthy ? [view.observation as SiteObservation] : [],
  );
