/** What an `Authorization` header holds. */
export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string };

/** Undefined for what is neither Basic nor Bearer. */
export function credentialsOf(header: string | undefined): Credentials | undefined {
  const [, scheme, value = ''] = /^(Basic|Bearer) +([^\s]+)$/i.exec(header ?? '') ?? [];
  if (scheme === undefined) return undefined;
  if (/^bearer$/i.test(scheme)) return { kind: 'token', token: value };
  if (!/^[A-Za-z0-9+/=]+$/.test(value)) return undefined;
  const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(value, 'base64').toString()) ?? [];
  if (user === undefined || password === undefined) return undefined;
  return { kind: 'password', user, password };
}
