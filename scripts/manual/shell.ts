import type { CommandDefinition } from "./definition.ts";

/** A word for bash and zsh, in single quotes. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A command and all below it. */
export function withBelow(command: CommandDefinition): CommandDefinition[] {
  return [command, ...command.commands.flatMap(withBelow)];
}

/** The first lines of each script. */
export function heading(shell: string, commands: readonly CommandDefinition[]): string {
  const names = commands.map(({ words }) => words).join(", ");
  return `# Completion for ${shell} of ${names}.
# Generated from the definitions of --help by scripts/manual.ts; do not edit.`;
}
