/** Limits of one command, set before it starts; unset or 0 leaves the service's own limit. */
export type Limits = {
  /** CPU time in seconds, all threads together; the kernel ends it with SIGXCPU. */
  cpuSeconds?: number
  /** Virtual memory in bytes. */
  addressSpaceBytes?: number
  /** Largest file it may write, in bytes. */
  fileSizeBytes?: number
}

export type Wrapping = { limits?: Limits; uid?: number; gid?: number }

/**
 * The argument array that starts `argv` under limits and as another user. Every command gets a parent-death signal, so that nothing it does goes
 * on unseen when its helper is killed. Between the fork and that, for a millisecond or so, it has none: a helper killed just then, before it has
 * told of the command, leaves it to its own end.
 */
export function wrap(argv: string[], { limits = {}, uid, gid }: Wrapping): string[] {
  const user =
    uid === undefined
      ? []
      : [`--reuid=${uid}`, `--regid=${gid ?? uid}`, '--clear-groups', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs']
  const bounds = [
    ...(limits.cpuSeconds ? [`--cpu=${limits.cpuSeconds}`] : []),
    ...(limits.addressSpaceBytes ? [`--as=${limits.addressSpaceBytes}`] : []),
    ...(limits.fileSizeBytes ? [`--fsize=${limits.fileSizeBytes}`] : []),
  ]
  // prlimit comes last, so that setpriv itself does not run under a small address space.
  return ['setpriv', '--pdeathsig', 'KILL', ...user, '--', ...(bounds.length > 0 ? ['prlimit', ...bounds, '--'] : []), ...argv]
}
