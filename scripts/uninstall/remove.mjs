import { existsSync, readFileSync, rmdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { exec } from '../setup/exec.mjs'
import { FIELDS } from './record.mjs'

/** Removes the recorded objects, users before what they use. Gives one line for each that was there; what is gone already is passed over. */
export async function removeObjects(objects) {
  const order = Object.keys(FIELDS)
  const sorted = [...objects].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
  const removed = []
  for (const object of sorted) if (await REMOVE[object.kind](object)) removed.push(describe(object))
  return removed
}

function describe({ kind, ...object }) {
  return `${kind} ${FIELDS[kind].map((field) => object[field]).join(' ')}`
}

const REMOVE = { process: endProcess, rule: deleteRules, table: deleteTable, tap: deleteLink, bridge: deleteBridge, cgroup: removeCgroup }

async function deleteLink({ name }) {
  if (!existsSync(`/sys/class/net/${name}`) && !(await succeeds('ip', ['link', 'show', 'dev', name]))) return false
  await exec('ip', ['link', 'delete', 'dev', name])
  return true
}

/** The network service's names of taps: `bt`, four characters of the host, seven of the port. */
const OUR_TAP = /^bt[a-z0-9]{11}$/

/** With the taps that are its ports and are named as ours are: those of VMs that stand still. */
async function deleteBridge({ name }) {
  const listing = await exec('ip', ['-j', 'link', 'show', 'master', name]).catch(() => '[]')
  const ports = JSON.parse(listing || '[]').map(({ ifname }) => ifname)
  for (const port of ports.filter((ifname) => OUR_TAP.test(ifname))) await deleteLink({ name: port })
  return deleteLink({ name })
}

async function deleteTable({ family, table }) {
  if (!(await succeeds('nft', ['list', 'table', family, table]))) return false
  await exec('nft', ['delete', 'table', family, table])
  return true
}

/** Our accept rules in other people's chains carry a comment of ours: those rules alone go, by their handles. */
async function deleteRules({ family, table, chain, comment }) {
  const listing = await exec('nft', ['-j', 'list', 'chain', family, table, chain]).catch(() => undefined)
  if (listing === undefined) return false
  const handles = JSON.parse(listing).nftables.flatMap((entry) => (entry.rule?.comment === comment ? [entry.rule.handle] : []))
  for (const handle of handles) await exec('nft', ['delete', 'rule', family, table, chain, 'handle', String(handle)])
  return handles.length > 0
}

/** Start time in clock ticks, or undefined for a process that is gone or only waits to be reaped. */
function startTicksOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[0] === 'Z' ? undefined : Number(fields[19])
  } catch {
    return undefined
  }
}

async function endProcess({ pid, startTicks }) {
  const alive = () => startTicksOf(pid) === Number(startTicks)
  if (!alive()) return false
  for (const [signal, tries] of [
    ['SIGTERM', 100],
    ['SIGKILL', 100],
  ]) {
    process.kill(pid, signal)
    for (let left = tries; left > 0 && alive(); left--) await sleep(50)
    if (!alive()) return true
  }
  throw new Error(`process ${pid} does not end`)
}

function removeCgroup({ path }) {
  if (!existsSync(path)) return false
  rmdirSync(path)
  return true
}

function succeeds(command, args) {
  return exec(command, args).then(
    () => true,
    () => false,
  )
}
