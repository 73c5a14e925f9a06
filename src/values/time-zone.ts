/** The names of time zones that servers know. */
import { lazy } from './lazy.js'

/** Zones without a slash, which are links but for a few: file `backward` of the IANA database and those that it merges. */
const plainZones: ReadonlySet<string> = new Set(
  (
    'CET CST6CDT Cuba EET EST EST5EDT Egypt Eire Factory GB GB-Eire GMT GMT+0 GMT-0 GMT0 Greenwich HST Hongkong Iceland Iran Israel ' +
    'Jamaica Japan Kwajalein Libya MET MST MST7MDT NZ NZ-CHAT Navajo PRC PST8PDT Poland Portugal ROC ROK Singapore Turkey UCT UTC ' +
    'Universal W-SU WET Zulu'
  ).split(' '),
)

/** The zones that JavaScript lists by what they are in small letters. */
const zonesByLetters = lazy(
  () =>
    new Map([...plainZones, ...Intl.supportedValuesOf('timeZone')].map((name) => [name.toLowerCase(), name])),
)

/** The zone of a name that has other letters large or small. */
export function timeZoneMeant(name: string): string | undefined {
  return zonesByLetters().get(name.toLowerCase())
}

/**
 * Whether Go knows the time zone: as JavaScript does, but letter by letter, and no abbreviations such as PST. Source: validateTimeZone of
 * pkg/apis/batch/validation, time.LoadLocation.
 */
export function isTimeZone(name: string): boolean {
  if (!name.includes('/')) return plainZones.has(name)
  const listed = timeZoneMeant(name)
  if (listed !== undefined) return listed === name
  // Old names are not listed.
  const parts = name.split('/')
  const isWritten = parts.every(
    (part) => /^[A-Z]/.test(part) && !(parts[0] !== 'Etc' && /^[A-Z]{4,}$/.test(part)),
  )
  try {
    return isWritten && Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}
