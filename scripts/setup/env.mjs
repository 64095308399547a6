import { homedir } from 'node:os'

const FROM_NPM = /^(npm_|INIT_CWD$|NODE_ENV$)/i

/** The environment without what npm put there: an inner npm, cargo or service must not inherit the outer one's settings. */
export function cleanEnv(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !FROM_NPM.test(name)))
}

/** The environment for commands of set-up: clean, with a HOME even where `env -i` took it, and without translated messages. */
export function commandEnv(env = process.env) {
  return { HOME: homedir(), PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...cleanEnv(env), LC_ALL: 'C.UTF-8' }
}
