import { exitCodesHelp } from "../../lib/cli.ts";
import { allSettings } from "../../lib/suite/settingkeys.ts";
import type { CommandDefinition, OptionDefinition } from "./definition.ts";
import { readHelpText, type Block, type Entry } from "./helptext.ts";
import { bold, entry, italic, paragraph, plain, section, title, withValues } from "./roff.ts";

/** What a page tells that is not of the command itself. */
export interface Surroundings {
  readonly version: string;
  /** The names of all pages. */
  readonly pages: readonly string[];
}

/** The name of a command's page, as `man` is given it. */
export function pageName({ words }: CommandDefinition): string {
  return words.replaceAll(" ", "-");
}

/** A command's page, as roff. */
export function renderPage(command: CommandDefinition, { version, pages }: Surroundings): string {
  const name = pageName(command);
  const help = readHelpText(command.after);
  const status =
    help.exitStatus.length > 0 ? help.exitStatus : readHelpText(exitCodesHelp).exitStatus;
  const lines = [
    '.\\" Generated from the definition of --help by scripts/manual.ts; do not edit.',
    title(name, version),
    ...section("NAME", [`${plain(name)} \\- ${plain(summary(command.description))}`]),
    ...section("SYNOPSIS", [`${bold(command.words)} ${withValues(command.usage)}`]),
    ...section("DESCRIPTION", [
      plain(command.description),
      ...command.arguments.flatMap((each) => entry(italic(each.name), plain(each.description))),
      ...help.description.flatMap(renderBlock),
    ]),
    ...section("COMMANDS", command.commands.flatMap(renderCommand)),
    ...section("OPTIONS", command.options.flatMap(renderOption)),
    ...section("EXIT STATUS", status.flatMap(renderBlock)),
    ...section("EXAMPLES", help.examples.flatMap(renderEntry)),
    ...section("FILES", readsBackups(command) ? filesEntries : []),
    ...section("ENVIRONMENT", renderEnvironment(command)),
    ...section("SEE ALSO", [seeAlso(pages.filter((page) => page !== name))]),
  ];
  return `${lines.join("\n")}\n`;
}

/** The first sentence, as whatis(1) shows it. */
function summary(description: string): string {
  const [first = ""] = description.split(/\.(?:\s|$)/);
  return first.charAt(0).toLowerCase() + first.slice(1);
}

function renderBlock({ text, entries }: Block): string[] {
  // The heading says it.
  const isHeading = text === "Exit codes:";
  return [
    ...(text === "" || isHeading ? [] : paragraph(plain(text))),
    ...entries.flatMap(renderEntry),
  ];
}

function renderEntry({ term, text }: Entry): string[] {
  return entry(bold(term), plain(text));
}

function renderCommand(command: CommandDefinition): string[] {
  const more = `See ${reference(pageName(command))}.`;
  return entry(bold(command.words), `${plain(command.description)} ${more}`);
}

function renderOption({ names, value, description }: OptionDefinition): string[] {
  const flags = names.map(bold).join(", ");
  if (value === undefined) return entry(flags, plain(description));
  const shown = value.isOptional ? `[${italic(value.name)}]` : italic(value.name);
  return entry(`${flags} ${shown}`, plain(description));
}

function reference(page: string): string {
  return `${bold(page)}(1)`;
}

function seeAlso(pages: readonly string[]): string {
  return [...pages, "rclone"].toSorted().map(reference).join(", ");
}

const files: readonly (readonly [string, string])[] = [
  [
    "/etc/rclone-backups/NAME.conf, ~/.config/rclone-backups/NAME.conf",
    "The configuration of the backup NAME.",
  ],
  ["/etc/default/rclone-backups", "Settings of all backups together."],
  [
    "/var/lib/rclone-backups, ~/.local/state/rclone-backups",
    "What is kept between runs, of root and of other users.",
  ],
];

const filesEntries = files.flatMap(([term, text]) => entry(italic(term), plain(text)));

const environment: readonly (readonly [string, string])[] = [
  [
    "RCLONE_BACKUPS_DIR",
    "A directory of configurations; it comes before the others and after --config-dir.",
  ],
  ["RCLONE_BACKUPS_STATE", "The directory of what is kept between runs."],
  ["RCLONE_BACKUPS_DEFAULTS", "The file that is read in place of /etc/default/rclone-backups."],
  [
    "RCLONE_BACKUPS_SECTION_KEY",
    "Overrides a key of a configuration: RCLONE_BACKUPS_RCLONE_TRANSFERS is transfers in [rclone].",
  ],
  ["NO_COLOR", "Without colors, unless --color says otherwise."],
];

/** Whether the command, or one below it, takes configurations. */
function readsBackups({ options, commands }: CommandDefinition): boolean {
  return options.some(({ names }) => names.includes("--config-dir")) || commands.some(readsBackups);
}

function renderEnvironment(command: CommandDefinition): string[] {
  if (!readsBackups(command)) return [];
  const { commands } = command;
  const common = environment.flatMap(([term, text]) => entry(bold(term), plain(text)));
  if (commands.length === 0) return common;
  const settings = allSettings.flatMap(({ name, summary: text }) => entry(bold(name), plain(text)));
  const both = paragraph("These stand in the environment or in /etc/default/rclone\\-backups:");
  return [...common, ...both, ...settings];
}
