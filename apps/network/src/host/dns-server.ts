import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isBerthError, unavailable } from '@berth/errors'
import { atomicWrite, endProcess, processIdentity, type ProcessIdentity, programs, type Runner } from '@berth/host'
import { type DnsPaths, renderDnsmasq, renderHosts, renderLease } from '../domain/dnsmasq.ts'
import type { DnsServer, DnsState } from '../domain/dns-server.ts'
import type { BridgeConfig, Drift } from '../domain/host-network.ts'

export type DnsmasqOptions = {
  runner: Runner
  /** Folder with one folder a bridge. */
  root: string
  /** Default `/etc/resolv.conf`. */
  resolvFile?: string
}

/**
 * dnsmasq, one process a network of this host. It makes itself a daemon in a session of its own and closes what it inherited, so it outlives the
 * service; its successor finds it by the pid file and by the command line, which names the configuration, so that a reused pid is no match.
 */
export function dnsmasqServer({ runner, root, resolvFile = '/etc/resolv.conf' }: DnsmasqOptions): DnsServer {
  const start = async (bridge: BridgeConfig, signal: AbortSignal | undefined): Promise<DnsState> => {
    const { config } = pathsOf(root, bridge.bridge)
    try {
      await runner.run(['dnsmasq', `--conf-file=${config}`], { timeoutMs: 10_000, ...(signal ? { signal } : {}) })
      return { running: true, reason: '' }
    } catch (error) {
      if (!isBerthError(error)) throw error
      const missing = error.reason === 'COMMAND_NOT_STARTED'
      const said = 'stderr' in error ? String(error.stderr).trim().slice(0, 512) : ''
      return {
        running: false,
        reason: missing ? 'dnsmasq is not installed on this host' : `dnsmasq does not start: ${said || error.message}`,
      }
    }
  }

  return {
    async ensure(bridge, { signal, restart = false }) {
      const paths = pathsOf(root, bridge.bridge)
      for (const folder of [paths.hostsDir, paths.dhcpDir]) await makePassable(root, join(root, bridge.bridge), folder)
      const text = renderDnsmasq(bridge, paths, await unprivilegedUser(), resolvFile)
      const changed = (await readText(paths.config)) !== text
      if (changed) await atomicWrite(paths.config, text, { mode: 0o644 })
      const running = await find(paths)
      if (running && !changed && !restart) return { running: true, reason: '' }
      if (running) await endProcess(running, { graceMs: 2000 })
      return start(bridge, signal)
    },
    async isRunning(bridge) {
      return (await find(pathsOf(root, bridge.bridge))) !== undefined
    },
    async identity(bridge) {
      return find(pathsOf(root, bridge.bridge))
    },
    async setGuest({ bridge }, guest) {
      const { hostsDir, dhcpDir } = pathsOf(root, bridge)
      await writeWhenOther(join(hostsDir, guest.tap), renderHosts(guest))
      await writeWhenOther(join(dhcpDir, guest.tap), renderLease(guest))
    },
    async dropGuest(bridge, tap) {
      const { hostsDir, dhcpDir } = pathsOf(root, bridge)
      for (const folder of [hostsDir, dhcpDir]) await rm(join(folder, tap), { force: true })
    },
    async stop(bridge) {
      const running = await find(pathsOf(root, bridge))
      if (running) await endProcess(running, { graceMs: 2000 })
      await rm(join(root, bridge), { recursive: true, force: true })
    },
    async discard({ undo }) {
      if (undo?.by === 'signal' && !(await endProcess(undo.process, { graceMs: 2000 })))
        throw unavailable('PROCESS_STUCK', 'it does not end')
    },
    async inspect(bridges) {
      const drift: Drift[] = []
      for (const { bridge, networkId } of bridges) {
        if (await find(pathsOf(root, bridge))) continue
        drift.push({
          side: 'database-only',
          kind: 'process',
          name: `dnsmasq ${bridge}`,
          resourceId: networkId,
          message: `no DNS runs on ${bridge}`,
        })
      }
      const wanted = new Set(await Promise.all(bridges.map(async ({ bridge }) => (await find(pathsOf(root, bridge)))?.pid)))
      for (const { pid, command, process } of await processesUnder(root)) {
        if (wanted.has(pid)) continue
        drift.push({
          side: 'host-only',
          kind: 'process',
          name: `dnsmasq ${pid}`,
          resourceId: '',
          message: `process ${pid} serves no network: ${command}`,
          undo: { by: 'signal', process },
        })
      }
      return { drift, compared: { process: bridges.length } }
    },
  }
}

function pathsOf(root: string, bridge: string): DnsPaths {
  const at = (name: string) => join(root, bridge, name)
  return { config: at('dnsmasq.conf'), pidFile: at('dnsmasq.pid'), hostsDir: at('hosts'), dhcpDir: at('dhcp'), leaseFile: at('leases') }
}

async function find({ pidFile, config }: DnsPaths): Promise<ProcessIdentity | undefined> {
  const pid = Number(await readText(pidFile))
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  if (!(await commandLine(pid)).includes(`--conf-file=${config}`)) return undefined
  return processIdentity(pid)
}

async function commandLine(pid: number): Promise<string[]> {
  return (await readText(`/proc/${pid}/cmdline`)).split('\0')
}

async function processesUnder(root: string): Promise<{ pid: number; command: string; process: ProcessIdentity }[]> {
  const ours = async (pid: number) => (await commandLine(pid)).some((word) => word.startsWith(`--conf-file=${root}/`))
  const found = await Promise.all((await Array.fromAsync(programs())).map(async (pid) => ((await ours(pid)) ? [pid] : [])))
  const known = await Promise.all(
    found.flat().map(async (pid) => {
      const process = processIdentity(pid)
      // Read again, so that what is identified is what was recognised.
      return process && (await ours(pid)) ? [{ pid, command: (await commandLine(pid)).join(' ').trim(), process }] : []
    }),
  )
  return known.flat()
}

/** dnsmasq reads these folders after it has dropped its rights. */
async function makePassable(...folders: string[]): Promise<void> {
  for (const folder of folders) {
    await mkdir(folder, { recursive: true })
    await chmod(folder, 0o755)
  }
}

async function unprivilegedUser(): Promise<string> {
  return /^dnsmasq:/m.test(await readText('/etc/passwd')) ? 'dnsmasq' : 'nobody'
}

async function writeWhenOther(file: string, text: string): Promise<void> {
  if ((await readText(file)) !== text) await writeFile(file, text, { mode: 0o644 })
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return ''
    throw error
  }
}
