const WHOLE = new Intl.NumberFormat('en-US');

/** `43,200` */
export const formatCount = (amount: number): string => WHOLE.format(amount);

/** "after 31.2 seconds" and "after 30.9 seconds" are the same reason, told once. */
export const withoutNumbers = (reason: string): string => reason.replaceAll(/\d+(?:\.\d+)?/g, '#');
