import { createHash } from 'node:crypto';
import {
  type Certificate,
  type CertificateRecord,
  type CertificateVerdict,
  canonicalJson,
  judgeCertificate,
} from '@vm-sync/core';
import { CertificateSchema } from './certificate-schema.ts';
import type { connect } from './connection.ts';
import { readJson } from './read-json.ts';
import { readiness } from './readiness.ts';
import type { Status } from './schemas.ts';

type Client = ReturnType<typeof connect>;

const KEY = '{vmsync}:certificates';
const KEPT = 20;

/** The digest of a certificate's canonical JSON, by which a kept copy is known. */
export const certificateDigest = (certificate: Certificate): string =>
  createHash('sha256').update(canonicalJson(certificate)).digest('hex');

/**
 * The documents of certificates, by id, the newest twenty. That one is kept here says nothing: which one is in force, and how
 * the others ended, stands in the status of the last check, together with READY itself.
 */
export class CertificateStore {
  readonly #redis: Client;

  constructor(redis: Client) {
    this.#redis = redis;
  }

  /** Ids begin with the time of issue, so their order is that of time. */
  async keep(certificate: Certificate): Promise<void> {
    await this.#redis.hset(KEY, certificate.id, JSON.stringify(certificate));
    const ids = (await this.#redis.hkeys(KEY)).sort();
    const old = ids.slice(0, -KEPT);
    if (old.length > 0) await this.#redis.hdel(KEY, ...old);
  }

  /** Undefined where there is none of that id, or what stands there cannot be read. */
  async load(id: string): Promise<Certificate | undefined> {
    return readJson(await this.#redis.hget(KEY, id), CertificateSchema);
  }
}

/** A certificate as people and programs are shown it. */
export type CertificateView = CertificateVerdict & {
  /** The document; null where there is none, or it is not kept any more. */
  readonly certificate: Certificate | null;
  /** Of the document as it is shown here. */
  readonly sha256: string | null;
  /** True when nothing could be found out about READY; what the certificate said before stands all the same. */
  readonly known: boolean;
  /** Every certificate that is remembered, newest first. */
  readonly history: readonly CertificateRecord[];
};

/** The last certificate, or the one of that id, and what may be said of it now; undefined where nobody knows that id. */
export async function viewCertificate(
  status: Status | undefined,
  certificates: CertificateStore,
  nowMs: number,
  id?: string,
): Promise<CertificateView | undefined> {
  const history = status?.certificates ?? [];
  const record = id === undefined ? history[0] : history.find((one) => one.id === id);
  if (id !== undefined && !record) return undefined;
  const ready = readiness(status, undefined, nowMs);
  const certificate = record && (await certificates.load(record.id));
  return {
    ...judgeCertificate(record, ready, nowMs),
    certificate: certificate ?? null,
    sha256: certificate ? certificateDigest(certificate) : null,
    known: ready.known,
    history,
  };
}
