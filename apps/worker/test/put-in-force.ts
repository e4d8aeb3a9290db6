import { EMPTY_STATE, NO_DIRECTION, type Window } from '@vm-sync/core';
import { type connect, DutyStore, Store } from '@vm-sync/queue';

/** What an order of `run-1` from dr to primary asks for before anything is written: state, run and duty agree with it. */
export async function putInForce(
  connection: ReturnType<typeof connect>,
  planned: { readonly window: Window; readonly samples: number },
): Promise<void> {
  const store = new Store(connection, () => undefined);
  const direction = { ...NO_DIRECTION, site: 'dr' as const, epoch: 1, confirmed: true };
  await store.saveState({
    ...EMPTY_STATE,
    activeSite: 'dr',
    direction: { ...direction, whyNoWriting: null },
  });
  await store.saveRun({
    id: 'run-1',
    direction: { source: 'dr', destination: 'primary' },
    epoch: 1,
    createdMs: planned.window.toMs,
    backfillId: null,
    recovery: false,
    cause: null,
    state: 'open',
    chunks: 1,
    series: 1,
    samplesPlanned: planned.samples,
    windows: [planned.window],
    settledMs: null,
    samplesCopied: 0,
    bytesCopied: 0,
  });
  const duty = new DutyStore(connection);
  await duty.lendUntil((await duty.nowMs()) + 600_000);
}
