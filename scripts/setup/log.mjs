/** Prints one line of set-up on stderr; stdout belongs to the program that set-up prepares. */
export function say(text) {
  console.error(`setup: ${text}`)
}

/** Runs `work` and prints its name with the seconds it took. Nothing is printed when it throws. */
export async function timed(name, work) {
  const start = performance.now()
  const result = await work()
  say(`${name} ${((performance.now() - start) / 1000).toFixed(1)} s`)
  return result
}
