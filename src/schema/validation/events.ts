/** Events. Source: pkg/apis/core/validation/events.go. */
import { stringAt } from '../../values/untyped.js'
import { isPlaceholder } from '../format.js'
import { type Check, type Checks, hasForm, on, oneOf } from './say.js'

type Event = Readonly<Record<string, unknown>>

/** What the two groups call the same fields. */
interface Names {
  readonly subject: string
  readonly reporter: string
  readonly message: string
}

const ofCore: Names = { subject: 'involvedObject', reporter: 'reportingComponent', message: 'message' }
const ofEvents: Names = { subject: 'regarding', reporter: 'reportingController', message: 'note' }

const isNew = ({ eventTime }: Event) => (eventTime ?? '') !== ''

/** An event without `eventTime` is where its object is. */
const beside = ({ subject }: Names): Check =>
  on<Event>((event, say) => {
    const own = stringAt(event, 'metadata', 'namespace')
    const of = stringAt(event, subject, 'namespace') ?? ''
    if (!own || isPlaceholder(own) || isPlaceholder(of)) return
    if (of !== '' && of !== own && !isNew(event))
      say.conflict([subject, 'namespace'], `is ${of}, and metadata.namespace is ${own}`)
    if (of === '' && own !== 'default' && !(own === 'kube-system' && isNew(event)))
      say.conflict(
        ['metadata', 'namespace'],
        `is ${own}, and an event of an object without a namespace has to be in default`,
      )
  })

/** One with `eventTime` tells who reports it. */
const complete = ({ reporter }: Names): Check =>
  on<Event>((event, say) => {
    if (!isNew(event)) return
    for (const field of [reporter, 'reportingInstance', 'action', 'reason'])
      if (oneOf(event, [field]).length === 0) say.lacks([field], 'and eventTime is set')
  })

/** The bytes of its texts are limited. */
const short = ({ reporter, message }: Names): Check =>
  on<Event>((event, say) => {
    if (!isNew(event)) return
    for (const [field, most] of Object.entries({
      reportingInstance: 128,
      action: 128,
      reason: 128,
      [message]: 1024,
    })) {
      const text = event[field]
      const size = Buffer.byteLength(String(text ?? ''))
      if (size > most && !isPlaceholder(text))
        say.conflict([field], `has ${size} bytes, and may have ${most}`)
    }
    const by = String(event[reporter] ?? '')
    if (!hasForm('label key', by))
      say.conflict(
        [reporter],
        `is ${JSON.stringify(by)}, and has to be a name such as example.com/controller`,
      )
  })

/** What events.k8s.io/v1 has for the old kind of events only. */
const withoutOldFields = on<Event>((event, say) => {
  for (const field of ['deprecatedFirstTimestamp', 'deprecatedLastTimestamp', 'deprecatedCount'])
    if (event[field]) say.conflict([field], 'cannot be set in events.k8s.io/v1')
  if (stringAt(event, 'deprecatedSource', 'component') || stringAt(event, 'deprecatedSource', 'host'))
    say.conflict(['deprecatedSource'], 'cannot be set in events.k8s.io/v1')
})

const severalTimes = on<{ readonly count?: number }>(({ count }, say) => {
  if (count !== undefined && count < 2) say.conflict(['count'], `is ${count}, and has to be at least 2`)
})

export const events: Checks = {
  'core.Event': [beside(ofCore), complete(ofCore), short(ofCore)],
  'events.Event': [beside(ofEvents), short(ofEvents)],
  'events/v1beta1.Event': [complete(ofEvents)],
  'events/v1.Event': [withoutOldFields],
  'events/v1.EventSeries': [severalTimes],
}
