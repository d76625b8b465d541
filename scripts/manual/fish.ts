import type { CommandDefinition, Completes, OptionDefinition } from "./definition.ts";
import { heading } from "./shell.ts";

/** The completions of all commands for fish. */
export function renderFish(commands: readonly CommandDefinition[]): string {
  const parts = commands.map((command) => renderCommand(command).join("\n"));
  return `${[heading("fish", commands), functions, ...parts].join("\n\n")}\n`;
}

const functions = `# Whether the command of the suite's program is this one; without one, whether none was typed yet.
function __rclone_backups_command
    set -l words (commandline -opc)
    test "$words[2]" = "$argv"
end

# The names of the backups, or configuration files.
function __rclone_backups_names
    set -l token (commandline -ct)
    if string match -qr '/|^[~.]' -- $token
        __fish_complete_path $token
        return
    end
    set -l directories
    set -l words (commandline -opc)
    for at in (seq (count $words))
        switch $words[$at]
            case --config-dir
                set -a directories $words[(math $at + 1)]
            case '--config-dir=*'
                set -a directories (string replace -- --config-dir= '' $words[$at])
        end
    end
    for directory in (string replace -r '^~/' $HOME/ -- $directories) $RCLONE_BACKUPS_DIR /etc/rclone-backups $HOME/.config/rclone-backups
        for file in $directory/*.conf
            test -f $file; and string replace -r '^.*/(.*)\\.conf$' '$1' -- $file
        end
    end
end`;

function renderCommand(command: CommandDefinition): string[] {
  const [program = "", ...below] = command.words.split(" ");
  const isLeaf = command.commands.length === 0;
  const condition =
    below.length > 0
      ? ` -n ${quoted(`__rclone_backups_command ${below.join(" ")}`)}`
      : isLeaf
        ? ""
        : " -n __rclone_backups_command";
  const start = `complete -c ${program}${condition}`;
  return [
    ...(below.length > 0 ? [] : [`complete -c ${program} -f`]),
    ...command.commands.map(
      (each) =>
        `${start} -a ${quoted(each.words.split(" ").at(-1) ?? "")} -d ${quoted(each.description)}`,
    ),
    ...command.options.map((option) => `${start}${renderOption(option)}`),
    ...command.arguments
      .map(({ completes }) => valuesOf(completes))
      .filter((values) => values !== "")
      .map((values) => `${start}${values}`),
    ...command.commands.flatMap(renderCommand),
  ];
}

function renderOption({ names, description, value }: OptionDefinition): string {
  const flags = names.map((name) =>
    name.startsWith("--") ? ` -l ${name.slice(2)}` : ` -s ${name.slice(1)}`,
  );
  const text = description === "" ? "" : ` -d ${quoted(description)}`;
  if (value === undefined) return `${flags.join("")}${text}`;
  return `${flags.join("")}${text} -r${valuesOf(value.completes)}`;
}

function valuesOf(completes: Completes): string {
  switch (completes.kind) {
    case "words":
      return ` -f -a ${quoted(completes.words.join(" "))}`;
    case "file":
      return " -F";
    case "directory":
      return " -f -a '(__fish_complete_directories)'";
    case "backup":
      return " -f -a '(__rclone_backups_names)'";
    case "nothing":
      return "";
  }
}

/** A word for fish, in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
