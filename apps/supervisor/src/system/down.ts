import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Instance } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { DesiredPower, InstanceState } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import type { SupervisorConfig } from '../config.ts'
import { type DemoClient, finished } from '../demo/client.ts'

/** Id of this host, from the data folder. */
export function localHostId(dataDir: string): string {
  const { id } = JSON.parse(readFileSync(path.join(dataDir, 'host.json'), 'utf8')) as { id: string }
  return id
}

/** Removes what the services recorded as put on the host (bridges, rules, resolvers …). They make it again at the next start. */
export async function removeHostObjects(config: SupervisorConfig, tell: (text: string) => void): Promise<void> {
  const script = path.join(config.home, 'scripts/uninstall/objects.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [script, config.dataDir], { cwd: '/', env: config.env })
  for (const line of stdout.split('\n').filter(Boolean)) tell(line)
}

/**
 * Stops every VM of this host through the API.
 *
 * @param localHost id of this host: VMs of other hosts are not touched
 * @throws AggregateError when some could not be stopped
 */
export async function stopAllVms(client: DemoClient, localHost: string, signal: AbortSignal, tell: (text: string) => void): Promise<void> {
  const running = await runningVms(client, localHost, signal)
  const results = await Promise.allSettled(
    running.map(async (instance) => {
      const { operation } = await client.instances.stopInstance({ id: instance.id, requestId: crypto.randomUUID() }, { signal })
      if (operation) await finished(client, operation, signal, () => undefined)
      tell(`stopped ${instance.name}`)
    }),
  )
  const errors = results.filter((result) => result.status === 'rejected').map((result) => result.reason as unknown)
  if (errors.length > 0) throw new AggregateError(errors, errors.map((error) => (error as Error).message).join('; '))
}

/** The VMs of a host that run, or should. */
export async function runningVms(client: DemoClient, host: string, signal: AbortSignal): Promise<Instance[]> {
  return (await allInstances(client, signal)).filter((it) => it.host === host && wants(it))
}

function wants(instance: Instance): boolean {
  return instance.status?.state !== InstanceState.STOPPED || instance.spec?.desiredPower !== DesiredPower.STOPPED
}

async function allInstances(client: DemoClient, signal: AbortSignal): Promise<Instance[]> {
  const all: Instance[] = []
  for (let pageToken = ''; ; ) {
    const { instances, nextPageToken } = await client.instances.listInstances({ pageSize: 1000, pageToken }, { signal })
    all.push(...instances)
    if (!nextPageToken) return all
    pageToken = nextPageToken
  }
}
