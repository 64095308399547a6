import { readFileSync } from 'node:fs'

/** Id of the host's present boot: pids and start times are comparable only within one. `BERTH_TEST_BOOT_ID` stands for a reboot in tests. */
export function bootId(): string {
  return process.env['BERTH_TEST_BOOT_ID'] || readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
