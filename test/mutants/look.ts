import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Mutant } from './mutant.ts'

const TEST_MS = 300_000

/** What the tests of one title said. */
export interface Said {
  /** Titles of what passed. */
  readonly passed: readonly string[]
  /** The first lines of what failed, by title. */
  readonly failed: ReadonlyMap<string, string>
  /** Why nothing could be said; empty when all was well. */
  readonly broken: string
}

type Report = {
  testResults: { message: string; assertionResults: { fullName: string; status: string; failureMessages: string[] | null }[] }[]
}

/** What the one type check finds in a copy. */
export function typeErrors(root: string): string[] {
  const { status, stdout } = spawnSync(path.join(root, 'node_modules/.bin/tsc'), ['-p', '.'], { cwd: root, encoding: 'utf8' })
  return status === 0 ? [] : stdout.split('\n').filter(Boolean)
}

/** Runs the tests of one file whose titles some mutants name. */
export function runTests(root: string, mutants: readonly Mutant[]): Said {
  const { project = '', test = '' } = mutants[0] ?? {}
  const output = path.join(root, 'report.json')
  rmSync(output, { force: true })
  const literal = mutants.map(({ title }) => title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('|')
  const words = [
    '--pdeathsig',
    'TERM',
    'vitest',
    'run',
    '--project',
    project,
    '--reporter=json',
    `--outputFile=${output}`,
    '-t',
    literal,
    test,
  ]
  const env = { ...process.env, PATH: `${path.join(root, 'node_modules/.bin')}:${process.env['PATH']}`, BERTH_HOME: root }
  const { stdout, stderr } = spawnSync('setpriv', words, { cwd: root, env, encoding: 'utf8', timeout: TEST_MS })
  const report = readReport(output)
  if (!report) return { passed: [], failed: new Map(), broken: firstLine(stderr || stdout) || 'no report' }
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults)
  const failed = results.filter(({ status }) => status === 'failed')
  return {
    passed: results.filter(({ status }) => status === 'passed').map(({ fullName }) => fullName),
    failed: new Map(failed.map(({ fullName, failureMessages }) => [fullName, firstLine(failureMessages?.[0] ?? '')])),
    broken: results.length > 0 ? '' : firstLine(report.testResults[0]?.message ?? 'no test has this title'),
  }
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return undefined
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 120) ?? ''
}
