import type { DemoResult } from './run.ts'

const STEPS = ['pull', 'convert', 'volume', 'network', 'boot', 'agent', 'exec', 'total'] as const

/** What came back from inside the VM, and a line of timings. */
export function reportText(result: DemoResult): string[] {
  const { outputs, timingsMs } = result
  const rows: [string, string | undefined][] = [
    ['uname -a', outputs.uname],
    ['boot id', outputs.bootId],
    ['nonce', outputs.nonce],
  ]
  return [
    '',
    `inside ${result.instance}:`,
    ...rows.filter(([, value]) => value).map(([head, value]) => `  ${head.padEnd(9)} ${value}`),
    '',
    STEPS.map((step) => `${step} ${timingsMs[step]} ms`).join(' · '),
  ]
}

/** Five commands to try next. */
export function whatNext(instance: string): string[] {
  return [
    '',
    'Try, in another terminal in this folder:',
    '  npx berth list',
    `  npx berth exec ${instance} -- uname -a`,
    `  npx berth shell ${instance}`,
    `  npx berth logs ${instance}`,
    '  npx berth launch docker.io/library/alpine --name mine',
    '',
    'Ctrl-C stops the services; VMs keep running and are found again. npx berth down --all ends everything.',
  ]
}
