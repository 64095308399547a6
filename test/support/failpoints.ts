import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** What a failpoint does when it is reached: throw, hold until it is cleared, end the process. */
export type FailpointAction = 'error' | 'stall' | 'exit'

/** The failpoints of a running test system, armed through a file that its services read at each one. */
export interface Failpoints {
  /** For the environment of the system. */
  readonly env: NodeJS.ProcessEnv
  /** Names of all services, as they registered themselves. */
  names(): string[]
  arm(name: string, action: FailpointAction): void
  /** Arms several points, each for its first hit only. */
  armOnce(action: FailpointAction, ...names: readonly string[]): void
  /** Arms what the lines say, `name=action` with an optional ` *N`. */
  armLines(...lines: readonly string[]): void
  /** Whether the point has acted since it was armed. */
  hit(name: string): boolean
  clear(): void
}

export function failpointsIn(folder: string): Failpoints {
  const file = path.join(folder, 'failpoints')
  writeFileSync(file, '')
  return {
    env: { BERTH_FAILPOINTS_FILE: file },
    names() {
      const lists = readdirSync(folder).filter((name) => name.startsWith('failpoints.names.'))
      return lists.flatMap((name) => readFileSync(path.join(folder, name), 'utf8').split('\n').filter(Boolean)).toSorted()
    },
    arm(name, action) {
      rmSync(`${file}.hits`, { force: true })
      writeFileSync(file, `${name}=${action}\n`)
    },
    armOnce(action, ...names) {
      this.armLines(...names.map((name) => `${name}=${action} *1`))
    },
    armLines(...lines) {
      rmSync(`${file}.hits`, { force: true })
      writeFileSync(file, `${lines.join('\n')}\n`)
    },
    hit: (name) => existsSync(`${file}.hits`) && readFileSync(`${file}.hits`, 'utf8').split('\n').includes(name),
    clear: () => rmSync(file, { force: true }),
  }
}
