"""Tab completion: the scripts for bash, zsh and fish, and the words that complete a line."""

import os

from mtlrun.cli.commands import BY_TYPED, COMMANDS, OPTIONS, command_of
from mtlrun.util.errors import RequestError
from mtlrun.util.terminal import say

BASH = """\
_mtlrun() { COMPREPLY=($(COMP_LINE="${COMP_LINE:0:COMP_POINT}" mtlrun -sc query=bash 2> /dev/null)); }
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F _mtlrun mtlrun"""
ZSH = """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_mtlrun() {
  local -a found
  found=(${(f)"$(COMP_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" mtlrun -sc query=zsh 2> /dev/null)"})
  if (( $#found )); then compadd -Q -S '' -- $found; else _files; fi
}
compdef _mtlrun mtlrun"""
FISH = """\
complete -c mtlrun -a '(env COMP_LINE=(commandline -cp | string collect) mtlrun -sc query=fish 2> /dev/null)'"""
INSTALL = {"bash": BASH, "zsh": ZSH, "fish": FISH}
UNINSTALL = {
    "bash": "complete -r mtlrun; unset -f _mtlrun",
    "zsh": "compdef -d mtlrun; unfunction _mtlrun",
    "fish": "complete -c mtlrun -e",
}


def completion(asked: str) -> int:
    """`mtlrun -sc install=SHELL` prints the script for a shell; `query=SHELL` completes the line in $COMP_LINE.

    Returns the exit status. Raises RequestError for another action or shell.
    """
    action, _, shell = asked.partition("=")
    if shell not in INSTALL or action not in ("install", "uninstall", "query"):
        raise RequestError(
            f"--shell-completion: found {asked}\n"
            'allowed: bash: eval "$(mtlrun -sc install=bash)"; zsh: eval "$(mtlrun -sc install=zsh)"; '
            "fish: mtlrun -sc install=fish | source; uninstall=SHELL undoes it"
        )
    if action == "query":
        if found := candidates(os.environ.get("COMP_LINE", "")):
            say("\n".join(found))
    else:
        say(INSTALL[shell] if action == "install" else UNINSTALL[shell])
    return 0


def candidates(line: str) -> list[str]:
    """Returns the words that complete the last word of a line; an empty list if the shell should offer files."""
    *before, word = line.lstrip().split(" ")[1:] or [""]
    before = [each.strip("'\"") for each in before if each]
    quote, word = (word[0], word[1:]) if word[:1] in ("'", '"') else ("", word)
    first = next((each for each in before if each in COMMANDS), "")
    if word.startswith("-"):
        options = [OPTIONS[name] for name in ("help", "version", *command_of(first).options)]
        found = [typed + ("=" if o.example else "") for o in options for typed in o.typed if typed.startswith("--")]
    elif first == "fetch":
        from mtlrun.data.paths import DATASETS

        found = list(DATASETS)
    elif first not in ("", "check"):
        found = []
    else:
        from mtlrun.compose.candidates import overrides_like

        overrides = [each for each in before if each not in COMMANDS and each not in BY_TYPED]
        found = overrides_like(word, overrides)
        found += [] if before else list(COMMANDS)
    return sorted({quote + each for each in found if each.startswith(word)})
