/** What a shell evaluates. All of them ask the command itself, so that they need not be printed anew when it changes. */
export function completionScript(shell: 'bash' | 'zsh' | 'fish'): string {
  return { bash, zsh, fish }[shell]
}

const bash = `# ferry completion for bash. In ~/.bashrc: source <(ferry completion bash)
_ferry() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(ferry __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _ferry ferry
`

const zsh = `#compdef ferry
# ferry completion for zsh. In ~/.zshrc, after compinit: source <(ferry completion zsh)
_ferry() {
  local -a candidates
  candidates=("\${(@f)$(ferry __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${candidates[*]}" ]]; then compadd -a candidates; else _files; fi
}
compdef _ferry ferry
`

const fish = `# ferry completion for fish. In ~/.config/fish/config.fish: ferry completion fish | source
function __ferry_complete
  set -l words (commandline -opc)
  ferry __complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c ferry -a '(__ferry_complete)'
`
