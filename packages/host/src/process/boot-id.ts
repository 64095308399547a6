import { readFileSync } from 'node:fs'

/**
 * Id of the host's present boot: pids and start times are comparable only within one.
 *
 * @param stand answered instead when not empty: a test's `BERTH_TEST_BOOT_ID`, which stands for a reboot
 */
export function bootId(stand = ''): string {
  return stand || readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
