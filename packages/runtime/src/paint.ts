import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** Gives a text colours, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** Colours where the stream is a terminal that shows them; NO_COLOR and FORCE_COLOR are respected (by Node itself). */
export const paintOn =
  (stream: NodeJS.WritableStream): Paint =>
  (style, text) =>
    styleText(style, text, { stream });
