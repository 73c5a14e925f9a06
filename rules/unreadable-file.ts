import { builtin } from '../src/rule.js'

export default builtin({
  title: 'A file cannot be read',
  category: 'api-schema',
  severity: 'error',
  why: `What stands in the file is not linted: permissions, a broken link, another encoding, or a size that
no manifest has. A run that left it out silently would say that all is well.`,
  remedy: 'Make the file readable, or leave it out with `.k8s-af-ignore`.',
  decides: `Files that are named on the command line, and files in folders whose name ends in \`.yaml\`,
\`.yml\` or \`.json\`; and \`.k8s-af-ignore\` files, as nobody knows then what
they leave out. The message says why. All other files are linted.`,
  stories: [],
})
