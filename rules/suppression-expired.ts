import { builtin } from '../src/rule.js'

export default builtin({
  title: 'A suppression has passed its last day',
  category: 'config',
  severity: 'warning',
  why: `The finding was accepted until a day that is over. From the day after, it counts again.`,
  remedy: 'Cure the finding and remove the suppression, or give it a new day and say why.',
  decides: `Compares \`until=YYYY-MM-DD\` with today's date in the local time zone; the day itself still
counts.`,
  stories: [],
})
