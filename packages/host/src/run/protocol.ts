/** What the service asks of its helper. Buffers travel as they are (structured clone). */
export type ToHelper =
  | {
      type: 'run'
      id: number
      argv: string[]
      env: Record<string, string>
      cwd: string
      input: Uint8Array | undefined
      timeoutMs: number
      maxOutputBytes: number
      dropStderr: boolean
    }
  | { type: 'kill'; id: number }

/** Why a command was ended by its helper; `none` when it ended by itself. */
export type EndedBy = 'none' | 'timeout' | 'abort' | 'output'

/** What the helper tells the service. */
export type FromHelper =
  | { type: 'spawned'; id: number; pid: number }
  | { type: 'refused'; id: number; errno: string; message: string }
  | {
      type: 'ended'
      id: number
      code: number | null
      signal: string | null
      endedBy: EndedBy
      stdout: Uint8Array
      stderr: Uint8Array
    }
