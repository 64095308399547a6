import { toJson } from '@bufbuild/protobuf'
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { type Instance, InstanceSchema, OnExit, RestartPolicy } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { command, instanceNames, one } from '../command.ts'
import { escapeText } from '../output/escape.ts'
import { formatAge, formatBytes } from '../output/format.ts'
import { enumName, instanceState } from '../output/views.ts'
import { ConditionStatus } from '@berth/proto/berth/common/v1/resource_pb.ts'

export const info = command<object, readonly [string]>({
  brief: 'Show an instance with its conditions and last exits',
  positional: one('instance', 'Id or name', instanceNames),
  async run({ api, out, signal }, _flags, id) {
    const { instance } = await api.instances.getInstance({ id }, { signal })
    if (!instance) throw new Error('the answer had no instance')
    out.value(toJson(InstanceSchema, instance), describe(instance).join('\n'))
  },
})

function describe(instance: Instance): string[] {
  const { spec, status } = instance
  const rows: [string, string][] = [
    ['Name', instance.name],
    ['Id', instance.id],
    ['Project', instance.project],
    ['State', instanceState(instance)],
    ['Host', instance.host],
    ['Image', spec?.boot.case === 'image' ? `${spec.boot.value.image} ${status?.imageDigest ?? ''}`.trim() : ''],
    ['Kernel', status?.kernelVersion ?? ''],
    ['Size', `${spec?.vcpus} vCPU, ${formatBytes(spec?.memoryBytes ?? 0n)} memory, ${formatBytes(spec?.scratchBytes ?? 0n)} scratch`],
    ['Hypervisor', [status?.hypervisor, status?.accelerator].filter(Boolean).join(', ')],
    ['VMM pid', status?.vmmPid ? String(status.vmmPid) : ''],
    ['Restart', restart(instance)],
    ['Boots', `${status?.bootCount ?? 0} (restarted ${status?.restartCount ?? 0} times)`],
    ['Started', status?.startTime ? `${formatAge(status.startTime)} ago` : ''],
    ...(status?.nics ?? []).map((nic): [string, string] => ['Interface', `${nic.macAddress} ${nic.ipv4Address} ${nic.ipv6Address}`]),
    [
      'Labels',
      Object.entries(instance.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ],
    ['On exit', enumName(OnExit, spec?.onExit || OnExit.KEEP)],
    ['Workload', workload(instance)],
    [
      'Last exit',
      status?.lastExit ? `${status.lastExit.reason} ${formatAge(status.lastExit.time)} ago ${status.lastExit.message}`.trim() : '',
    ],
    ['Age', formatAge(instance.createTime)],
  ]
  const lines = rows.filter(([, value]) => value).map(([head, value]) => `${`${head}:`.padEnd(12)} ${escapeText(value)}`)
  const conditions = (status?.conditions ?? []).map(
    (it) =>
      `  ${it.type.padEnd(16)} ${enumName(ConditionStatus, it.status).padEnd(8)} ${it.reason}${it.message ? `: ${escapeText(it.message)}` : ''}`,
  )
  return conditions.length > 0 ? [...lines, 'Conditions:', ...conditions] : lines
}

/** The policy, and when it starts the VM again. */
function restart({ spec, status }: Instance): string {
  const policy = enumName(RestartPolicy, spec?.restartPolicy || RestartPolicy.ON_FAILURE)
  if (!status?.nextRestartTime) return policy
  return `${policy}, again at ${timestampDate(status.nextRestartTime).toISOString()}`
}

function workload(instance: Instance): string {
  const exit = instance.status?.workloadExit
  if (!exit) return ''
  return exit.startError ? `could not start: ${exit.startError}` : `exited with ${exit.exitCode} ${formatAge(exit.time)} ago`
}
