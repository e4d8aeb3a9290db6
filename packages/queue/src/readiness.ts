import {
  certificateInForce,
  directionFrom,
  directionKey,
  formatWindow,
  otherSite,
  type Site,
  siteIsComplete,
} from '@vm-sync/core';
import type { Status } from './schemas.ts';

/** What may be said of READY now. `known` is false when nothing may be said at all; then `ready` is false as well. */
export interface Readiness {
  readonly ready: boolean;
  readonly known: boolean;
  /** Sentences that say why not; empty when ready. */
  readonly reasons: readonly string[];
}

/** Clocks of two processes may differ by this much before a status counts as coming from the future. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * Judges the last status as of now: for a failback as a whole, or for one site's completeness. READY itself is decided
 * by the core after each check; here it is only taken back when the status is absent, too old, not to be trusted, or
 * without a certificate in force.
 */
export function readiness(
  status: Status | undefined,
  site: Site | undefined,
  nowMs: number,
): Readiness {
  const doubt = doubtAbout(status, nowMs);
  if (!status || doubt) return { ready: false, known: false, reasons: [doubt ?? NO_CHECK] };
  const { state } = status;
  if (status.outcome === 'unknown') {
    return { ready: false, known: false, reasons: reasonsOr(state.reasons, NO_REASON) };
  }
  const ready = site === undefined ? state.failbackReady : siteIsComplete(state, site);
  if (ready && !isCertified(status, nowMs)) {
    return { ready: false, known: true, reasons: [NO_CERTIFICATE] };
  }
  if (ready) return { ready: true, known: true, reasons: [] };
  const lacking = site === undefined ? NO_REASON : whyIncomplete(status, site);
  return { ready: false, known: true, reasons: reasonsOr(state.reasons, lacking) };
}

const NO_CHECK = 'no check has been made yet';
const NO_REASON = 'the last check gave no reason';
const NO_CERTIFICATE = 'no certificate: the last check issued none for this direction';

/** READY without a certificate in force is said by no check; an older version's status may hold it. */
function isCertified({ certificates, state }: Status, nowMs: number): boolean {
  const certificate = certificateInForce(certificates, nowMs);
  if (!certificate || state.activeSite === 'unknown') return false;
  return certificate.direction === directionKey(directionFrom(state.activeSite));
}

function doubtAbout(status: Status | undefined, nowMs: number): string | undefined {
  if (!status) return NO_CHECK;
  const ageMs = nowMs - status.atMs;
  if (ageMs < -CLOCK_TOLERANCE_MS) {
    return `last check is ${ageText(-ageMs)} in the future: the clocks of two machines differ`;
  }
  if (nowMs > status.validUntilMs) return `last check is ${ageText(Math.max(0, ageMs))} old`;
  return undefined;
}

const reasonsOr = (reasons: readonly string[], otherwise: string): readonly string[] =>
  reasons.length > 0 ? reasons : [otherwise];

/** The active site is complete only when nothing is left unproven in the direction into it. */
function whyIncomplete({ state }: Status, site: Site): string {
  const other = otherSite(site);
  const unproven = state.marks[directionKey(directionFrom(other))]?.unproven[0];
  const proof = `not proven that ${site} holds everything that ${other} has`;
  return unproven ? `${proof}: ${formatWindow(unproven)}` : proof;
}

function ageText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 120) return `${seconds} second${seconds === 1 ? '' : 's'}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 180) return `${minutes} minutes`;
  const hours = Math.floor(minutes / 60);
  return hours < 72 ? `${hours} hours` : `${Math.floor(hours / 24)} days`;
}
