import { readFileSync } from "node:fs";
import {
  InvalidArgumentError,
  Option,
  type Command,
  type CommandUnknownOpts,
  type OptionValues,
} from "@commander-js/extra-typings";
import { exitCodes, Failure, usage, type Outcome } from "./errors.ts";
import { escapeLines } from "./output/escape.ts";
import { openTerminal, type Terminal } from "./output/terminal.ts";
import type { Events } from "./units/events.ts";

/** Stands in every --help. */
export const exitCodesHelp = `
Exit codes:
  0    done
  1    failed
  2    wrong usage or configuration
  3    done in part: some files failed
  4    verification found a difference
  5    refused by a guard; nothing was changed
  75   another run holds the lock, or a condition said skip
  130  interrupted`;

/** Options that every command has. */
export interface CommonOptions {
  /** How often -v was given. */
  readonly verbose: number | true;
  readonly quiet?: true | undefined;
  readonly json?: true | undefined;
  readonly color: "auto" | "always" | "never";
}

/** What a command's action gets of the process. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** Aborted by SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
}

/** What a job may use of this process. */
export function processWorld({ terminal, signal }: CommandContext): ProcessWorld {
  return {
    env: process.env,
    cwd: process.cwd(),
    now: () => new Date(),
    isRoot: process.getuid?.() === 0,
    signal,
    events: terminal,
  };
}

interface ProcessWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly now: () => Date;
  readonly isRoot: boolean;
  readonly signal: AbortSignal;
  readonly events: Events;
}

/** The options that come last in the help of every command on a backup. */
export function withCommonOptions<A extends unknown[], O extends OptionValues>(
  command: Command<A, O>,
) {
  return command
    .option("--set <section.key=value>", "set a key of the configuration; repeatable", collect)
    .option("--config-dir <directory>", "where NAME.conf is looked up")
    .option("--rclone-config <file>", "rclone's configuration file")
    .option("-n, --dry-run", "show what would be done, and change nothing")
    .addOption(new Option("--dryrun").hideHelp().implies({ dryRun: true as const }))
    .option("-v, --verbose", "tell more; repeatable", increase, 0)
    .option("-q, --quiet", "tell errors only")
    .option("--json", "print one JSON document, or NDJSON for lists")
    .addOption(
      new Option("--color <when>")
        .choices(["auto", "always", "never"] as const)
        .default("auto" as const),
    )
    .version(packageVersion());
}

/**
 * Runs a command and is the one place that turns what came of it into an exit code. An action
 * returns its outcome; a Failure it throws is told with its hint.
 */
export async function runCommand(
  name: string,
  options: CommonOptions,
  action: (context: CommandContext) => Promise<Outcome>,
): Promise<void> {
  const terminal = openTerminal({
    command: name,
    verbosity: Number(options.verbose),
    quiet: options.quiet === true,
    color: options.color,
    env: process.env,
  });
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void =>
    stop.abort(new Failure("interrupted", `stopped by ${signal}`));
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  let outcome: Outcome;
  try {
    outcome = await action({ terminal, signal: stop.signal });
  } catch (error) {
    outcome = await tell(terminal, error, options);
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
    terminal.close();
  }
  process.exitCode = exitCodes[outcome];
}

async function tell(terminal: Terminal, error: unknown, options: CommonOptions): Promise<Outcome> {
  const failure = error instanceof Failure ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (options.json === true) {
    const outcome = failure?.outcome ?? "failed";
    const document = {
      version: 1,
      kind: "error",
      outcome,
      exit_code: exitCodes[outcome],
      message,
      hint: failure?.hint ?? null,
    };
    // Where that can't be written, the message below is what is left.
    await terminal.result(`${JSON.stringify(document)}\n`).catch(() => {});
  }
  terminal.problem(failure?.outcome ?? "failed", message);
  if (failure?.hint !== undefined) terminal.hint(failure.hint);
  if (Number(options.verbose) >= 2 && error instanceof Error && error.stack !== undefined)
    terminal.detail(2, error.stack);
  return failure?.outcome ?? "failed";
}

/** Gets the commands in place of the command line; for what is generated from their definitions. */
let reader: ((command: CommandUnknownOpts) => void) | undefined;

/** From now on, each command that would be parsed and run in this process is given to `read` alone. */
export function readDefinitions(read: (command: CommandUnknownOpts) => void): void {
  reader = read;
}

/** Parses the command line and runs what it asks for; a wrong one is told on stderr and exits with 2. */
export function parseCommand(command: CommandUnknownOpts): void {
  if (reader !== undefined) return reader(command);
  void parse(command);
}

async function parse(command: CommandUnknownOpts): Promise<void> {
  const name = command.name();
  // Node ends when nothing is left to wait for, with 0: a run that did not come to its end is no success.
  const unfinished = (): void => {
    process.exitCode = exitCodes.failed;
    process.stderr.write(
      `${name}: error: expected an end of the run, found none: a fault of the program\n${name}: hint: run it again, and report it if it does the same\n`,
    );
  };
  process.once("exit", unfinished);
  for (const each of [command, ...command.commands]) {
    const full = each === command ? name : `${name} ${each.name()}`;
    each.configureOutput({
      outputError: (text, write) =>
        write(
          `${name}: ${escapeLines(withoutValue(text.trimEnd()))}\n${name}: hint: ${full} --help tells more\n`,
        ),
    });
    each.exitOverride();
  }
  // A reader that has seen enough of --help (head, less) is no error.
  process.stdout.on("error", () => {});
  try {
    await command.parseAsync(process.argv);
  } catch (error) {
    // commander has told its message already; --help and --version end here too, with 0.
    if (!(error instanceof Error && "exitCode" in error && typeof error.exitCode === "number"))
      throw error;
    process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  } finally {
    process.off("exit", unfinished);
  }
}

/** An unknown option may be a mistyped one, whose value is a password: only its name is told. */
function withoutValue(text: string): string {
  const [, begin = "", option, end = ""] =
    /^(error: unknown option ')([^]*)('(?:\n\(Did you mean [^\n]*\))?)$/.exec(text) ?? [];
  if (option === undefined) return text;
  return `${begin}${option.startsWith("--") ? option.replace(/=[^]*/, "") : option.slice(0, 2)}${end}`;
}

/** The version of the installed package. */
export function packageVersion(): string {
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      const value: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
      if (
        typeof value === "object" &&
        value !== null &&
        "version" in value &&
        typeof value.version === "string"
      )
        return value.version;
    } catch {
      // Compiled code lies one directory deeper than its source.
    }
  }
  return "unknown";
}

/** Counts -v -v. */
function increase(_value: string, previous: number): number {
  return previous + 1;
}

/** Collects a repeatable option. */
export function collect(
  value: string,
  previous: readonly string[] | true | undefined,
): readonly string[] {
  // An option that may stand without a value is true when it did.
  return [...(previous === true ? [] : (previous ?? [])), value];
}

/** For a command that reads no configuration of a backup: throws usage() where an option names one. */
export function expectNoConfiguration(
  name: string,
  options: {
    readonly set?: unknown;
    readonly configDir?: unknown;
    readonly rcloneConfig?: unknown;
  },
): void {
  for (const given of [options.set, options.configDir, options.rcloneConfig])
    if (given !== undefined)
      throw usage(`expected no configuration, found one named: ${name} reads none`);
}

/** What reads the value of an option that counts: a whole number from `least` to `most`. */
export function wholeNumber(
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): (value: string) => number {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`;
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most)
      throw new InvalidArgumentError(`Expected a whole number ${range}.`);
    return number;
  };
}

/** A whole number, below 0 too, as one of 32 bits. */
export function parseSeed(value: string): number {
  const seed = wholeNumber(0);
  return (value.startsWith("-") ? -seed(value.slice(1)) : seed(value)) | 0;
}
