import { existsSync, realpathSync, statSync } from 'node:fs'
import path from 'node:path'

/**
 * The data folder and its parents that users other than root cannot pass through. VMs run under uids of their own and open their disks below it.
 * What does not exist yet is left out: it will be made with the right mode.
 */
export function closedFolders(dataDir) {
  let existing = path.resolve(dataDir)
  while (!existsSync(existing)) existing = path.dirname(existing)
  const closed = []
  for (let folder = realpathSync(existing); ; folder = path.dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) closed.push(folder)
    if (folder === path.dirname(folder)) return closed.reverse()
  }
}

/** Looks at the machine. `dataDir` is undefined where the run does not use the machine's data folder. */
export function measure(dataDir) {
  return {
    platform: process.platform,
    arch: process.arch,
    uid: process.getuid?.() ?? -1,
    tun: existsSync('/dev/net/tun'),
    closed: dataDir && process.platform === 'linux' ? closedFolders(dataDir) : [],
    dataDir,
  }
}

/** Everything that stops Berth from running on this machine, each with what to do about it; empty when it can run. */
export function problems({ platform, arch, uid, tun, closed, dataDir }) {
  const found = []
  if (platform !== 'linux' || arch !== 'x64')
    found.push(`this is ${platform} on ${arch}; Berth runs on Linux on x86-64 only: use such a machine`)
  if (uid !== 0) found.push('not root: Berth makes bridges, taps and cgroups; run the same command with sudo')
  if (!tun) found.push('no /dev/net/tun: run `modprobe tun`, or start the container with --device /dev/net/tun')
  if (closed.length > 0) {
    found.push(
      `other users cannot pass through ${closed.join(', ')}, and VMs, which run as users of their own, open their disks in ${dataDir}: ` +
        `run \`chmod o+x ${closed.join(' ')}\`, or set BERTH_DATA_DIR to a folder outside`,
    )
  }
  return found
}
