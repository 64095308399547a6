import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { isAlive, processIdentity } from '../process/identity.ts'
import { CommandFailed } from './failed.ts'
import { createRunner, type RunOptions } from './runner.ts'

const logger = { debug: vi.fn(), warn: vi.fn() }
let runner: ReturnType<typeof createRunner>
beforeAll(() => {
  runner = createRunner({ logger, title: 'berth-test-run' })
})
afterAll(() => runner[Symbol.dispose]())

const run = (argv: string[], options: Partial<RunOptions> = {}) => runner.run(argv, { timeoutMs: 5_000, ...options })
const failure = async (argv: string[], options: Partial<RunOptions> = {}): Promise<CommandFailed> => {
  const error = await run(argv, options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof CommandFailed) return error
  throw new Error('the command did not fail')
}
const gone = (pid: number) => vi.waitFor(() => expect(processIdentity(pid)).toBeUndefined(), { timeout: 5_000, interval: 10 })

describe('runner', () => {
  it('answers with output and exit code, and hands arguments on as they are', async () => {
    expect(await run(['printf', '%s|', 'a b', '$HOME', '; id'])).toEqual({ stdout: 'a b|$HOME|; id|', stderr: '', code: 0 })
    expect(await run(['sh', '-c', 'echo no >&2; exit 3'], { okCodes: [0, 3] })).toEqual({ stdout: '', stderr: 'no\n', code: 3 })
  })

  it('gives the command its input', async () => {
    const input = Buffer.alloc(3_000_000, 'x')
    expect((await run(['wc', '-c'], { input })).stdout.trim()).toBe('3000000')
    expect((await run(['true'], { input })).code).toBe(0)
  })

  it('hands none of the service’s environment on', async () => {
    vi.stubEnv('BERTH_TEST_SECRET', 'hidden')
    const { stdout } = await run(['env'], { env: { GIVEN: 'yes' } })
    vi.unstubAllEnvs()
    expect(stdout).toContain('GIVEN=yes')
    expect(stdout).not.toContain('hidden')
  })

  it('says how a command failed without its arguments or output in the message', async () => {
    const failed = await failure(['sh', '-c', 'echo /secret/path >&2; exit 2'])
    expect(failed).toMatchObject({ code: 'INTERNAL', reason: 'COMMAND_FAILED', failure: 'exit', exitCode: 2, stderr: '/secret/path\n' })
    expect(failed.message).toBe('command sh: exit code 2')
    expect(await failure(['berth-no-such-program'])).toMatchObject({ code: 'UNAVAILABLE', failure: 'not-started' })
    expect(await failure(['sh', '-c', 'kill -TERM $$'])).toMatchObject({ failure: 'signal', signal: 'SIGTERM' })
    expect(await failure(['true'], { cwd: '/berth-no-such-folder' })).toMatchObject({ failure: 'not-started' })
  })

  it('ends the whole group when the time is over', async () => {
    const failed = await failure(['sh', '-c', 'sleep 1000 & echo $!; wait'], { timeoutMs: 200 })
    expect(failed).toMatchObject({ code: 'DEADLINE_EXCEEDED', failure: 'timeout' })
    await gone(Number(failed.stdout))
  })

  it('ends the whole group when the work is given up', async () => {
    const controller = new AbortController()
    const failing = failure(['sh', '-c', 'sleep 1000 & wait'], { signal: controller.signal })
    controller.abort()
    expect(await failing).toMatchObject({ code: 'CANCELLED', failure: 'aborted' })
    expect(await failure(['true'], { signal: controller.signal })).toMatchObject({ failure: 'aborted' })
  })

  it('ends what a finished command left in its group, and does not wait for it', async () => {
    const { stdout } = await run(['sh', '-c', 'sleep 1000 & echo $!'])
    await gone(Number(stdout))
  })

  it('leaves a daemon that made a session of its own alone', async () => {
    const { stdout } = await run(['sh', '-c', 'setsid sh -c "echo \\$\\$; exec sleep 1000 >/dev/null 2>&1" & sleep 0.2'])
    const daemon = processIdentity(Number(stdout))
    expect(daemon).toBeDefined()
    if (daemon) process.kill(daemon.pid, 'SIGKILL')
  })

  it('bounds what a command may write', async () => {
    const failed = await failure(['yes'], { maxOutputBytes: 1_000 })
    expect(failed).toMatchObject({ failure: 'output', reason: 'COMMAND_OUTPUT_TOO_LARGE' })
    expect(failed.stdout).toHaveLength(1_000)
    const talkative = ['sh', '-c', 'yes >&2 & sleep 0.1; kill $!; wait; echo said']
    expect(await run(talkative, { maxOutputBytes: 1_000, dropStderr: true })).toMatchObject({ stdout: 'said\n', stderr: '' })
  })

  it('drops user, groups, capabilities and the way back', async () => {
    const { stdout } = await run(['cat', '/proc/self/status'], { uid: 64_999 })
    expect(stdout).toMatch(/^Uid:\t64999\t64999\t64999\t64999$/m)
    expect(stdout).toMatch(/^Gid:\t64999\t64999\t64999\t64999$/m)
    expect(stdout).toMatch(/^Groups:\t $/m)
    expect(stdout).toMatch(/^CapBnd:\t0{16}$/m)
    expect(stdout).toMatch(/^NoNewPrivs:\t1$/m)
  })

  it('sets limits before the command starts', async () => {
    const limits = { cpuSeconds: 7, addressSpaceBytes: 256 * 1024 * 1024, fileSizeBytes: 4096 }
    const { stdout } = await run(['cat', '/proc/self/limits'], { limits })
    expect(stdout).toMatch(/^Max cpu time +7 +7 /m)
    expect(stdout).toMatch(/^Max address space +268435456 /m)
    expect(stdout).toMatch(/^Max file size +4096 /m)
  })

  it('starts another helper when one is killed, and ends what the dead one ran', async () => {
    const helper = runner.helperPid ?? 0
    const lost = failure(['sleep', '1000'])
    const children = () => readFileSync(`/proc/${helper}/task/${helper}/children`, 'utf8')
    const child = await vi.waitFor(() => processIdentity(Number(children())) ?? expect.fail('not running yet'))
    // From when the command itself runs: what comes before it asks for the signal that ends it.
    await vi.waitFor(() => expect(readFileSync(`/proc/${child.pid}/comm`, 'utf8')).toBe('sleep\n'))
    process.kill(helper, 'SIGKILL')
    expect(await lost).toMatchObject({ code: 'UNAVAILABLE', failure: 'helper-lost' })
    await vi.waitFor(() => expect(isAlive(child)).toBe(false))
    expect((await run(['echo', 'again'])).stdout).toBe('again\n')
    expect(runner.helperPid).not.toBe(helper)
  })

  it('runs many commands at once', async () => {
    const outputs = await Promise.all(Array.from({ length: 40 }, (_, n) => run(['echo', String(n)])))
    expect(outputs.map(({ stdout }) => Number(stdout))).toEqual(Array.from({ length: 40 }, (_, n) => n))
  })

  it('ends helper and commands when it is disposed', async () => {
    const short = createRunner({ logger, title: 'berth-test-run' })
    const helper = short.helperPid ?? 0
    const running = short.run(['sleep', '1000'], { timeoutMs: 60_000 })
    short[Symbol.dispose]()
    await expect(running).rejects.toMatchObject({ failure: 'helper-lost' })
    await gone(helper)
    await expect(short.run(['true'], { timeoutMs: 1_000 })).rejects.toMatchObject({ failure: 'helper-lost' })
  })
})
