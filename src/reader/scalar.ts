/**
 * What a plain (unquoted) scalar means to kubectl and the API server.
 *
 * They read YAML with sigs.k8s.io/yaml, which is go-yaml v2: YAML 1.1 booleans, Go's integer literals, no sexagesimals,
 * dates left as text. Source: `resolve.go` of go.yaml.in/yaml/v2. Checked against it by tests/oracle.
 */

const words: ReadonlyMap<string, boolean | null | number> = new Map<string, boolean | null | number>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((w) => [w, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map(
    (w) => [w, false] as const,
  ),
  ...['~', 'null', 'Null', 'NULL'].map((w) => [w, null] as const),
  ...['.nan', '.NaN', '.NAN'].map((w) => [w, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((w) => [w, Number.POSITIVE_INFINITY] as const),
  ...['-.inf', '-.Inf', '-.INF'].map((w) => [w, Number.NEGATIVE_INFINITY] as const),
])

/** For each first character: 0 text, 1 perhaps a word, 2 perhaps a number, 3 a dot. */
const hints = new Uint8Array(128)
for (const c of 'yYnNtTfFoO~') hints[c.charCodeAt(0)] = 1
for (const c of '+-0123456789') hints[c.charCodeAt(0)] = 2
hints['.'.charCodeAt(0)] = 3

const longestWord = 5

/** The value of a plain scalar; the text itself when it is a string. */
export function plainValue(text: string): string | number | boolean | null {
  const hint = hints[text.charCodeAt(0)]
  if (!hint) return text
  if (text.length <= longestWord) {
    const word = words.get(text)
    if (word !== undefined) return word
  }
  if (hint === 1) return text
  if (hint === 3) return dotFloat.test(text) ? finite(text.replaceAll('_', ''), text) : text
  return numberValue(text)
}

const dotFloat = /^\.\d+(?:_\d+)*([eE][-+]?\d+)?$/
const float = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/
const integer = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/
const mightBeNumber = /^[-+]?[.\d][\dA-Fa-fxXoO_.+-]*$/

/** Most numbers that are written. */
const small = /^(?:0|[1-9]\d{0,8})$/

const largestInt64 = 2n ** 63n - 1n
const smallestInt64 = -(2n ** 63n)
const largestUint64 = 2n ** 64n - 1n

function numberValue(text: string): string | number {
  if (small.test(text)) return Number(text)
  if (!mightBeNumber.test(text)) return text
  const digits = text.includes('_') ? text.replaceAll('_', '') : text
  const match = integer.exec(digits)
  const whole = match ? integerOf(match) : undefined
  return whole ?? (float.test(digits) ? finite(digits, text) : text)
}

/** Undefined when it is too large for Go's integers: a float when it is written in decimal digits, else text. */
function integerOf([, sign = '', hex, binary, octal, decimal]: RegExpExecArray): number | undefined {
  const [body, prefix, base] = hex
    ? [hex, '0x', 16]
    : binary
      ? [binary, '0b', 2]
      : octal
        ? [octal, '0o', 8]
        : [decimal ?? '', '', 10]
  const value = Number.parseInt(body, base)
  if (value <= Number.MAX_SAFE_INTEGER) return sign === '-' ? 0 - value : value
  const exact = BigInt(prefix + body) * (sign === '-' ? -1n : 1n)
  const largest = sign === '' ? largestUint64 : largestInt64
  return exact >= smallestInt64 && exact <= largest ? Number(exact) : undefined
}

/** Go refuses floats out of range, and what is no number stays text. */
function finite(digits: string, text: string): string | number {
  const value = Number(digits)
  return Number.isFinite(value) ? value : text
}

/**
 * The value of a scalar with an explicit `!!int`, `!!float`, `!!bool` or `!!null` tag, quoted or not. Undefined when the
 * text is no such value, which go-yaml refuses.
 */
export function taggedValue(
  tag: 'int' | 'float' | 'bool' | 'null',
  text: string,
): number | boolean | null | undefined {
  const value = text === '' ? null : plainValue(text)
  switch (tag) {
    case 'int':
      return typeof value === 'number' && isInteger(text) ? value : undefined
    case 'float':
      return typeof value === 'number' ? value : undefined
    case 'bool':
      return typeof value === 'boolean' ? value : undefined
    case 'null':
      return value === null ? null : undefined
  }
}

function isInteger(text: string): boolean {
  return integer.test(text.replaceAll('_', ''))
}

const timestamp =
  /^\d{4}-\d\d?-\d\d?(?:[Tt]\d\d?:\d\d?:\d\d?(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)| \d\d?:\d\d?:\d\d?(?:\.\d+)?)?$/

/** Whether go-yaml accepts the text under the tag `!!timestamp`; the value stays text. */
export function isTimestamp(text: string): boolean {
  return timestamp.test(text)
}
