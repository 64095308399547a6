import { readFileSync } from 'node:fs'
import path from 'node:path'

/** One option of QEMU with its value; empty where it has none. */
export type QemuOption = readonly [name: string, value: string]

/** What the rival's command line leaves open. */
export interface RivalParts {
  readonly accel: string
  readonly cpu: string
  readonly smp: string
  readonly m: string
  readonly kernel: string
  readonly initrd: string
  readonly root: string
  readonly scratch: string
  readonly config: string
  readonly tap: string
  readonly mac: string
  /** Folder for its sockets. */
  readonly run: string
}

/** The rival's options, from the text beside this file. @throws Error when it names a part that is not given */
export function rivalOptions(parts: RivalParts): QemuOption[] {
  const text = readFileSync(path.join(import.meta.dirname, 'qemu.txt'), 'utf8')
  const filled = text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = (parts as unknown as Record<string, string>)[name]
    if (value === undefined) throw new Error(`qemu.txt: \${${name}} is not known`)
    return value
  })
  return filled.split('\n').filter(Boolean).map(splitOption)
}

function splitOption(line: string): QemuOption {
  const space = line.indexOf(' ')
  return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)]
}

/** The options of a command line as it was run, without the program. */
export function optionsOf(argv: readonly string[]): QemuOption[] {
  const options: QemuOption[] = []
  for (const word of argv.slice(1)) {
    const last = options.at(-1)
    if (word.startsWith('-')) options.push([word, ''])
    else if (last) options[options.length - 1] = [last[0], word]
  }
  return options
}

/** The parts that the rival has in common with a VM of Berth's, from that VM's command line. */
export function partsOf(
  argv: readonly string[],
): Pick<RivalParts, 'accel' | 'cpu' | 'smp' | 'm' | 'kernel' | 'initrd' | 'root' | 'scratch' | 'config' | 'mac'> {
  const options = optionsOf(argv)
  const one = (name: string) => options.find(([found]) => found === name)?.[1] ?? ''
  const disk = (serial: string) => {
    const nodes = options.filter(([name]) => name === '-blockdev').map(([, value]) => JSON.parse(value) as BlockNode)
    return nodes.find((node) => node['node-name'] === serial)?.file.filename ?? ''
  }
  const nic = options.find(([name, value]) => name === '-device' && value.startsWith('virtio-net-pci'))?.[1] ?? ''
  return {
    ...{ accel: one('-accel'), cpu: one('-cpu'), smp: one('-smp'), m: one('-m'), kernel: one('-kernel'), initrd: one('-initrd') },
    ...{ root: disk('root'), scratch: disk('scratch'), config: disk('config') },
    mac: /mac=([0-9a-f:]+)/.exec(nic)?.[1] ?? '',
  }
}

type BlockNode = { 'node-name': string; file: { filename: string } }
