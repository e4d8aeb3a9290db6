import { type CertificateView, viewCertificate } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import type { Person } from '../http/person.ts';
import type { Answer, Handler } from '../http/serve.ts';
import { certificateDocument } from '../page/certificate-document.ts';
import { errorPage } from '../page/error-page.ts';

const UNKNOWN = 'there is no such certificate, or it is too old to be remembered';

/** The last certificate, or the one that is named, and what may be said of it now. */
export const showCertificate = (context: Context): Handler =>
  view(
    context,
    (body) => ({ status: 200, body }),
    () => ({ status: 404, body: { error: UNKNOWN } }),
  );

export const certificatePage = (context: Context): Handler =>
  view(
    context,
    (seen, person) => page(200, certificateDocument(seen, context.config.role, Date.now(), person)),
    (person) => page(404, errorPage(UNKNOWN, person)),
  );

const page = (status: number, body: string): Answer => ({ status, body, type: 'text/html' });

const view =
  (
    { store, certificates }: Context,
    show: (seen: CertificateView, person: Person) => Answer,
    notFound: (person: Person) => Answer,
  ): Handler =>
  async ({ params, person }) => {
    const status = await store.loadStatus();
    const seen = await viewCertificate(status, certificates, Date.now(), params['id']);
    return seen ? show(seen, person) : notFound(person);
  };
