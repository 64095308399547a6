import { join, resolve } from 'node:path'

/** Small network tools that every clone has. */
export const busybox: string = join(process.env['BERTH_HOME'] ?? resolve(import.meta.dirname, '../../..'), '.berth/bin/busybox')
