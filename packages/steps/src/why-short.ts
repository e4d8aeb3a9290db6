/** The counters of a site's `/metrics` that grow when it drops rows; undefined where it does not show them. */
export type RejectedRows = ReadonlyMap<string, number> | undefined;

/**
 * What a counter means, and what to change on the destination. Flags that 1.79 does not have are named for counters that
 * it does not have either.
 */
const CAUSES: Readonly<Record<string, string>> = {
  small_timestamp:
    'samples older than -retentionPeriod, or than -maxBackfillAge where that is set, are dropped: raise it there',
  big_timestamp:
    'samples more than two days (or -futureRetention) in the future are dropped: mend the clock that they came from',
  too_long_label_value:
    'series with a label value longer than -maxLabelValueLen are dropped: raise it there',
  too_long_label_values:
    'label values longer than -maxLabelValueLen are cut, and stored as other series: raise it there',
  too_long_label_name:
    'series with a label name longer than -maxLabelNameLen are dropped: raise it there',
  too_many_labels:
    'series with more labels than -maxLabelsPerTimeseries are dropped: raise it there',
  metrics_with_dropped_labels:
    'labels beyond -maxLabelsPerTimeseries are dropped, and the rest stored as other series: raise it there',
  hourly_limit_exceeded: 'series beyond -storage.maxHourlySeries are dropped: raise it there',
  hourly_series_limit_rows_dropped:
    'series beyond -storage.maxHourlySeries are dropped: raise it there',
  daily_limit_exceeded: 'series beyond -storage.maxDailySeries are dropped: raise it there',
  daily_series_limit_rows_dropped:
    'series beyond -storage.maxDailySeries are dropped: raise it there',
  rows_invalid: 'it could not read these rows: its log shows them',
};

/**
 * Why a destination does not have what it accepted, by the counters that grew meanwhile: a part of a sentence that
 * names the flag to raise. Other writers make them grow as well, so it is where to look, not a proof.
 */
export function whyShort(before: RejectedRows, after: RejectedRows): string {
  if (!after) {
    return 'its /metrics cannot be read, so it does not say why: look at its log and at the proxy before it';
  }
  const causes = new Map<string, string>();
  for (const [counter, total] of after) {
    const known = before?.get(counter) ?? 0;
    // A restart meanwhile began to count anew.
    const grown = total < known ? total : total - known;
    const cause = CAUSES[counter] ?? `look at its log for ${counter}`;
    // Newer versions count the same rows in two places.
    if (grown > 0 && !causes.has(cause)) causes.set(cause, `${counter} ${grown} (${cause})`);
  }
  if (causes.size === 0) {
    return 'none of its counters says why: look at its log and at the proxy before it';
  }
  return `its counters name the cause: ${[...causes.values()].join(', ')}`;
}
