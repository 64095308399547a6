/** Linux's signal numbers by name, those of x86-64; the guest's, whatever the host is. */
const numbers: Record<string, number> = Object.fromEntries(
  [
    ...['HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV', 'USR2', 'PIPE', 'ALRM', 'TERM', 'STKFLT'],
    ...['CHLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ', 'VTALRM', 'PROF', 'WINCH', 'IO', 'PWR', 'SYS'],
  ].map((name, index) => [name, index + 1]),
)
const [firstRealTime, lastRealTime] = [34, 64]

/** Number of `SIGTERM`, `TERM`, `SIGRTMIN+3` or `15`; undefined when there is no such signal. */
export function signalNumber(name: string): number | undefined {
  const word = name.toUpperCase().replace(/^SIG/, '')
  const realTime = /^RTMIN(?:\+(\d{1,2}))?$/.exec(word)
  if (realTime) return within(firstRealTime + Number(realTime[1] ?? 0))
  if (/^\d{1,2}$/.test(word)) return within(Number(word))
  return numbers[word]
}

function within(number: number): number | undefined {
  return number >= 1 && number <= lastRealTime ? number : undefined
}
