/** Every combination is tried with MATRIX=full; the test command has time for those that tell the most. */
export const full = process.env['MATRIX'] === 'full';
