#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { Command, Option } from "@commander-js/extra-typings";
import {
  collect,
  exitCodesHelp,
  packageVersion,
  parseCommand,
  processWorld,
  runCommand,
  wholeNumber,
  withCommonOptions,
  type CommandContext,
  type CommonOptions,
} from "../lib/cli.ts";
import { completionCommand } from "../lib/commands/completion.ts";
import { initCommand } from "../lib/commands/init.ts";
import { validateCommand } from "../lib/commands/validate.ts";
import { usage, type Outcome } from "../lib/errors.ts";

const name = "rclone-backups";

const program = new Command(name)
  .description("All backups of this machine: one command each for what concerns them together.")
  .usage("<command> [options]")
  .version(packageVersion())
  .helpCommand(false)
  .addHelpText(
    "after",
    `
Examples:
  rclone-backups status                    how every backup is
  rclone-backups init                      make one; it asks for everything
  rclone-backups validate                  whether all they name is there
  rclone-backups status --help             the options of a command
${exitCodesHelp}`,
  );

/** Wires an action of a subcommand: what it returns is the exit code. */
function act<O extends CommonOptions>(
  action: (names: string[], options: O, context: CommandContext) => Promise<Outcome>,
): (names: string[], options: O) => Promise<void> {
  return (names, options) =>
    runCommand(name, options, (context) => action(names, options, context));
}

// ---- run

const run = withCommonOptions(
  new Command("run")
    .description(
      "Run all backups, or those that are due, several at once; then read back what the day's budget allows, and tell who wants to know.",
    )
    .argument("[backup...]", "names or configuration files; without any, all that are due")
    .option("--due", "only those that have a schedule and whose time has come")
    .option("--all", "those too whose time has not come")
    .option("-j, --jobs <number>", "how many at once (setting JOBS, else 4)", wholeNumber(1, 100))
    .option("--no-verify", "read nothing back"),
).addHelpText(
  "after",
  `
A backup without [schedule] cron runs every time, one with it when its time has come; a time that was
missed is caught up once. A night in which all went well prints nothing. It exits with the first
that occurred of 130, 2, 1, 4, 5, 3 and 75.

Examples:
  rclone-backups run                       what cron or a timer calls once a day
  rclone-backups run --due                 what a timer calls every quarter of an hour
  rclone-backups run -v home photos        these two now, and how they went`,
);
type RunOptions = ReturnType<typeof run.opts>;
program.addCommand(run.action(act(runAll)));

async function runAll(
  names: readonly string[],
  options: RunOptions,
  context: CommandContext,
): Promise<Outcome> {
  if (options.all === true && (options.due === true || names.length > 0))
    throw usage("expected --all by itself, found it with --due or names");
  const { terminal } = context;
  const [{ nightly }, { spawning }, { openNotifier }, report] = await Promise.all([
    import("../lib/jobs/nightly.ts"),
    import("../lib/jobs/nightly/child.ts"),
    import("../lib/service/notify.ts"),
    import("../lib/output/nightreport.ts"),
  ]);
  const notifier = openNotifier(process.env);
  await notifier.ready("starting");
  const verbosity = Number(options.verbose);
  const night = await nightly(
    {
      names,
      configDir: options.configDir,
      set: list(options.set),
      rcloneConfig: options.rcloneConfig,
      all: options.all === true,
      due: options.due === true,
      jobs: options.jobs,
      dryRun: options.dryRun === true,
      verify: options.verify,
      passed: [
        ...Array.from({ length: verbosity }, () => "-v"),
        ...(options.quiet === true ? ["-q"] : []),
      ],
      start: spawning(besideThis("rclone-backup")),
      onLine: (from, line) => terminal.relay(from, line),
      onResult: (from, line) => terminal.result(`${from}: ${line}\n`),
      onStatus: notifier.status,
      onWait: (text) => {
        notifier.status(text);
        // Whoever sits before it wants to know why nothing happens.
        if (process.stderr.isTTY && options.quiet !== true) terminal.relay(name, text);
        else terminal.detail(1, text);
      },
    },
    processWorld(context),
  );
  notifier.status(report.nightStatus(night));
  await notifier.close();
  if (options.json === true) await terminal.result(`${JSON.stringify(report.nightJson(night))}\n`);
  else if (
    options.quiet !== true &&
    !night.dryRun &&
    (verbosity > 0 ||
      !(night.outcome === "done" || (options.due === true && report.tellsNothingNew(night))))
  )
    await terminal.result(report.nightText(night));
  if (night.message !== undefined) terminal.problem(night.outcome, night.message);
  if (night.hint !== undefined) terminal.hint(night.hint);
  return night.outcome;
}

/** The words that start another command of the suite, which is installed beside this one. */
function besideThis(command: string): string[] {
  const own = new URL(import.meta.url);
  const file = new URL(`${command}${/\.[a-z]+$/.exec(own.pathname)?.[0] ?? ".js"}`, own);
  return [process.execPath, ...process.execArgv, fileURLToPath(file)];
}

// ---- status

const status = withCommonOptions(
  new Command("status")
    .description("Tell how backups are: last and next run, sizes, verified share, guards.")
    .argument("[backup...]", "names or configuration files; without any, all backups in short")
    .option("--prometheus <file>", "write metrics for the textfile collector; - is stdout")
    .option("--html [file]", "write a page with charts; without a file to stdout")
    .option("--time-zone <zone>", "of the times that are shown, such as Europe/Berlin"),
).addHelpText(
  "after",
  `
It starts no rclone, locks nothing, and changes nothing. For monitors, it exits
with the first of 2, 1, 4, 5, 3 and 75 that a backup asks for:
  0    every backup is good, or good with warnings
  1    one failed, was killed, is overdue or never ran
  2    a configuration can't be loaded, or wrong usage
  3    some files of one failed, or its deletions are held back
  4    differences that a verification found are open
  5    a guard refused one
  75   one is paused after a roll-back

Examples:
  rclone-backups status                    a line a backup
  rclone-backups status home               all about one
  rclone-backups status --html status.html a page with charts`,
);
type StatusOptions = ReturnType<typeof status.opts>;
program.addCommand(status.action(act(tellStatus)));

async function tellStatus(
  names: readonly string[],
  options: StatusOptions,
  context: CommandContext,
): Promise<Outcome> {
  const { terminal } = context;
  const { suiteStatus } = await import("../lib/jobs/status.ts");
  const { html, prometheus, json } = options;
  const isDetailed = names.length > 0 || Number(options.verbose) > 0;
  const found = await suiteStatus(
    {
      names,
      configDir: options.configDir,
      set: options.set ?? [],
      runs: json === true || html !== undefined || isDetailed ? 60 : 10,
    },
    processWorld(context),
  );
  if (prometheus !== undefined) {
    const { statusPrometheus } = await import("../lib/output/statusprometheus.ts");
    // Another user collects it, and nothing secret is in it.
    await put(statusPrometheus(found), prometheus, 0o644, context);
  }
  if (html !== undefined) {
    const { statusPage } = await import("../lib/output/statushtml.ts");
    await put(statusPage(found), html === true ? "-" : html, 0o600, context);
  }
  if (json === true) {
    const { statusJson } = await import("../lib/output/statusjson.ts");
    await terminal.result(`${JSON.stringify(statusJson(found))}\n`);
  } else if (prometheus === undefined && html === undefined) {
    const { timeZone } = await import("../lib/units/moment.ts");
    const zone = timeZone(options.timeZone);
    if (isDetailed) {
      const { statusDetails } = await import("../lib/output/statusdetail.ts");
      await terminal.result(statusDetails(found, zone, terminal.resultLook));
    } else {
      const { statusTable } = await import("../lib/output/statustext.ts");
      await terminal.result(statusTable(found, terminal.resultLook));
    }
  }
  return found.outcome;
}

/** Writes a document to a file, whole or not at all, or to stdout for `-`. */
async function put(
  text: string,
  file: string,
  mode: number,
  { terminal, signal }: CommandContext,
): Promise<void> {
  if (file === "-") return terminal.result(text);
  const { writeTarget } = await import("../lib/state/target.ts");
  return writeTarget(file, text, mode, signal);
}

// ---- units

const units = withCommonOptions(
  new Command("units")
    .description(
      "Write what starts the nightly run: units of systemd, a job of cron, or launchd's.",
    )
    .addOption(new Option("--systemd", "a service and a timer").conflicts(["cron", "launchd"]))
    .addOption(new Option("--cron", "a script in cron.daily").conflicts("launchd"))
    .option("--launchd", "property lists of macOS")
    .option("--to <directory>", "write below this directory, as if it were /")
    .option("--at <time>", "when the daily run starts, such as 03:00")
    .option("--user <name>", "run as this user, who gets the right to read every file")
    .option("--read-only-source", "let no special-files.tar.gz be written into sources")
    .option("--writable <directory>", "let hooks write there too; repeatable", collect)
    .option("--rclone-password <file>", "hand over the password of rclone's configuration")
    .option("--credential <name:file>", "hand over another secret file; repeatable", collect)
    .option("--log <file>", "append output to a file, which logrotate keeps small")
    .option("--force", "replace files that were edited or that something else wrote"),
).addHelpText(
  "after",
  `
Root gets units of the machine, another user gets units of their own. What the
service may write to comes from the configurations: call it again when they
change. -n shows the files.

Examples:
  rclone-backups units --systemd           and what to type next
  rclone-backups units --systemd --at 01:30 --writable /var/backups
  rclone-backups units --cron -n           show what would be written`,
);
type UnitsOptions = ReturnType<typeof units.opts>;
program.addCommand(
  units.action((options) => runCommand(name, options, (context) => writeUnits(options, context))),
);

async function writeUnits(options: UnitsOptions, context: CommandContext): Promise<Outcome> {
  const kinds = (["systemd", "cron", "launchd"] as const).filter((kind) => options[kind] === true);
  const [kind] = kinds;
  if (kind === undefined)
    throw usage("expected --systemd, --cron or --launchd, found none of them");
  const { makeUnits } = await import("../lib/jobs/units.ts");
  const result = await makeUnits(
    {
      ...options,
      kind,
      started: { node: process.execPath, script: process.argv[1] ?? "" },
      dryRun: options.dryRun === true,
      force: options.force === true,
      readOnlySource: options.readOnlySource === true,
      writable: list(options.writable),
      credentials: list(options.credential),
    },
    processWorld(context),
  );
  const { unitsJson, unitsText } = await import("../lib/output/unitsreport.ts");
  await context.terminal.result(
    options.json === true ? `${JSON.stringify(unitsJson(result))}\n` : unitsText(result),
  );
  return "done";
}

/** Of a repeatable option. */
function list(values: readonly string[] | true | undefined): readonly string[] {
  return values === true ? [] : (values ?? []);
}

program.addCommand(initCommand(name));
program.addCommand(validateCommand(name));
program.addCommand(completionCommand(name));

parseCommand(program);
