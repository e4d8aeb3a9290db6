import { directionFrom, type Notice, noticeOf } from '@vm-sync/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type OutgoingMessage, slackText, teamsText, webhookBody } from '../src/index.ts';
import { parseCard, TeamsMessage } from './adaptive-card.ts';
import { SlackMessage } from './slack-schema.ts';

const atMs = Date.UTC(2026, 10, 26, 1, 2, 3);
const gap = noticeOf(
  { kind: 'gap-detected', direction: directionFrom('primary'), gaps: 100, samples: 2_000 },
  atMs,
);

const outgoing = (notice: Partial<Notice> = {}, lateMs = 0): OutgoingMessage => ({
  id: 'n1',
  role: 'dr',
  notice: { ...gap, ...notice },
  nowMs: atMs + lateMs,
});

const slack = (message: OutgoingMessage) => SlackMessage.parse(webhookBody('slack', message));

const card = (message: OutgoingMessage) =>
  TeamsMessage.parse(webhookBody('teams', message)).attachments[0].content;

test('Slack gets a text, and blocks with what to do and who says so', () => {
  expect(slack(outgoing())).toEqual({
    text: '⚠️ VM-Sync: 100 data gaps detected (2,000 samples missing on dr, primary → dr)',
    blocks: [
      {
        type: 'section',
        text: {
          type: 'mrkdwn',
          text: expect.stringMatching(/^⚠️ VM-Sync: 100 data gaps/),
          verbatim: true,
        },
      },
      {
        type: 'section',
        text: {
          type: 'mrkdwn',
          text: expect.stringMatching(/^\*What to do:\* Nothing: it is repaired/),
          verbatim: true,
        },
      },
      {
        type: 'context',
        elements: [
          {
            type: 'mrkdwn',
            text: 'vm-sync at dr · warn · 2026-11-26T01:02:03.000Z',
            verbatim: true,
          },
        ],
      },
    ],
  });
});

test('Teams gets an adaptive card, which begins with the text', () => {
  const { body } = card(outgoing({ severity: 'error' }));
  expect(body).toEqual([
    {
      type: 'TextBlock',
      text: '⚠️ VM-Sync: 100 data gaps detected (2,000 samples missing on dr, primary → dr)',
      wrap: true,
      weight: 'Bolder',
      color: 'Attention',
    },
    expect.objectContaining({ text: expect.stringMatching(/^What to do: Nothing: it is/) }),
    expect.objectContaining({ text: 'vm-sync at dr · error · 2026-11-26T01:02:03.000Z' }),
  ]);
});

test('programs get all fields, in a shape that stays', () => {
  expect(webhookBody('json', outgoing())).toEqual({
    version: 1,
    id: 'n1',
    event: 'gap-detected',
    severity: 'warn',
    text: gap.text,
    todo: gap.todo,
    role: 'dr',
    at: '2026-11-26T01:02:03.000Z',
    late: false,
    details: { direction: { source: 'primary', destination: 'dr' }, gaps: 100, samples: 2_000 },
  });
});

test('a late message says when it happened, behind its own words', () => {
  const late = outgoing({}, 2 * 3_600_000);
  const words = /primary → dr\) \(delayed by 2h: this happened at 2026-11-26T01:02:03\.000Z\)$/;
  expect(slack(late).text).toMatch(words);
  expect(card(late).body[0]?.text).toMatch(words);
  expect(webhookBody('json', late)).toMatchObject({ late: true, text: gap.text });
});

test('orders of older versions, which say nothing of what to do, have no block for it', () => {
  expect(slack(outgoing({ todo: '' })).blocks).toHaveLength(2);
  expect(card(outgoing({ todo: '' })).body).toHaveLength(2);
});

/** What a receiver makes of Slack's escapes. */
const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** What a receiver makes of Markdown's. */
const withoutEscapes = (text: string): string => text.replaceAll(/\\([\\*[\]`~_])/g, '$1');

const nasty = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }),
  fc.string({
    unit: fc.constantFrom(
      '&',
      '<',
      '>',
      '*',
      '_',
      '[',
      ']',
      '(',
      '`',
      '~',
      '\\',
      'a',
      '😀',
      '&amp;',
    ),
    minLength: 1,
    maxLength: 4_000,
  }),
  fc.constantFrom(
    '<!channel>',
    '<@U123>',
    '<https://evil.example|click>',
    '[click](https://evil.example)',
  ),
);

describe('whatever the words are', () => {
  test('Slack takes the message, without markup of theirs and within its limits', () => {
    fc.assert(
      fc.property(nasty, nasty, (text, todo) => {
        slack(outgoing({ text, todo }, 2 * 3_600_000));
        const shown = slackText(text);
        if (unescaped(shown) !== text) {
          expect(shown.length).toBeGreaterThan(2_900);
          const [kept] = unescaped(shown).split(/…$/);
          expect(text.startsWith(kept ?? '')).toBe(true);
        }
      }),
    );
  });

  test('the card is understood by the parser of Adaptive Cards 1.4, every field of it', () => {
    fc.assert(
      fc.property(nasty, nasty, (text, todo) => {
        const content = card(outgoing({ text, todo }));
        const { faults, understood } = parseCard(content);
        expect(faults).toEqual([]);
        expect(understood).toEqual(content);
        expect(JSON.stringify(content).length).toBeLessThan(28_000);
      }),
      { numRuns: 50 },
    );
  });

  test('Teams makes no links, emphasis or code of them', () => {
    fc.assert(
      fc.property(nasty, (text) => {
        const shown = teamsText(text);
        expect(shown.replaceAll(/\\[\\*[\]`~_]/g, '')).not.toMatch(/[*[\]`~]/);
        if (text.length <= 3_000) expect(withoutEscapes(shown)).toBe(text);
      }),
    );
  });
});

test('the checks of this test see what is wrong', () => {
  const faults = (more: object) =>
    parseCard({ ...card(outgoing()), body: [{ type: 'TextBlock', text: 'x', ...more }] }).faults;
  expect(faults({})).toEqual([]);
  expect(faults({ color: 'nonsense' })).toHaveLength(1);
  expect(faults({ type: 'Nonsense' })).not.toEqual([]);
  const text = 'a < b';
  expect(
    SlackMessage.safeParse({ text, blocks: [{ type: 'section', text: { type: 'mrkdwn', text } }] })
      .success,
  ).toBe(false);
});

test('names of series keep their underscores', () => {
  expect(teamsText('{__name__="node_load1"} GAP_THRESHOLD')).toBe(
    '{\\_\\_name\\_\\_="node_load1"} GAP_THRESHOLD',
  );
});
