import { readdir } from 'node:fs/promises'
import type { Found } from '../domain/audit.ts'
import type { Paths } from './paths.ts'

/** Lists what lies in the service's folder. */
export async function takeInventory(paths: Paths): Promise<Found> {
  const [blobs, roots, kernels, tmp] = await Promise.all(
    [paths.blobs, paths.roots, paths.kernels, paths.tmp].map((folder) => readdir(folder)),
  )
  return { blobs: blobs ?? [], roots: roots ?? [], kernels: kernels ?? [], tmp: tmp ?? [] }
}
