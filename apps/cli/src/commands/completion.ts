import { command, one } from '../command.ts'
import { UsageError } from '../exit.ts'

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_berth() {
  local line=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <(berth __complete "\${line[@]}" 2>/dev/null)
}
complete -o default -F _berth berth`,
  zsh: `#compdef berth
_berth() {
  local -a found
  found=("\${(@f)$(berth __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- $found
}
compdef _berth berth`,
  fish: `complete -c berth -f -a '(berth __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
  pwsh: `Register-ArgumentCompleter -Native -CommandName berth -ScriptBlock {
  param($word, $ast, $position)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($word -eq '') { $words += '' }
  berth __complete @words 2>$null | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}`,
}

export const completion = command<object, readonly [string]>({
  brief: 'Print the completion script of a shell: bash, zsh, fish or pwsh',
  full: 'For example: source <(berth completion bash)',
  positional: one('shell', 'bash, zsh, fish or pwsh'),
  async run({ out }, _flags, shell) {
    const script = SCRIPTS[shell]
    if (!script) throw new UsageError(`no completion for “${shell}”; there is ${Object.keys(SCRIPTS).join(', ')}`)
    out.line(script)
  },
})
