/** The formats of texts that the API server decodes. */
import { isIP } from '../values/ip.js'
import { memo } from '../values/lazy.js'
import { isObject } from '../values/untyped.js'

// k8s.io/apimachinery/pkg/api/resource/quantity.go: UnmarshalJSON trims, ParseQuantity reads number and suffix.
const quantityText = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+|[KMGTPE]i|[numkMGTPE])?$/

export function isQuantity(text: string): boolean {
  return quantityText.test(text.trim())
}

// k8s.io/apimachinery/pkg/apis/meta/v1/time.go: time.RFC3339.
const timeText = /^(\d{4}-\d\d-\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,]\d+)?(?:Z|[+-](\d\d):(\d\d))$/

export function isTime(text: string): boolean {
  const [, day = '', hour, minute, second, hours = 0, minutes = 0] = timeText.exec(text) ?? []
  return (
    isDay(day) &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    Number(hours) <= 24 &&
    Number(minutes) < 60
  )
}

// k8s.io/apimachinery/pkg/apis/meta/v1/micro_time.go: six digits, no more and no less.
const sixDigits = /[.,]\d{6}(?:Z|[+-]\d\d:\d\d)$/

export function isMicroTime(text: string): boolean {
  return sixDigits.test(text) && isTime(text)
}

// k8s.io/apimachinery/pkg/util/validation/validation.go: IsValidPercent.
export function isPercentage(text: string): boolean {
  return /^\d+%$/.test(text)
}

// The same, IsValidPortName: at most 15 characters, a letter among them, no hyphen at the ends or doubled.
export function isPortName(text: string): boolean {
  return text.length <= 15 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text) && /[a-z]/.test(text)
}

// encoding/json decodes bytes with base64.StdEncoding, which leaves out line breaks.
export function isBase64(text: string): boolean {
  const bare = text.replace(/[\r\n]/g, '')
  return bare.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(bare)
}

/**
 * Text that another program fills in or decrypts before the API server sees it: `${NAME:-x}`, `web.$NAME`, `$(name)`,
 * `{{ name }}`, `<%= name %>`, `%{NAME}`, `ENC[AES256_GCM,data:…]` of SOPS, `op://vault/item/field` of 1Password, `ref+vault://…` of vals. What
 * will stand there cannot be judged.
 */
export function isPlaceholder(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    /\$[{(A-Z_]|^\$[a-z]|\{\{|<%|%\{[A-Z]|^ENC\[AES256_GCM,|^(?:op|ref\+[a-z]\w*):\/\//.test(value)
  )
}

/**
 * The part of a text that a person still has to replace: `<KSA_NAME>`, `__HOST__`, `_K8S_IP_`, `%ZONE%`, `#IP#`, `{ID}`, `{name of the
 * job}`, `____`, `[REDACTED BUNDLE]`, `PV_NAME`, `XXX`, `YOUR_PROJECT_ID`, `NAMESPACE_PLACEHOLDER`, `replace_namespace`, `replaced by an
 * overlay`, `...`. Ask only of text that cannot be valid where it stands.
 * @param marksOnly leaves out what is told by its words alone, where capital letters are an ordinary mistake
 */
export function blankIn(text: string, marksOnly = false): string | undefined {
  const found = marks.exec(text) ?? promise.exec(text) ?? order.exec(text)
  const words = marksOnly ? null : (speaking.exec(text) ?? noun.exec(text) ?? beside.exec(text))
  return (found ?? words)?.[0]
}

/** Whether a text is nothing but words in capitals with underscores, as scripts and programs look for: `HOME_CREATOR_GROUPS`. */
export function isVariableName(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(value)
}

/**
 * The mark of a script, or of a page for whoever reads it, without quotes around it: `{USER_NAME}`, `{self.path}`, `{your domain}`. YAML
 * reads it as a mapping with a key and no value.
 */
export function blankMapping(value: unknown): string | undefined {
  if (!isObject(value)) return undefined
  const [key, ...others] = Object.keys(value)
  return key !== undefined && others.length === 0 && value[key] === null && /^[A-Za-z_][\w .-]*$/.test(key)
    ? `{${key}}`
    : undefined
}

/** The mark of a template without quotes around it, `[[ .Port ]]`: YAML reads it as a list in a list. */
export function blankList(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length !== 1) return undefined
  const [inner]: unknown[] = value
  if (!Array.isArray(inner) || inner.length !== 1) return undefined
  const [text]: unknown[] = inner
  return typeof text === 'string' ? `[[${text}]]` : undefined
}

/** The name of what a script puts in the place of a field, where its mark begins the field's name: `WEB_IMAGE|-image`. */
export function blankKeyIn(name: string): string | undefined {
  return /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?=[^\w.-])/.exec(name)?.[0]
}

// Brackets of several sorts, which no name and no number may hold, crosses, and what stands for a part that is left out.
const marks =
  /<\s*[A-Za-z][^<>]*>|\{[A-Za-z_][\w .-]*\}|__[A-Za-z][A-Za-z0-9_]*__|(?<![A-Za-z0-9_])_[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?![A-Za-z0-9_])|%[A-Za-z]\w*%|@[A-Z]\w*@|#[A-Z]\w*#|#\{[^{}]+\}|\[\[[^[\]]+\]\]|\[[A-Z][A-Z0-9]*(?:[ _-][A-Z0-9]+)+\]|(?<![A-Za-z0-9])(?:X{3,}|x{3,12})(?![A-Za-z0-9])|^(?:_{2,}|\?{2,})$|%[sdv](?![A-Za-z0-9])|[\w.-]{0,60}(?:\.{3}|…)/
// A sentence that says who writes the value.
const promise =
  /^(?:(?:to|will) be )?(?:replaced|overridden|patched|filled in|set) (?:by|in|with|from) \w.*$/i
// An order to whoever fills it in, with the underscores of a variable, or what is wanted of them: `replace_namespace`, `your-port`.
const order = /(?<![A-Za-z0-9_])(?:replace_[a-z0-9_]*|your[-_][a-z0-9_-]*)[a-z0-9](?![A-Za-z0-9_])/
const longNouns =
  'ACCOUNT|ADDRESS|APPNAME|BUCKET|CAPACITY|CERTIFICATE|CLUSTER|DOMAIN|HOSTNAME|MEMORY|NAMESPACE|NUMBER|PASSWORD|PREFIX|PROJECT|REGION|' +
  'REPLACE|REPLICAS|SCHEDULE|SUFFIX|TIMESTAMP|USERNAME|VERSION'
const nouns = `${longNouns}|B64|BASE64|BUNDLE|CA|CERT|CIDR|CLASS|CPU|CRT|GSA|HERE|HOST|ID|IP|KEY|KSA|MEM|NAME|PEM|PORT|SECRET|SIZE|TAG|TOKEN|URL|VALUE|ZONE|PLACEHOLDER|REPLACEME|CHANGEME`
// Two words or more in capitals of which the last says what is wanted or the first that something is. Every word may be the first:
// without a limit to their number, a long text of such words would be read as often as it has words.
const speaking = new RegExp(
  `(?<![A-Za-z0-9_])(?:(?:[A-Z][A-Z0-9]*[_-]){1,20}(?:${nouns})|(?:YOUR|REPLACE|CHANGE|INSERT|ENTER|TODO)[_-][A-Z0-9_-]*[A-Z0-9])(?![A-Za-z0-9_])`,
)
// Alone, the last or first part of a text in small letters, `disk-wipe-HOSTNAME`, or one between dots: `APP.DOMAIN.COM`. Short
// words may be abbreviations there: `web-IP`. What stands before is looked at behind what stands there: that is seldom a noun.
const noun = new RegExp(
  `^(?:${nouns}|TODO|TBD|FIXME)$|(?=(?:${longNouns})$)(?<=^[a-z0-9.-]+-)(?:${longNouns})|^(?:${longNouns}|APP)(?=-[a-z0-9.-]+$)|(?=(?:MY|YOUR)?(?:${longNouns})\\.[A-Za-z]+$)(?<=^(?:[\\w-]+\\.)*)(?:MY|YOUR)?(?:${longNouns})`,
)

// Words in capitals that underscores join, beside small letters: `hello.LB_IP_DASHED.example`.
const beside =
  /(?<=[a-z0-9][.-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![A-Za-z0-9_])|(?<![\w.-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?=[.-][a-z])/

/** The forms of names, as k8s.io/apimachinery/pkg/util/validation has them. */
export type NameForm =
  | 'label'
  | 'subdomain'
  | 'label key'
  | 'label value'
  | 'port'
  | 'data key'
  | 'path segment'

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const qualified = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

export const nameForms: Readonly<Record<NameForm, (text: string) => boolean>> = {
  label: (text) => text.length <= 63 && label.test(text),
  subdomain: (text) => text.length <= 253 && subdomain.test(text),
  'label value': (text) => text.length <= 63 && qualified.test(text),
  // The same few keys stand in all objects.
  'label key': memo((text: string) => {
    const slash = text.indexOf('/')
    const name = text.slice(slash + 1)
    const prefix = text.slice(0, Math.max(slash, 0))
    return (
      name.length <= 63 &&
      qualified.test(name) &&
      (slash < 0 || (prefix.length <= 253 && subdomain.test(prefix)))
    )
  }),
  port: isPortName,
  'data key': (text) => text.length <= 253 && /^[-._a-zA-Z0-9]+$/.test(text) && !/^\.(?:$|\.)/.test(text),
  // k8s.io/apimachinery/pkg/api/validation/path.
  'path segment': (text) => !/[/%]/.test(text) && text !== '.' && text !== '..',
}

/**
 * The formats that the schema of a custom resource can ask for and that are judged here, by their names without hyphens.
 * The server leaves formats that it does not know alone; email, hostname and the like are left alone here.
 * Source: pkg/validation/strfmt of k8s.io/kube-openapi.
 */
export const textFormats: Readonly<
  Record<string, { readonly like: string; readonly is: (text: string) => boolean }>
> = {
  byte: {
    like: 'base64',
    is: (text) => text !== '' && /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0,
  },
  date: { like: 'a day such as 2026-01-31', is: isDay },
  datetime: { like: 'a time such as 2026-01-31T08:00:00Z', is: isDateTime },
  duration: { like: 'a duration such as 1h30m', is: isDuration },
  ipv4: { like: 'an IPv4 address', is: isIPv4 },
  ipv6: { like: 'an IPv6 address', is: (text) => text.includes(':') && isAddress(text) },
  cidr: { like: 'a range such as 10.0.0.0/16', is: isRange },
  mac: { like: 'a MAC address', is: isMac },
  uri: { like: 'a URI', is: (text) => /^(?:[/]|[*]$|[A-Za-z][A-Za-z0-9+.-]*:)/.test(text) },
  uuid: { like: 'a UUID', is: (text) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text) },
}

function isDay(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []
  if (year === undefined) return false
  const date = new Date(`${text}T00:00:00Z`)
  return date.getUTCMonth() + 1 === Number(month) && date.getUTCDate() === Number(day)
}

function isDateTime(text: string): boolean {
  const [day = '', time = ''] = text.toLowerCase().split('t')
  // Any character may stand before the fraction, as in the server's expression.
  return isDay(day) && /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:.\d+)?(?:z|[+-]\d\d:\d\d)$/.test(time)
}

/** As Go's time.ParseDuration, or any number with a unit up to weeks in it. */
function isDuration(text: string): boolean {
  if (/^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[nu\u00b5\u03bcm]s|[smh]))+)$/.test(text)) return true
  const units = /^(?:[nu\u00b5m]s|[smhdw]|hr|wk|(?:nano|micro|milli|sec|min|hour|day|week).*)$/i
  return [...text.matchAll(/(?<!\d)\d+\s*([A-Za-z\u00b5]+)/g)].some(([, unit = '']) => units.test(unit))
}

function isAddress(text: string): boolean {
  return isIP(text.replace(/(^|\.)0+(?=\d)/g, '$1')) !== 0 && !text.includes('%')
}

function isIPv4(text: string): boolean {
  return text.includes('.') && isAddress(text)
}

function isRange(text: string): boolean {
  const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  return isAddress(address) && Number(length) <= (address.includes(':') ? 128 : 32)
}

function isMac(text: string): boolean {
  if (/^[0-9a-f]{4}(\.[0-9a-f]{4})+$/i.test(text)) return [14, 19, 49].includes(text.length)
  return /^[0-9a-f]{2}([:-])[0-9a-f]{2}(\1[0-9a-f]{2})+$/i.test(text) && [17, 23, 59].includes(text.length)
}
