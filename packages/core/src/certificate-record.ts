import type { Certificate } from './certificate.ts';
import { type DirectionKey, directionKey } from './site.ts';

/** What is remembered of a certificate: that it was issued, how long it held, and how it ended. */
export interface CertificateRecord {
  readonly id: string;
  readonly direction: DirectionKey;
  readonly issuedMs: number;
  /** When a check confirmed it last. */
  readonly renewedMs: number;
  readonly validUntilMs: number;
  /** Of its document, as it was last. */
  readonly sha256: string;
  /** Null while it is in force. */
  readonly ended: CertificateEnd | null;
}

/** `withdrawn` by a check; `expired` when none confirmed it in time. */
export interface CertificateEnd {
  readonly how: 'withdrawn' | 'expired';
  readonly atMs: number;
  readonly reason: string;
}

const RECORDS_KEPT = 20;

/** The certificate that a check's READY may rest on now; undefined where there is none. */
export const certificateInForce = (
  records: readonly CertificateRecord[] | undefined,
  nowMs: number,
): CertificateRecord | undefined => {
  const [last] = records ?? [];
  return last && last.ended === null && nowMs <= last.validUntilMs ? last : undefined;
};

/**
 * The certificate that a check goes on with, rather than issuing a new one. `records` must be those of the check that
 * the remembered state is from: what an old Redis says of another time is no proof of the time since.
 */
export function certificateToRenew(
  records: readonly CertificateRecord[] | undefined,
  of: {
    /** When the check was made that wrote `records`, and the one that the remembered state is from. */
    readonly recordsMs: number | undefined;
    readonly lastCheckMs: number | null;
    readonly wasReady: boolean;
    readonly direction: DirectionKey;
    readonly nowMs: number;
  },
): CertificateRecord | undefined {
  if (!of.wasReady || of.recordsMs === undefined || of.recordsMs !== of.lastCheckMs)
    return undefined;
  const last = certificateInForce(records, of.nowMs);
  return last?.direction === of.direction ? last : undefined;
}

/** What a check makes of the records, newest first: `now` is the certificate that it issued or confirmed, or why there is none. */
export function recordsAfter(
  records: readonly CertificateRecord[],
  now:
    | { readonly certificate: Certificate; readonly sha256: string; readonly atMs: number }
    | { readonly reasons: readonly string[]; readonly atMs: number },
): CertificateRecord[] {
  const [last, ...older] = records;
  if (!('certificate' in now)) {
    if (!last) return [];
    return [endOf(last, now.atMs, now.reasons.join('; ')), ...older];
  }
  const { certificate, sha256 } = now;
  const { id, issuedMs, renewedMs, validUntilMs, direction } = certificate;
  const of = { id, direction: directionKey(direction), issuedMs, renewedMs, validUntilMs, sha256 };
  const before = last && last.id !== id ? [endOf(last, now.atMs, `replaced by ${id}`)] : [];
  return [{ ...of, ended: null }, ...before, ...older].slice(0, RECORDS_KEPT);
}

function endOf(record: CertificateRecord, atMs: number, reason: string): CertificateRecord {
  if (record.ended !== null) return record;
  return { ...record, ended: expiryOf(record, atMs) ?? { how: 'withdrawn', atMs, reason } };
}

function expiryOf({ validUntilMs }: CertificateRecord, nowMs: number): CertificateEnd | undefined {
  if (nowMs <= validUntilMs) return undefined;
  return { how: 'expired', atMs: validUntilMs, reason: 'no check has confirmed it in time' };
}

/** What may be said of a certificate now. */
export type CertificateVerdict =
  | { readonly state: 'valid' }
  | ({ readonly state: CertificateEnd['how'] } & Pick<CertificateEnd, 'atMs' | 'reason'>)
  | { readonly state: 'none'; readonly reason: string };

/** Judges the last certificate as of now. What readiness says is the law: without it none is valid, whatever stands there. */
export function judgeCertificate(
  last: CertificateRecord | undefined,
  readiness: { readonly ready: boolean; readonly reasons: readonly string[] },
  nowMs: number,
): CertificateVerdict {
  const because = readiness.reasons.join('; ');
  if (!last) return { state: 'none', reason: because || 'none has been issued yet' };
  const end = last.ended ?? expiryOf(last, nowMs);
  if (end) return { state: end.how, atMs: end.atMs, reason: end.reason };
  return readiness.ready ? { state: 'valid' } : { state: 'none', reason: because };
}
