import {
  blankWordIn,
  formatPath,
  type Graph,
  type KubernetesObject,
  type Path,
  rule,
  type SchemaProblem,
} from '../src/rule.js'

export default rule({
  title: 'A placeholder that somebody still has to fill in',
  category: 'api-schema',
  severity: 'info',
  why: `The text marks where a value belongs: \`<KSA_NAME>\`, \`__HOST__\`, \`YOUR_PROJECT_ID\`. The API server
refuses the object as it stands, and takes it once the values are in. In a template that is as it should be;
in a manifest that is applied as it is, a step was forgotten.`,
  remedy: 'Fill in the values before the manifest is applied.',
  decides: `Only text that the API server refuses where it stands is looked at: names, quantities, numbers, times
and base64. A placeholder is

- text in brackets of its own (\`<…>\`, \`{name}\`, \`__…__\`, \`%…%\`, \`@…@\`, \`#{…}\`, \`[[…]]\`), three dots for
  what is left out (\`shop.example...\`), crosses and blanks (\`XXX\`, \`____\`, \`???\`), and \`%s\`;
- words in capitals that begin with an order or end with what is wanted (\`REPLACE_ME\`, \`PV_NAME\`), or one such
  word alone (\`PORT\`); \`your-port\`; words in capitals that underscores join, for a number or an amount
  (\`CPU_REQUEST\`), and names that are written so beside one;
- a long word in capitals, or several that underscores join, beside small letters or between dots
  (\`wipe-HOSTNAME\`, \`APP.DOMAIN.COM\`, \`web.LB_IP.example\`), and any word in capitals in a name that an image in
  the same folder has beside small letters, too (\`shop-FLAVOR-web\`): no registry takes such a repository;
- a sentence (\`replaced by the overlay\`);
- a field whose name begins with such words and a mark (\`WEB_IMAGE|-image\`).

All of an object are one finding. Other capitals stay errors: \`name: WEB_APP\` is a wrong name, \`protocol: HTTP\`
a wrong word.

Exempt: text that a program fills in (\`\${NAME}\`, \`{{ name }}\`, \`<%= name %>\`, \`%{NAME}\`), and files beside a kustomization.`,
  sources: ['kubernetes/pkg/apis/*/validation'],
  stories: [],
  for: 'FaultyObject',
  check(object, { graph, reportPath }) {
    const found = graph.problems(object).flatMap((one) => blankOf(one, object, graph) ?? [])
    const [first] = found
    if (!first || graph.kustomized(object)) return
    const texts = [...new Set(found.map(({ blank }) => blank.slice(0, 60)))]
    const [one = '', ...others] = texts
    reportPath(
      first.path,
      others.length === 0
        ? `kubectl apply is refused until ${one} is filled in at ${formatPath(first.path).slice(1)}.`
        : `kubectl apply is refused until ${one} and ${others.length === 1 ? others[0] : `${others.length} more placeholders`} are filled in.`,
      { onValue: true },
    )
  },
})

/** What is still to be filled in, and where; undefined for another mistake. */
function blankOf(
  problem: SchemaProblem,
  object: KubernetesObject,
  graph: Graph,
): { readonly path: Path; readonly blank: string } | undefined {
  if (problem.kind === 'placeholder') return problem
  if (problem.kind !== 'bad-name') return undefined
  const blank = blankWordIn(problem.value, object, graph)
  return blank === undefined ? undefined : { path: problem.path, blank }
}
