import type { CommandDefinition, Completes, OptionValue } from "./definition.ts";
import { heading, quoted, withBelow } from "./shell.ts";

/** The completion script of all commands, for bash 3.2 and newer; it needs no other package. */
export function renderBash(commands: readonly CommandDefinition[]): string {
  const all = commands.flatMap(withBelow);
  return [
    heading("bash", commands),
    namesFunction,
    defineFunction(all),
    takesFunction(all),
    offerFunction,
    completeFunction,
    `complete -F _rclone_backups ${commands.map(({ words }) => words).join(" ")}\n`,
  ].join("\n\n");
}

const namesFunction = `# The names of the backups, a line each; $1 is --config-dir as it was typed.
__rclone_backups_names() {
  local directory file typed=\${1//[\\\\\\'\\"]/}
  [[ $typed == '~/'* ]] && typed=$HOME/\${typed:2}
  for directory in "$typed" "\${RCLONE_BACKUPS_DIR-}" /etc/rclone-backups "\${HOME:+$HOME/.config/rclone-backups}"; do
    [[ -n $directory ]] || continue
    for file in "$directory"/*.conf; do
      [[ -f $file ]] || continue
      file=\${file##*/}
      printf '%s\\n' "\${file%.conf}"
    done
  done
}`;

function defineFunction(all: readonly CommandDefinition[]): string {
  return `# What the command $1 takes: options, commands, and the kinds of its arguments, of which the last
# holds for all that follow if it is variadic.
__rclone_backups_define() {
  variadic=''
  case $1 in
${all.map(renderCommand).join("\n")}
    *) return 1 ;;
  esac
}`;
}

function renderCommand(command: CommandDefinition): string {
  const options = command.options.flatMap(({ names }) => names);
  const below = command.commands.map(({ words }) => words.split(" ").at(-1) ?? "");
  const kinds = command.arguments.map(({ completes }) => quoted(kindOf(completes)));
  const lines = [
    `options=${quoted(options.join(" "))}`,
    `commands=${quoted(below.join(" "))}`,
    `arguments=(${kinds.join(" ")})`,
    ...(command.arguments.at(-1)?.isVariadic === true ? ["variadic=yes"] : []),
  ];
  return `    ${quoted(command.words)})\n${lines.map((line) => `      ${line}\n`).join("")}      ;;`;
}

/** A kind, or words after "=". */
function kindOf(completes: Completes): string {
  return completes.kind === "words" ? `=${completes.words.join(" ")}` : completes.kind;
}

function takesFunction(all: readonly CommandDefinition[]): string {
  const options = all.flatMap(({ words, options: own }) =>
    own.flatMap(({ names, value }) =>
      value === undefined
        ? []
        : names.map((name) => ({ pattern: quoted(`${words} ${name}`), takes: takesOf(value) })),
    ),
  );
  const cases = [...new Set(options.map(({ takes }) => takes))].map((takes) => {
    const same = options.filter((option) => option.takes === takes);
    const patterns = same.map(({ pattern }) => pattern).join(" | \\\n      ");
    return `    ${patterns})\n      takes=${quoted(takes)}\n      ;;`;
  });
  return `# What the option $2 of the command $1 takes: a kind behind ! or, where it may stand alone, behind ?.
__rclone_backups_takes() {
  takes=''
  case "$1 $2" in
${cases.join("\n")}
  esac
}`;
}

function takesOf({ isOptional, completes }: OptionValue): string {
  return `${isOptional ? "?" : "!"}${kindOf(completes)}`;
}

const offerFunction = `# Adds what is of the kind $1 and begins with $2 to COMPREPLY.
__rclone_backups_offer() {
  local each action=-f IFS=$'\\n'
  case $1 in
    file | directory)
      [[ $1 == directory ]] && action=-d
      for each in $(compgen $action -- "$2"); do COMPREPLY+=("$each"); done
      compopt -o filenames 2>/dev/null
      ;;
    backup)
      # A name, or the path of a configuration.
      case $2 in
        */* | '~'* | .*) __rclone_backups_offer file "$2" ;;
        *)
          while read -r each; do
            printf -v each %q "$each"
            [[ $each == "$2"* ]] && COMPREPLY+=("$each")
          done < <(__rclone_backups_names "$config_dir")
          ;;
      esac
      ;;
    =*)
      IFS=' '
      for each in \${1#=}; do [[ $each == "$2"* ]] && COMPREPLY+=("$each"); done
      # A key waits for its value.
      [[ \${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
      ;;
  esac
  return 0
}`;

const completeFunction = `_rclone_backups() {
  COMPREPLY=()
  # The words as the command gets them: readline splits them at = and : too.
  local at word words=("\${COMP_WORDS[0]##*/}") rest=\${COMP_LINE#*"\${COMP_WORDS[0]}"}
  for ((at = 1; at <= COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    if [[ -n $rest && $rest != [[:space:]]* ]]; then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
      rest=\${rest#"\${rest%%[![:space:]]*}"}
    fi
    rest=\${rest#"$word"}
  done

  local options commands arguments variadic takes kind='' config_dir='' no_more=''
  local name=\${words[0]} last=$((\${#words[@]} - 1)) position=0
  __rclone_backups_define "$name" || return 0
  for ((at = 1; at < last; at++)); do
    word=\${words[at]}
    if [[ -z $no_more && $word == -- ]]; then
      no_more=yes
    elif [[ -z $no_more && $word == --*=* ]]; then
      [[ $word == --config-dir=* ]] && config_dir=\${word#*=}
    elif [[ -z $no_more && $word == -* ]]; then
      __rclone_backups_takes "$name" "$word"
      [[ -n $takes ]] || continue
      [[ $takes == '?'* && \${words[at + 1]} == -* ]] && continue
      at=$((at + 1))
      [[ at -eq last ]] && kind=\${takes:1}
      [[ at -lt last && $word == --config-dir ]] && config_dir=\${words[at]}
    elif [[ -n $commands ]]; then
      name="$name $word"
      __rclone_backups_define "$name" || return 0
    else
      position=$((position + 1))
    fi
  done

  local value=\${words[last]}
  if [[ -n $kind ]]; then
    :
  elif [[ -z $no_more && $value == --*=* ]]; then
    __rclone_backups_takes "$name" "\${value%%=*}"
    kind=\${takes:1}
    value=\${value#*=}
  elif [[ -z $no_more && $value == -* ]]; then
    kind="=$options"
  elif [[ -n $commands ]]; then
    kind="=$commands"
  elif [[ position -lt \${#arguments[@]} ]]; then
    kind=\${arguments[position]}
  elif [[ -n $variadic ]]; then
    kind=\${arguments[\${#arguments[@]} - 1]}
  fi
  __rclone_backups_offer "$kind" "$value"

  # Only what stands behind the last = or : is replaced.
  local typed=\${COMP_WORDS[COMP_CWORD]}
  [[ $typed == [=:]* ]] && typed=\${typed#"\${typed%%[!=:]*}"}
  local kept=\${value%"$typed"}
  for at in "\${!COMPREPLY[@]}"; do COMPREPLY[at]=\${COMPREPLY[at]#"$kept"}; done
}`;
