import { escapeRegex, type Matcher } from './selector.ts';

/** How far from the end of the values a telling character is looked for. */
const PLACES = 48;

/**
 * A short regular expression that about half of the values match, or undefined when it cannot tell any two apart. It
 * tests one character, counted from the end, for membership in a set: however many values there are, the expression
 * stays short, and its negation is exactly the other half.
 */
export function halvingMatcher(label: string, all: readonly string[]): Matcher | undefined {
  const values = all.filter((value) => !/\n/.test(value));
  let best: { balance: number; pattern: string } | undefined;
  for (let place = 1; place <= PLACES; place++) {
    const chosen = halfOf(values, place);
    const balance = Math.min(chosen.matching, values.length - chosen.matching);
    if (balance === 0 || balance <= (best?.balance ?? 0)) continue;
    const set = chosen.characters.map(escapeRegex).join('|');
    best = { balance, pattern: `.*(?:${set})${place === 1 ? '' : `.{${place - 1}}`}` };
    if (balance >= 0.4 * values.length) break;
  }
  return best && { label, operator: '=~', value: best.pattern };
}

/** Characters at a place from the end that together stand there in about half of the values. */
function halfOf(
  values: readonly string[],
  place: number,
): { characters: string[]; matching: number } {
  const counts = new Map<string, number>();
  for (const value of values) {
    const character = [...value].at(-place);
    if (character !== undefined) counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  const characters: string[] = [];
  let matching = 0;
  for (const [character, count] of [...counts].sort((a, b) => b[1] - a[1])) {
    if (matching > 0 && matching + count > values.length / 2) continue;
    characters.push(character);
    matching += count;
  }
  return { characters, matching };
}
