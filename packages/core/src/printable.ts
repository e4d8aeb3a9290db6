/**
 * Characters that nobody sees and that do something: control characters (ESC begins what moves a terminal's cursor, names
 * its window, or colours it; U+009B does so alone), and what turns the direction of writing or ends a line.
 */
const UNSEEN = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** A text of others that may stand on a terminal or in a log: it shows where something was taken out, and keeps its lines. */
export const printable = (text: string): string => text.replaceAll(UNSEEN, '�');

/** The same on one line, so that a text of others cannot pretend to be a line of ours. */
export const onOneLine = (text: string): string => printable(text.replaceAll(/\r?\n|\t/g, ' '));

/** A JSON text in which such characters stand as escapes, also those that JSON lets pass: the same to every parser. */
export const escapedUnseen = (json: string): string =>
  json.replaceAll(UNSEEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
