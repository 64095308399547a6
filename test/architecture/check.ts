import path from 'node:path'
import { ADAPTER, APPS, INSIDE, type InsideRule, LIMITS, PACKAGES, type Rule } from './rules.ts'
import { importsOf, isTest, lineCount, type SourceFile } from './source.ts'

/** Where a file stands: the package or app it belongs to, and its path below `src`. */
type Place = { kind: 'packages' | 'apps'; name: string; below: string }

function placeOf(file: string): Place | undefined {
  const [, kind, name, below] = /^(packages|apps)\/([^/]+)\/src\/(.+)$/.exec(file) ?? []
  return kind && name && below ? { kind: kind as Place['kind'], name, below } : undefined
}

/** Every broken rule as one line: the file, what it does, and why that is not done here. */
export function violations(files: SourceFile[]): string[] {
  return files.flatMap((file) => [
    ...sizeProblems(file),
    ...(isTest(file.path) ? [] : [...environmentProblems(file), ...importProblems(file)]),
  ])
}

function sizeProblems({ path: file, text }: SourceFile): string[] {
  const lines = lineCount(text)
  const isMain = /^apps\/[^/]+\/src\/main\.ts$/.test(file)
  const limit = isMain ? LIMITS.mainLines : LIMITS.fileLines
  if (lines <= limit) return []
  return [`${file} has ${lines} lines, the limit is ${limit}: ${isMain ? INSIDE['main.ts']?.reason : 'a file is read in one sitting'}`]
}

/** PATH is the machine's, not a setting of ours; the switches of tests reach into packages on purpose and are refused in earnest use. */
const SETTINGS =
  /\bprocess\.env\b(?!(\.|\[')(PATH|BERTH_TEST_BOOT_ID|BERTH_TEST_NO_EVENTS|BERTH_TEST_NO_POLL|BERTH_TEST_STALE|BERTH_FAILPOINTS_FILE)\b)/

function environmentProblems({ path: file, text }: SourceFile): string[] {
  const place = placeOf(file)
  if (!place || !SETTINGS.test(text)) return []
  if (place.kind === 'apps' ? place.below === 'config.ts' : ['config', 'testing'].includes(place.name)) return []
  return [`${file} reads process.env: only config.ts of an app does, so that every setting is parsed, documented and testable in one place`]
}

function importProblems(file: SourceFile): string[] {
  const place = placeOf(file.path)
  if (!place) return []
  return importsOf(file.text).flatMap((name) => {
    const reason = refusal(place, file.path, name)
    return reason ? [`${file.path} imports ${name}: ${reason}`] : []
  })
}

/** Why this import is refused, or undefined where it is allowed. */
function refusal(place: Place, file: string, name: string): string | undefined {
  if (name.startsWith('.')) return relativeRefusal(place, file, name)
  const berth = /^@berth\/([^/]+)/.exec(name)?.[1]
  if (berth && APP_NAMES.has(berth)) return 'a service is reached through its API, never through its code'
  if (berth === 'testing' && place.name !== 'testing') return 'packages/testing is for tests alone'
  for (const rule of rulesFor(place)) {
    if (berth && berth !== place.name && rule.packages !== '*' && !rule.packages.includes(berth)) return rule.reason
    if (!berth && rule.only && !rule.only.test(name)) return rule.reason
    if (rule.deny?.test(name)) return rule.reason
  }
  return undefined
}

function relativeRefusal(place: Place, file: string, name: string): string | undefined {
  const target = placeOf(path.posix.join(path.posix.dirname(file), name))
  if (target?.kind !== place.kind || target.name !== place.name)
    return 'another part of the house is imported by its name and its exports, not by a path'
  if (place.kind === 'packages' || place.name in APPS) return undefined
  const rule = insideRule(place.below)
  const top = topOf(target.below)
  if (!rule || rule.inside === '*' || rule.inside.includes(top) || top === topOf(place.below)) return undefined
  return rule.reason
}

type AnyRule = Rule & Partial<InsideRule>

function rulesFor(place: Place): AnyRule[] {
  const own = place.kind === 'packages' ? PACKAGES[place.name] : APPS[place.name]
  if (own) return [own]
  const inside = place.kind === 'apps' ? insideRule(place.below) : undefined
  return inside ? [inside] : []
}

/** Files straight under `src` that have no rule of their own are free; folders without one are adapters. */
function insideRule(below: string): InsideRule | undefined {
  return INSIDE[topOf(below)] ?? (below.includes('/') ? ADAPTER : undefined)
}

function topOf(below: string): string {
  return below.split('/')[0] ?? below
}

const APP_NAMES = new Set(['image', 'volume-provisioner', 'network', 'device', 'instance', 'gateway', 'supervisor', 'cli', 'console'])
