/** Counts of a cargo run, from its output; ignored tests are named with the reason of their attribute. */
export function cargoResult(output) {
  const result = { passed: 0, failed: 0, skipped: [] }
  for (const [, passed, failed] of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    result.passed += Number(passed)
    result.failed += Number(failed)
  }
  for (const [, name, reason] of output.matchAll(/^test (\S+) \.\.\. ignored(?:, (.*))?$/gm)) {
    result.skipped.push({ name, reason: reason ?? 'no reason given' })
  }
  return result
}

/** A check that passes or fails as a whole, such as a linter. */
export function checkResult(ok) {
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: [] }
}

/** A tier that ended badly without a failed test to show for it (a crash, no tests at all) counts as one failure. */
export function withExit(result, ok) {
  return ok || result.failed > 0 ? result : { ...result, failed: 1 }
}

/** Results of a tier that ran in parts. */
export function added(results) {
  const total = (key) => results.reduce((sum, result) => sum + result[key], 0)
  return { passed: total('passed'), failed: total('failed'), skipped: results.flatMap(({ skipped }) => skipped) }
}

/** The closing lines: a table of tiers, the skipped tests with their reasons, the sum alone on the last line. */
export function summary(tiers) {
  const sum = (key) => tiers.reduce((total, { result }) => total + (key === 'skipped' ? result.skipped.length : result[key]), 0)
  const row = (cells) =>
    `${cells[0].padEnd(14)}${cells
      .slice(1)
      .map((cell) => String(cell).padStart(9))
      .join('')}`
  return [
    row(['tier', 'passed', 'failed', 'skipped', 'seconds']),
    ...tiers.map(({ name, result, seconds }) => row([name, result.passed, result.failed, result.skipped.length, seconds.toFixed(1)])),
    ...tiers.flatMap(({ result }) => result.skipped.map(({ name, reason }) => `skipped: ${name}: ${reason}`)),
    `${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`,
  ]
}
