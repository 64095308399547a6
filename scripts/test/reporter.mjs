import { writeFileSync } from 'node:fs'

/** A vitest reporter that leaves counts, and every skipped test with its reason, in the file that TEST_RESULT_FILE names. */
export default class CountingReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const result = { passed: 0, failed: unhandledErrors.length, skipped: [] }
    for (const module of modules) {
      if (module.state() === 'failed' && [...module.children.allTests()].every((test) => test.result().state !== 'failed'))
        result.failed += 1
      for (const test of module.children.allTests()) {
        const outcome = test.result()
        if (outcome.state === 'passed') result.passed += 1
        else if (outcome.state === 'failed') result.failed += 1
        else result.skipped.push({ name: `${module.relativeModuleId} > ${test.fullName}`, reason: outcome.note ?? 'no reason given' })
      }
    }
    writeFileSync(process.env.TEST_RESULT_FILE, JSON.stringify(result))
  }
}
