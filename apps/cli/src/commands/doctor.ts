import { type AuditHostResponse, AuditHostResponseSchema, FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { type Host, HostSchema } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { toJson } from '@bufbuild/protobuf'
import { command, switchFlag, textFlag, type Work } from '../command.ts'
import { describeError, Exit, UsageError } from '../exit.ts'
import { escapeText } from '../output/escape.ts'
import { formatBytes } from '../output/format.ts'
import { table } from '../output/printer.ts'
import { enumName } from '../output/views.ts'
import { clean, type CleanFlags } from './doctor-clean.ts'

export const doctor = command<{ readonly audit: boolean; readonly clean: boolean } & CleanFlags>({
  brief: 'Check that everything works; --audit compares the host with the database, --clean removes what only the host has',
  full: [
    'Exits with 1 when something is wrong, the audit finds a disagreement, or the clean-up leaves something.',
    '--clean removes what the audit finds on the host and in no row, and only that: at most 10 objects unless --max-removals says otherwise,',
    'else none. VMs that run are kept, and with them everything that may be theirs, unless --include-running says otherwise.',
  ].join('\n'),
  flags: {
    audit: switchFlag('Compare host and database in both directions'),
    clean: switchFlag('Remove what is on the host and in no row'),
    dryRun: switchFlag('With --clean: only show what would be removed'),
    maxRemovals: textFlag('With --clean: remove nothing when there is more (default: 10)', 'number'),
    includeRunning: switchFlag('With --clean: also end VMs that run and that no instance has'),
    host: textFlag('Host to audit or clean (default: this one)', 'id'),
  },
  run: async (work, flags) => {
    const { audit: audits, clean: cleans, dryRun, maxRemovals, includeRunning } = flags
    if (audits && cleans) throw new UsageError('--audit and --clean are two things: --clean --dry-run shows what would be removed')
    if (!cleans && (dryRun || includeRunning || maxRemovals !== undefined))
      throw new UsageError('--dry-run, --max-removals and --include-running go with --clean')
    if (cleans) return clean(work, flags)
    return audits ? audit(work, flags.host ?? '') : checkUp(work)
  },
})

async function audit({ api, out, signal }: Work, host: string): Promise<void> {
  const answer = await api.audit.auditHost({ host }, { signal, timeoutMs: 120_000 })
  out.value(toJson(AuditHostResponseSchema, answer), auditText(answer))
  if (answer.findings.length > 0) throw new Exit(1)
}

function auditText(answer: AuditHostResponse): string {
  const compared = Object.entries(answer.compared)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ')
  if (answer.findings.length === 0) return `host ${answer.host} and the database agree (compared ${compared})`
  const rows = table(
    [
      { head: 'SERVICE', cell: (it) => it.service },
      { head: 'SIDE', cell: (it) => enumName(FindingSide, it.side) },
      { head: 'KIND', cell: (it) => it.kind },
      { head: 'NAME', cell: (it) => it.name },
      { head: 'RESOURCE', cell: (it) => it.resourceId },
      { head: 'MESSAGE', cell: (it) => it.message },
    ],
    answer.findings,
    false,
  )
  return rows.join('\n')
}

interface Check {
  readonly name: string
  readonly ok: boolean
  readonly text: string
}

async function checkUp({ api, out, signal }: Work): Promise<void> {
  const probe = async (name: string, call: () => Promise<string>): Promise<Check> => {
    try {
      return { name, ok: true, text: await call() }
    } catch (error) {
      return { name, ok: false, text: describeError(error) }
    }
  }
  const options = { signal, timeoutMs: 10_000 }
  const first = { pageSize: 1, pageToken: '', filter: '' }
  let hosts: Host[] = []
  const checks = await Promise.all([
    probe('gateway', async () => `answers as ${(await api.access.getCaller({}, options)).actor}`),
    probe('image', async () => `answers, ${(await api.kernels.listKernels(first, options)).kernels.length || 'no'} kernel`),
    probe('volume', async () => (await api.volumes.listVolumes(first, options), 'answers')),
    probe('network', async () => (await api.networks.listNetworks(first, options), 'answers')),
    probe('device', async () => (await api.devices.listDevices(first, options), 'answers')),
    probe('instance', async () => {
      hosts = (await api.hosts.listHosts({}, options)).hosts
      return `answers, ${hosts.filter((host) => host.alive).length} of ${hosts.length} hosts alive`
    }),
  ])
  const lines = checks.map((check) => `${check.ok ? 'ok  ' : 'FAIL'}  ${check.name.padEnd(9)} ${escapeText(check.text)}`)
  out.value({ checks, hosts: hosts.map((host) => toJson(HostSchema, host)) }, [...lines, ...hosts.flatMap(hostLines)].join('\n'))
  if (checks.some((check) => !check.ok)) throw new Exit(1)
}

function hostLines(host: Host): string[] {
  const head = `host  ${host.name} (${host.id}${host.local ? ', this one' : ''}): ${host.cpus} CPUs, ${formatBytes(host.memoryBytes)}`
  const rows = host.hypervisors.map((it) => `      ${it.name} ${it.version}, ${it.accelerator}: ${escapeText(it.acceleratorReason)}`)
  return [head, ...rows]
}
