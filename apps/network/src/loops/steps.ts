import { defineSteps } from '@berth/controller'

/** What a port takes to be made: its row, its tap, its rules, its names in DNS, up, and the row again. */
export const ensureStep = defineSteps('network.port.ensure', ['record', 'tap', 'rules', 'dns', 'up', 'status'])

/** What it takes to go: the note that it will, its tap, its rules, its names, and last the row, which frees the addresses. */
export const releaseStep = defineSteps('network.port.release', ['mark', 'tap', 'rules', 'dns', 'remove'])
