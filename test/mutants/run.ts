import path from 'node:path'
import { inOwnNamespace } from '../bench/namespace.ts'
import { runTests, typeErrors } from './look.ts'
import { type Mutant, readMutants } from './mutant.ts'
import { copyTree, type Tree } from './tree.ts'

const home = path.resolve(import.meta.dirname, '../..')

/** What became of one sabotage; `wrong` when nobody noticed it at run time. */
interface Verdict {
  readonly mutant: Mutant
  readonly wrong: boolean
  readonly text: string
}

/** Why a test file cannot tell anything without any sabotage; empty when what is looked at is green there. */
type Clean = (test: string) => string

function main(names: readonly string[]): number {
  const mutants = readMutants(import.meta.dirname, names)
  const code = inOwnNamespace([import.meta.filename, ...names])
  if (code !== undefined) return code
  using tree = copyTree(home)
  const types = wrongTypes(tree, mutants)
  const clean = cleanRuns(tree, mutants)
  const verdicts = mutants.map((mutant) => {
    const verdict = judge(tree, mutant, clean, types)
    process.stdout.write(`${line(verdict)}\n`)
    return verdict
  })
  const wrong = verdicts.filter((verdict) => verdict.wrong)
  process.stdout.write(`\n${verdicts.length - wrong.length} of ${verdicts.length} sabotages were noticed\n`)
  for (const { mutant, text } of wrong) process.stdout.write(`NOT NOTICED ${mutant.name}: ${mutant.sabotage} (${mutant.test}: ${text})\n`)
  return wrong.length > 0 ? 1 : 0
}

/** What the type check finds in sabotages, by name. All are checked at once, and one by one only when something is found then. */
function wrongTypes(tree: Tree, mutants: readonly Mutant[]): Map<string, string> {
  // In the middle of other work the tree may have errors of its own: no sabotage may add one.
  const known = new Set(typeErrors(tree.root))
  const added = () => typeErrors(tree.root).find((error) => !known.has(error))
  const together = mutants.filter(({ file }) => tree.tries(file))
  const found = added()
  for (const { file } of together.toReversed()) tree.revert(file)
  const wrong = new Map<string, string>()
  for (const { name, file } of found ? mutants : mutants.filter((mutant) => !together.includes(mutant))) {
    if (!tree.tries(file)) continue
    const error = added()
    if (error) wrong.set(name, error)
    tree.revert(file)
  }
  return wrong
}

/** Runs each file once without any sabotage, when it is first asked for. */
function cleanRuns(tree: Tree, mutants: readonly Mutant[]): Clean {
  const reasons = new Map<string, string>()
  const look = (test: string): string => {
    const those = mutants.filter((mutant) => mutant.test === test)
    const { passed, failed, broken } = runTests(tree.root, those)
    const missing = those.find(({ title }) => !passed.some((name) => name.includes(title)))
    return broken || ([...failed.values()][0] ?? (missing ? `no test has the title “${missing.title}”` : ''))
  }
  return (test) => {
    const known = reasons.get(test) ?? look(test)
    reasons.set(test, known)
    return known
  }
}

function judge(tree: Tree, mutant: Mutant, clean: Clean, types: ReadonlyMap<string, string>): Verdict {
  const fail = (text: string): Verdict => ({ mutant, wrong: true, text })
  const before = clean(mutant.test)
  if (before) return fail(`not green without the sabotage: ${before}`)
  const found = types.get(mutant.name)
  if (found) return fail(`the type check finds it: ${found}`)
  if (!tree.tries(mutant.file)) return fail('the patch does not apply')
  try {
    const { failed, broken } = runTests(tree.root, [mutant])
    if (failed.size > 0) return { mutant, wrong: false, text: [...failed.values()][0] ?? '' }
    return fail(broken ? `the test does not run: ${broken}` : 'still green')
  } finally {
    tree.revert(mutant.file)
  }
}

function line({ mutant, wrong, text }: Verdict): string {
  return `${wrong ? 'GREEN' : 'red  '}  ${mutant.name.padEnd(32)}  ${path.relative('.', mutant.test).padEnd(52)}  ${text}`
}

try {
  process.exitCode = main(process.argv.slice(2).filter((word) => word !== '--'))
} catch (error) {
  process.stderr.write(`mutants: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
