import { ArgumentScannerError, buildApplication, buildRouteMap, formatMessageForArgumentScannerError, text_en } from '@stricli/core'
import { completion } from './commands/completion.ts'
import { useContext, viewConfig } from './commands/config.ts'
import { doctor } from './commands/doctor.ts'
import { down } from './commands/down.ts'
import { events } from './commands/events.ts'
import { exec, shell } from './commands/exec.ts'
import { deleteImages, pullImage } from './commands/image.ts'
import { info } from './commands/info.ts'
import { launch } from './commands/launch.ts'
import { listDevices, listImages, listInstances, listNetworks, listOperations, listVolumes } from './commands/list.ts'
import { logs } from './commands/logs.ts'
import { cancelOperations, waitOperation } from './commands/operation.ts'
import { deleteInstances, restart, start, stop } from './commands/power.ts'
import { version } from './commands/version.ts'
import { createVolume, deleteVolumes } from './commands/volume.ts'
import { VERSION } from './version.ts'

const short = { ls: 'list', rm: 'delete' } as const

const instance = buildRouteMap({
  routes: { launch, list: listInstances, info, exec, shell, logs, start, stop, restart, delete: deleteInstances },
  aliases: { ...short, get: 'info', describe: 'info', create: 'launch' },
  docs: { brief: 'Instances' },
})
const image = buildRouteMap({
  routes: { pull: pullImage, list: listImages, delete: deleteImages },
  aliases: short,
  docs: { brief: 'Images' },
})
const volume = buildRouteMap({
  routes: { list: listVolumes, create: createVolume, delete: deleteVolumes },
  aliases: short,
  docs: { brief: 'Volumes' },
})
const network = buildRouteMap({ routes: { list: listNetworks }, aliases: { ls: 'list' }, docs: { brief: 'Networks' } })
const device = buildRouteMap({ routes: { list: listDevices }, aliases: { ls: 'list' }, docs: { brief: 'PCI devices' } })
const operation = buildRouteMap({
  routes: { list: listOperations, wait: waitOperation, cancel: cancelOperations },
  aliases: { ls: 'list' },
  docs: { brief: 'Operations' },
})
const config = buildRouteMap({ routes: { view: viewConfig, use: useContext }, docs: { brief: 'Configuration of the CLI' } })

const root = buildRouteMap({
  routes: {
    launch,
    list: listInstances,
    info,
    exec,
    shell,
    logs,
    start,
    stop,
    restart,
    delete: deleteInstances,
    instance,
    image,
    volume,
    network,
    device,
    operation,
    events,
    doctor,
    down,
    config,
    version,
    completion,
  },
  aliases: {
    ls: 'list',
    rm: 'delete',
    instances: 'instance',
    images: 'image',
    volumes: 'volume',
    networks: 'network',
    devices: 'device',
    operations: 'operation',
  },
  docs: { brief: 'Virtual machines of OCI images, driven over gRPC' },
})

/** The whole command line. What commands throw is shown by `command`; here only wrong words and unknown commands are. */
export const app = buildApplication(root, {
  name: 'berth',
  versionInfo: { currentVersion: VERSION },
  scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
  documentation: { disableAnsiColor: true },
  localization: { text: { ...text_en, exceptionWhileParsingArguments: (error) => `berth: ${parseProblem(error)}` } },
})

function parseProblem(error: unknown): string {
  if (error instanceof ArgumentScannerError) return formatMessageForArgumentScannerError(error, {})
  return error instanceof Error ? error.message : String(error)
}
