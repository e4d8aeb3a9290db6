import { Agent, type Dispatcher, request } from 'undici';

/** How to be let in. */
export type Access = {
  auth?: { username: string; password: string } | undefined;
  /** PEM text of the certificate authority to trust. */
  ca?: string | undefined;
};

export type Call = Access & {
  method?: 'GET' | 'POST';
  body?: string | Buffer;
  headers?: Record<string, string>;
  timeoutMs?: number;
};

export type Answer = { status: number; text: string };

const agents = new Map<string | undefined, Agent>();

/** One connection per request: tests end servers under their clients, and a kept socket would be stale. */
function agentFor(ca: string | undefined): Agent {
  const agent = agents.get(ca) ?? new Agent({ pipelining: 0, allowH2: false, connect: { ca } });
  agents.set(ca, agent);
  return agent;
}

export async function open(url: string, call: Call = {}): Promise<Dispatcher.ResponseData> {
  const { auth } = call;
  const login = auth && Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
  return request(url, {
    method: call.method ?? (call.body === undefined ? 'GET' : 'POST'),
    dispatcher: agentFor(call.ca),
    headers: { ...(login ? { authorization: `Basic ${login}` } : {}), ...call.headers },
    body: call.body ?? null,
    signal: AbortSignal.timeout(call.timeoutMs ?? 60_000),
  });
}

export async function fetchText(url: string, call: Call = {}): Promise<Answer> {
  const response = await open(url, call);
  return { status: response.statusCode, text: await response.body.text() };
}

/** Like `fetchText`, for answers that must be a success. */
export async function fetchOk(url: string, call: Call = {}): Promise<string> {
  const { status, text } = await fetchText(url, call);
  if (status >= 300) throw new Error(`${url} answered ${status}: ${text.slice(0, 500)}`);
  return text;
}
