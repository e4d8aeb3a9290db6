import {
  formatDuration,
  isLate,
  type Notice,
  onOneLine,
  type Severity,
  type Site,
} from '@vm-sync/core';
import type { NotifyFormat } from './notify-targets.ts';

/** What is sent: what is told, by which vm-sync, and when. */
export interface OutgoingMessage {
  /** The same for every try, so that a receiver can drop what it has seen. */
  readonly id: string;
  readonly role: Site;
  readonly notice: Notice;
  readonly nowMs: number;
}

/** The body in the format of a target. Words of a database in it can neither begin a line nor turn the others around. */
export function webhookBody(format: NotifyFormat, sent: OutgoingMessage): unknown {
  const { notice } = sent;
  const message = {
    ...sent,
    notice: { ...notice, text: onOneLine(notice.text), todo: onOneLine(notice.todo) },
  };
  if (format === 'slack') return slackBody(message);
  return format === 'teams' ? teamsBody(message) : jsonBody(message);
}

/** Slack refuses a block whose text is longer; Teams a message of more than 28 KB. */
const TEXT_MOST = 3_000;

const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`;

const iso = (atMs: number): string => new Date(atMs).toISOString();

/** Empty unless the message is late. */
const delayText = ({ notice, nowMs }: OutgoingMessage): string =>
  isLate(notice, nowMs)
    ? `delayed by ${formatDuration(nowMs - notice.atMs)}: this happened at ${iso(notice.atMs)}`
    : '';

const withDelay = (message: OutgoingMessage): string => {
  const delay = delayText(message);
  return delay === '' ? message.notice.text : `${message.notice.text} (${delay})`;
};

const origin = ({ role, notice }: OutgoingMessage): string =>
  `vm-sync at ${role} · ${notice.severity} · ${iso(notice.atMs)}`;

/** `text` is what notifications and old clients show, the blocks what is read. */
function slackBody(message: OutgoingMessage): unknown {
  const { todo } = message.notice;
  const text = slackText(withDelay(message));
  return {
    text,
    blocks: [
      section(text),
      ...(todo === '' ? [] : [section(`*What to do:* ${slackText(todo, TEXT_MOST - 100)}`)]),
      { type: 'context', elements: [mrkdwn(slackText(origin(message)))] },
    ],
  };
}

const section = (text: string) => ({ type: 'section', text: mrkdwn(text) });

/** `verbatim`: nothing is made a link or a mention of. */
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text, verbatim: true });

const SLACK_ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Escaped as Slack asks for, and not longer than `most` with its escapes; no escape is cut in two. */
export function slackText(text: string, most: number = TEXT_MOST): string {
  const escaped = (part: string) =>
    part.replaceAll(/[&<>]/g, (sign) => SLACK_ESCAPES[sign] ?? sign);
  let end = Math.min(text.length, most);
  while (escaped(cut(text, end)).length > most) {
    end -= Math.max(1, Math.ceil((escaped(cut(text, end)).length - most) / 5));
  }
  return escaped(cut(text, end));
}

const TEAMS_COLOURS: Readonly<Record<Severity, string>> = {
  info: 'Good',
  warn: 'Warning',
  error: 'Attention',
};

/** Workflows render Adaptive Cards only; 1.4 is the newest version that Teams renders everywhere. */
function teamsBody(message: OutgoingMessage): unknown {
  const { severity, todo } = message.notice;
  const block = (text: string, more: Record<string, unknown> = {}) => ({
    type: 'TextBlock',
    text: teamsText(text),
    wrap: true,
    ...more,
  });
  const body = [
    block(withDelay(message), { weight: 'Bolder', color: TEAMS_COLOURS[severity] }),
    ...(todo === '' ? [] : [block(`What to do: ${todo}`)]),
    block(origin(message), { isSubtle: true, size: 'Small' }),
  ];
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body,
        },
      },
    ],
  };
}

/** Without what Teams' Markdown would make links, emphasis or code of; names of series are full of it. */
export const teamsText = (text: string): string =>
  cut(text, TEXT_MOST).replaceAll(
    /[\\*[\]`~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g,
    (sign) => `\\${sign}`,
  );

/** A shape that others build upon: fields are only ever added to it. */
function jsonBody({ id, role, notice, nowMs }: OutgoingMessage): unknown {
  const { kind, severity, text, todo, atMs, details } = notice;
  return {
    version: 1,
    id,
    event: kind,
    severity,
    text,
    todo,
    role,
    at: iso(atMs),
    late: isLate(notice, nowMs),
    details,
  };
}
