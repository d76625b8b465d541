import type {
  ArgumentDefinition,
  CommandDefinition,
  Completes,
  OptionDefinition,
} from "./definition.ts";
import { heading, quoted } from "./shell.ts";

/** The completion function of all commands for zsh: a file of $fpath, or to be sourced. */
export function renderZsh(commands: readonly CommandDefinition[]): string {
  const names = commands.map(({ words }) => words).join(" ");
  return [
    `#compdef ${names}`,
    heading("zsh", commands),
    namesFunction,
    ...commands.map((command) => renderFunction(command)),
    `if [[ $funcstack[1] == _rclone-backups ]]; then
  _rclone_backups_of_$service "$@"
else
${commands.map(({ words }) => `  compdef ${functionName(words)} ${words}\n`).join("")}fi
`,
  ].join("\n\n");
}

const namesFunction = `# The names of the backups, or configuration files.
_rclone_backups_names() {
  local typed=\${(Q)opt_args[--config-dir]-} directory
  typed=\${typed/#\\~\\//$HOME/}
  local -a names
  for directory in $typed $RCLONE_BACKUPS_DIR /etc/rclone-backups \${HOME:+$HOME/.config/rclone-backups}; do
    names+=($directory/*.conf(N-.:t:r))
  done
  case $PREFIX in
    */* | \\~* | .*) _files ;;
    *) _wanted backups expl backup compadd -a - names ;;
  esac
}

# Words that wait for a value behind them.
_rclone_backups_keys() {
  _wanted keys expl key compadd -S '' - "$@"
}`;

function renderFunction(command: CommandDefinition): string {
  const below = command.commands.flatMap((each) => ["", renderFunction(each)]);
  const specs = command.options.flatMap(renderOption);
  const name = functionName(command.words);
  if (command.commands.length === 0) {
    return [
      `${name}() {`,
      "  local -A opt_args",
      "  local expl",
      call("_arguments -s -S", [...specs, ...command.arguments.map(renderArgument)]),
      "}",
    ].join("\n");
  }
  const described = command.commands.map((each) =>
    quoted(`${lastWord(each)}:${each.description.replaceAll(/[\\:]/g, "\\$&")}`),
  );
  return [
    `${name}() {`,
    "  local -A opt_args",
    "  local -a line commands",
    "  local state curcontext=$curcontext",
    call("_arguments -C", [
      ...specs,
      quoted("1:command:->command"),
      quoted("*::argument:->argument"),
    ]),
    "  case $state in",
    "    command)",
    `      commands=(\n${described.map((each) => `        ${each}\n`).join("")}      )`,
    "      _describe -t commands command commands",
    "      ;;",
    "    argument)",
    `      (( $+functions[${name}_$line[1]] )) && ${name}_$line[1]`,
    "      ;;",
    "  esac",
    "}",
    ...below,
  ].join("\n");
}

function functionName(words: string): string {
  return `_rclone_backups_of_${words.replaceAll(" ", "_")}`;
}

function call(head: string, specs: readonly string[]): string {
  return `  ${[head, ...specs].join(" \\\n    ")}`;
}

function lastWord({ words }: CommandDefinition): string {
  return words.split(" ").at(-1) ?? "";
}

/** A spec of _arguments for each name. */
function renderOption(option: OptionDefinition): string[] {
  const { names, value, isRepeatable } = option;
  const once = isRepeatable ? "*" : names.length > 1 ? `(${names.join(" ")})` : "";
  const explanation = `[${option.description.replaceAll(/[\\[\]]/g, "\\$&")}]`;
  return names.map((name) => {
    if (value === undefined) return quoted(`${once}${name}${explanation}`);
    const joint = name.startsWith("--") ? "=" : "+";
    const optional = value.isOptional ? "::" : ":";
    const action = actionOf(value.completes);
    return quoted(
      `${once}${name}${joint}${explanation}${optional}${message(value.name)}:${action}`,
    );
  });
}

function renderArgument({ name, isVariadic, completes }: ArgumentDefinition): string {
  // The message of a single space would keep options from being inserted in its place.
  const action = completes.kind === "nothing" ? "()" : actionOf(completes);
  return quoted(`${isVariadic ? "*" : ""}:${message(name)}:${action}`);
}

function message(text: string): string {
  return text.replaceAll(/[\\:]/g, "\\$&");
}

function actionOf(completes: Completes): string {
  switch (completes.kind) {
    case "words": {
      const words = completes.words.join(" ");
      return words.endsWith("=") ? `{_rclone_backups_keys ${words}}` : `(${words})`;
    }
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "backup":
      return "_rclone_backups_names";
    case "nothing":
      return " ";
  }
}
