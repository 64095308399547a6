import { spawn } from 'node:child_process'
import { commandEnv } from './env.mjs'

/** Commands that are running, with the milliseconds each has for ending by itself. */
const running = new Map()
let stopped = false

/** A command that ended badly. The message holds the command and the end of what it printed. */
export class CommandFailed extends Error {}

/**
 * Runs a host command to its end and returns what it wrote to stdout, as text or, with `binary`, as a Buffer.
 *
 * @param options.input bytes for stdin; default none
 * @param options.env variables on top of the cleaned environment
 * @param options.graceMs how long the command may take to end when set-up is stopped, before it is killed; default 1 s
 * @throws CommandFailed when set-up is being stopped, or it cannot be started, exits non-zero or dies of a signal
 */
export function exec(command, args, { input, env = {}, cwd, binary = false, graceMs = 1000 } = {}) {
  if (stopped) return Promise.reject(new CommandFailed(`${command}: set-up is being stopped`))
  return new Promise((resolve, reject) => {
    // A group of its own, so that stopping set-up also ends what npm, apt or cargo started.
    const child = spawn(command, args, { cwd, detached: true, stdio: ['pipe', 'pipe', 'pipe'], env: { ...commandEnv(), ...env } })
    const out = []
    const all = []
    running.set(child, graceMs)
    child.stdout.on('data', (chunk) => {
      out.push(chunk)
      if (!binary) all.push(chunk)
    })
    child.stderr.on('data', (chunk) => all.push(chunk))
    child.stdin.on('error', () => {}) // a command that exits without reading its input says why by its exit code
    child.stdin.end(input)
    const fail = (reason) => {
      const tail = Buffer.concat(all).toString().trim().split('\n').slice(-30).join('\n')
      reject(new CommandFailed(`${command} ${args.join(' ')}: ${reason}${tail ? `\n${tail}` : ''}`))
    }
    child.on('error', (error) => {
      running.delete(child)
      fail(error.message)
    })
    child.on('close', (code, signal) => {
      running.delete(child)
      if (code !== 0) return fail(signal ? `ended by ${signal}` : `exit code ${code}`)
      const stdout = Buffer.concat(out)
      resolve(binary ? stdout : stdout.toString())
    })
  })
}

/** Ends every command that is still running, with its whole process group: asks first, kills those whose grace is over. */
export async function stopCommands() {
  stopped = true
  await Promise.all(
    [...running].map(async ([child, graceMs]) => {
      const ended = new Promise((resolve) => child.on('close', resolve))
      signalGroup(child, 'SIGTERM')
      const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs)
      await ended
      clearTimeout(timer)
    }),
  )
}

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
