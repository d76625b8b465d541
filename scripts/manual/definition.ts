import { readdirSync } from "node:fs";
import type { Argument, CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { readDefinitions } from "../../lib/cli.ts";
import { allKeys } from "../../lib/config/definition.ts";

/** What a shell can offer for a value. */
export type Completes =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" | "directory" | "backup" | "nothing" };

export interface ArgumentDefinition {
  readonly name: string;
  readonly description: string;
  readonly isVariadic: boolean;
  readonly completes: Completes;
}

export interface OptionDefinition {
  /** As --help shows them, such as `-j, --jobs <number>`. */
  readonly flags: string;
  /** `-j` and `--jobs`. */
  readonly names: readonly string[];
  /** As --help shows it, with choices and default. */
  readonly description: string;
  readonly isRepeatable: boolean;
  /** Undefined for an option without a value. */
  readonly value: OptionValue | undefined;
}

export interface OptionValue {
  readonly name: string;
  readonly isOptional: boolean;
  readonly completes: Completes;
}

export interface CommandDefinition {
  /** As it is typed, such as `rclone-backups run`. */
  readonly words: string;
  readonly description: string;
  /** What follows the words in the usage line. */
  readonly usage: string;
  readonly arguments: readonly ArgumentDefinition[];
  readonly options: readonly OptionDefinition[];
  readonly commands: readonly CommandDefinition[];
  /** The text of --help behind the options. */
  readonly after: string;
  /** All that --help prints before that text. */
  readonly help: string;
}

const checkout = new URL("../../", import.meta.url);

/** The definitions of all commands of bin/ and exporters/, by name. The command files are loaded, not run. */
export async function readCommands(): Promise<CommandDefinition[]> {
  const found: CommandDefinition[] = [];
  readDefinitions((command) => found.push(define(command)));
  for (const folder of ["bin/", "exporters/"]) {
    const names = readdirSync(new URL(folder, checkout)).filter((name) => name.endsWith(".ts"));
    for (const name of names) await import(new URL(folder + name, checkout).href);
  }
  return found.toSorted((a, b) => (a.words < b.words ? -1 : 1));
}

/** The definition of a commander command and of what is below it. */
export function define(command: CommandUnknownOpts, above?: string): CommandDefinition {
  const words = above === undefined ? command.name() : `${above} ${command.name()}`;
  const help = command.createHelp();
  const whole: string[] = [];
  command.configureOutput({ writeOut: (text) => whole.push(text) });
  command.outputHelp();
  const [before = ""] = whole;
  return {
    words,
    description: command.description(),
    usage: command.usage(),
    arguments: command.registeredArguments.map(defineArgument),
    options: help
      .visibleOptions(command)
      .map((option) => defineOption(option, help.optionDescription(option))),
    commands: help.visibleCommands(command).map((each) => define(each, words)),
    after: whole.slice(1).join(""),
    help: before,
  };
}

function defineArgument(argument: Argument): ArgumentDefinition {
  const name = argument.name();
  return {
    name,
    description: argument.description,
    isVariadic: argument.variadic,
    completes: completes(name, argument.argChoices),
  };
}

function defineOption(option: Option, description: string): OptionDefinition {
  const [, name] = /[<[]([^\]>]+?)(?:\.\.\.)?[\]>]/.exec(option.flags) ?? [];
  return {
    flags: option.flags,
    names: [option.short, option.long].filter((each) => each !== undefined),
    description,
    // That is how the reader of --help is told, too.
    isRepeatable: option.variadic || /\brepeatable\b/.test(option.description),
    value:
      name === undefined
        ? undefined
        : { name, isOptional: option.optional, completes: completes(name, option.argChoices) },
  };
}

/** The names of values, as they stand in flags and usages, and what they mean. */
const kinds: Readonly<Record<string, Completes["kind"]>> = {
  backup: "backup",
  file: "file",
  directory: "directory",
  // A directory, or remote:path.
  place: "directory",
  target: "directory",
};

const keyWords = allKeys.map((key) => `${key.id}=`);

function completes(name: string, choices: readonly string[] | undefined): Completes {
  if (choices !== undefined) return { kind: "words", words: choices };
  if (name === "section.key=value") return { kind: "words", words: keyWords };
  const kind = kinds[name] ?? "nothing";
  return kind === "words" ? { kind: "nothing" } : { kind };
}
