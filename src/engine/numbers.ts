/** Whole numbers beyond 2^53, which are exact to the API server and rounded here. */

/** A number in a message that may be a rounded one. */
const large = /\d{16}/

/** Whole numbers of up to 64 bits as they are written, those that are rounded among them. */
const integers = /(?<![\w.])(?:0[xX][\da-fA-F]{14,16}|[1-9]\d{15,19})(?![\w.])/g

/**
 * A message with the whole numbers that are written, where it has what they are rounded to.
 * @param here gives what is written where it points, which tells numbers apart that are rounded to the same
 * @param document the text around it
 */
export function exact(message: string, here: () => string | undefined, document: string): string {
  if (!large.test(message)) return message
  const [own, all] = [numbersIn(here() ?? ''), numbersIn(document)]
  return message.replace(/\d{16,}/g, (number) => own.get(number) ?? all.get(number) ?? number)
}

/** By what they are rounded to; without those of which two are rounded to the same. */
function numbersIn(text: string): ReadonlyMap<string, string | undefined> {
  const found = new Map<string, string | undefined>()
  for (const [digits] of text.matchAll(integers)) {
    const rounded = String(Number(digits))
    const whole = String(BigInt(digits))
    found.set(rounded, found.has(rounded) && found.get(rounded) !== whole ? undefined : whole)
  }
  return found
}
