/** The beginning of a text in quotes, as JSON writes it: up to 60 characters, none of them cut in half. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 60).replace(/[\ud800-\udbff]$/, ''))
}
