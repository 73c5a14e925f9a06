/** The beginning of a text in quotes, as JSON writes it: up to 60 characters, none of them cut in half, and `…` where there are more. */
export function quoted(text: string): string {
  const start = text.slice(0, 60).replace(/[\ud800-\udbff]$/, '')
  return JSON.stringify(text.length > 60 ? `${start}…` : text)
}
