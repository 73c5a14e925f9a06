import { builtin } from '../src/rule.js'

export default builtin({
  title: 'A suppression has no effect',
  category: 'config',
  severity: 'error',
  why: `Somebody wanted to accept a finding and wrote it in a way that says nothing: without a reason, with
the name of a rule that does not exist, with a day that is not in the calendar, under a misspelt word. The finding
still counts, and the person who reads the comment believes that it does not.`,
  remedy: 'Write `<rule>[, <rule>] [container=NAME] [until=YYYY-MM-DD] -- <reason>`.',
  decides: `Reads every comment that starts with \`k8s-af-\` and every \`k8s-af.dev/ignore\` annotation. A comment
that starts with something like it (\`k8s-af-ingore\`, \`k8saf: ignore\` before the name of a rule) and an
annotation of this program's domain that it does not know (\`k8s-af.dev/ingore\`, \`k8saf.dev/ignore\`) are
reported; those of others never are. Text inside strings and block scalars is no comment. Where one of several rules
is unknown, the suppression holds for the others. Suppressions in the configuration file are checked when it is
loaded: a mistake there ends the run with exit code 2.`,
  stories: [],
})
