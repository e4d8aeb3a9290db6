import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** What Bull Board needs and nothing more; it also keeps out the fonts that its page would load from elsewhere. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  fontSrc: ["'self'"],
  baseUri: ["'self'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
};

const HALF_A_YEAR_S = 15_552_000;

export const securityHeaders = ({ isTls }: { isTls: boolean }): RequestHandler =>
  helmet({
    contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY },
    // Where a proxy terminates TLS it decides this, for its whole domain.
    strictTransportSecurity: isTls && { maxAge: HALF_A_YEAR_S, includeSubDomains: false },
    // With helmet's `no-referrer` browsers send `Origin: null` with a form, which over plain HTTP is all that tells
    // where it comes from.
    referrerPolicy: { policy: 'same-origin' },
    // Over plain HTTP browsers ignore these two and complain on the console.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  });
