import { builtin } from '../src/rule.js'

export default builtin({
  title: 'A suppression hides nothing',
  category: 'config',
  severity: 'warning',
  why: `The problem that was accepted here is gone, or the suppression never stood in the right place. Left
behind, it would hide the next one of its kind without anybody noticing.`,
  remedy: 'Remove the suppression, or the part of it that is not needed.',
  decides: `A comment, annotation or entry in the configuration that no finding of this run matched. Only rules that
ran are counted: \`--only\` and rules that need a cluster make no suppression unused, nor does a rule that cannot
decide about a kustomization, as where its base is not in the input. An entry in the configuration counts when it
names an object of the input, or when the input is declared whole (\`--complete\`).`,
  falsePositives: `A rule that compares several objects may find nothing when only some of their files are
given. Lint the same set of files everywhere, or turn this rule off where you lint changed files only
(\`--disable suppression-unused\`).`,
  stories: [],
})
