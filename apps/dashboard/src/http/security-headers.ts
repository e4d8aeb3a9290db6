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

export const securityHeaders = (): RequestHandler =>
  helmet({
    contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY },
    // The proxy that terminates TLS decides this, for its whole domain; vm-sync speaks plain HTTP.
    strictTransportSecurity: false,
    // Over plain HTTP browsers ignore these two and complain on the console.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  });
