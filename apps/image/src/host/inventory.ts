import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { heldOpen } from '@berth/host'
import type { Found } from '../domain/audit.ts'
import type { Paths } from './paths.ts'

/** Lists what lies in the service's folder. */
export async function takeInventory(paths: Paths): Promise<Found> {
  const [blobs, roots, kernels, tmp] = await Promise.all(
    [paths.blobs, paths.roots, paths.kernels, paths.tmp].map((folder) => readdir(folder)),
  )
  return { blobs: blobs ?? [], roots: roots ?? [], kernels: kernels ?? [], tmp: tmp ?? [] }
}

/** Names of files of the service's folder that are open, each with the pid of a process that has it. */
export async function filesInUse({ home }: Paths): Promise<Map<string, number>> {
  return (await heldOpen({ folder: home })).files
}

/** Removes one thing that the inventory lists, by its name below the service's folder; nothing when it is gone. */
export async function discardFile({ home }: Paths, name: string): Promise<void> {
  await rm(path.join(home, name), { recursive: true, force: true })
}
