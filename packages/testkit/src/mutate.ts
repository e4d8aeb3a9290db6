import fc from 'fast-check';

/** One damage to a text or a JSON value. Places are taken modulo what there is, so that each fits everything. */
export type Damage =
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'drop'; readonly at: number; readonly length: number }
  | { readonly kind: 'double'; readonly at: number; readonly length: number }
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'byte'; readonly at: number; readonly byte: number }
  | { readonly kind: 'insert'; readonly at: number; readonly text: string }
  /** The number that stands there or behind becomes this. */
  | { readonly kind: 'number'; readonly at: number; readonly text: string }
  | {
      readonly kind: 'nest';
      readonly at: number;
      readonly depth: number;
      readonly open: '[' | '{"a":';
    };

/** Where one character changes what everything behind it means, and names that objects inherit. */
const WORDS = [
  ...['"', '\\', '{', '}', '[', ']', ',', ':', '\n', '\r\n', '\t', ' ', '\0', '\ufeff', '\u2028'],
  ...[
    'null',
    'true',
    'NaN',
    'Infinity',
    '-Infinity',
    '+Inf',
    '__proto__',
    'constructor',
    'toString',
  ],
  ...[
    '"__proto__":{"polluted":true},',
    '<html>',
    '%00',
    '%',
    '../',
    'é',
    '\ud800',
    '0x10',
    '1_0',
    '$',
  ],
] as const;

/** What is a number for one reader and none, or another one, for the next. */
const NUMBERS = [
  ...[
    '-0',
    '0',
    '-1',
    '1.5',
    '1e5',
    '1e999',
    '-1e999',
    '9007199254740993',
    '9'.repeat(400),
    '1e-400',
  ],
  ...[
    '00',
    '01',
    '+1',
    '.5',
    '5.',
    '0x1F',
    '1e',
    '--1',
    'NaN',
    'null',
    '""',
    ' ',
    '1 2',
    '8.64e15',
  ],
] as const;

const place = fc.nat(1_000_000);

/** Any damage to a text. */
export const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('drop' as const), at: place, length: fc.nat(200) }),
  fc.record({ kind: fc.constant('double' as const), at: place, length: fc.nat(200) }),
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('byte' as const), at: place, byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('insert' as const), at: place, text: fc.constantFrom(...WORDS) }),
  fc.record({ kind: fc.constant('number' as const), at: place, text: fc.constantFrom(...NUMBERS) }),
  fc.record({
    kind: fc.constant('nest' as const),
    at: place,
    depth: fc.constantFrom(1, 50, 5_000),
    open: fc.constantFrom('[' as const, '{"a":'),
  }),
);

/** A few of them, one after the other; none at all is among them. */
export const damages: fc.Arbitrary<Damage[]> = fc.array(damage, { maxLength: 3 });

/** The bytes with these damages. */
export const mutate = (bytes: Buffer, all: readonly Damage[]): Buffer => all.reduce(damaged, bytes);

function damaged(bytes: Buffer, one: Damage): Buffer {
  const at = one.at % (bytes.length + 1);
  const spliced = (length: number, ...between: (Buffer | string)[]): Buffer =>
    Buffer.concat([
      bytes.subarray(0, at),
      ...between.map((part) => Buffer.from(part)),
      bytes.subarray(at + length),
    ]);
  if (one.kind === 'cut') return bytes.subarray(0, at);
  if (one.kind === 'drop') return spliced(one.length);
  if (one.kind === 'double') return spliced(0, bytes.subarray(at, at + one.length));
  if (one.kind === 'insert') return spliced(0, one.text);
  if (one.kind === 'byte') return spliced(1, Buffer.of(one.byte));
  if (one.kind === 'flip') return spliced(1, Buffer.of((bytes[at] ?? 0) ^ (1 << one.bit)));
  if (one.kind === 'nest') {
    const close = one.open === '[' ? ']' : '}';
    return spliced(0, `${one.open.repeat(one.depth)}1${close.repeat(one.depth)},`);
  }
  return withNumber(bytes, at, one.text);
}

function withNumber(bytes: Buffer, at: number, text: string): Buffer {
  // A byte for each character, so that what is not UTF-8 stays as it is.
  const whole = bytes.toString('latin1');
  const found = /-?\d+(?:\.\d+)?/.exec(whole.slice(at));
  if (!found) return bytes;
  const from = at + found.index;
  return Buffer.from(whole.slice(0, from) + text + whole.slice(from + found[0].length), 'latin1');
}

/** One damage to a value that stays JSON. */
export interface ValueDamage {
  /** Which of all its parts, counted through the tree. */
  readonly at: number;
  readonly how: 'replace' | 'remove' | 'rename' | 'double' | 'add';
  readonly by: unknown;
  readonly name: string;
}

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

/** What may stand where something else is expected. A property `__proto__` is one only when it was parsed. */
const VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1.5, 1e300, 8.64e15, 8.65e15, 2 ** 53, 1e-320],
  ...['', ' ', '0', '-1', 'NaN', '1e999', 'primary', 'dr', '\0', '\ud800', 'x'.repeat(20_000)],
  ...[[], [null], [[]], {}, nested(2_000)],
  JSON.parse('{"__proto__":{"polluted":true}}'),
  JSON.parse('{"constructor":{"prototype":{"polluted":true}}}'),
  JSON.parse('{"toString":1,"valueOf":null,"length":-1}'),
];

const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'length', 'then', '', 'x', '0'];

/** A few damages to a value that stays JSON; none at all is among them. */
export const valueDamages: fc.Arbitrary<ValueDamage[]> = fc.array(
  fc.record({
    at: fc.nat(10_000),
    how: fc.constantFrom('replace' as const, 'replace', 'remove', 'rename', 'double', 'add'),
    by: fc.oneof(fc.constantFrom(...VALUES), fc.integer(), fc.double(), fc.string()),
    name: fc.constantFrom(...NAMES),
  }),
  { maxLength: 4 },
);

/** The value with these damages, as it comes out of JSON. */
export function mutateValue(value: unknown, all: readonly ValueDamage[]): unknown {
  const holder: Holder = { whole: copied(value) };
  // A copy of what is put in: the next damage may hit it, and nothing may come to hold itself.
  for (const one of all) damagePart(holder, { ...one, by: copied(one.by) });
  return copied(holder['whole']);
}

type Holder = Record<string, unknown>;

const copied = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

function damagePart(holder: Holder, { at, how, by, name }: ValueDamage): void {
  const parts = partsOf(holder);
  const [parent, key] = parts[at % parts.length] as [Holder, string];
  const value = parent[key];
  if (how === 'replace') define(parent, key, by);
  else if (how === 'add' && typeof value === 'object' && value)
    define(value as Holder, Array.isArray(value) ? 'next' : name, by);
  else if (parent === holder) return;
  else if (Array.isArray(parent)) {
    if (how === 'remove') parent.splice(Number(key), 1);
    if (how === 'double') parent.splice(Number(key), 0, value);
  } else {
    if (how === 'remove' || how === 'rename') delete parent[key];
    if (how === 'rename') define(parent, name, value);
  }
}

/** Assigning to `__proto__` would change the object's prototype. */
function define(parent: Holder, key: string, value: unknown): void {
  if (Array.isArray(parent) && !(key in parent)) {
    parent.push(value);
    return;
  }
  Object.defineProperty(parent, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

/** Every part of a value, as who holds it and by which name. */
function partsOf(holder: Holder): [Holder, string][] {
  const found: [Holder, string][] = [];
  const open: Holder[] = [holder];
  for (let next = open.pop(); next; next = open.pop()) {
    for (const key of Object.keys(next)) {
      if (Array.isArray(next) && key === 'length') continue;
      found.push([next, key]);
      const value = next[key];
      if (typeof value === 'object' && value) open.push(value as Holder);
    }
  }
  return found;
}
