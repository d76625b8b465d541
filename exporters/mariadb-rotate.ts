#!/usr/bin/env node
import { Command } from "@commander-js/extra-typings";
import {
  exitCodesHelp,
  expectNoConfiguration,
  parseCommand,
  processWorld,
  runCommand,
  withCommonOptions,
  type CommandContext,
} from "../lib/cli.ts";
import { usage, type Outcome } from "../lib/errors.ts";

const name = "mariadb-rotate";

const command = withCommonOptions(
  new Command(name)
    .description(
      "Physical backups of a MariaDB server with mariadb-backup: full and incremental by rule, each prepared from a copy before it counts, old ones removed by rule.",
    )
    .option("--to <directory>", "where the backups are; with --restore: the data directory to make")
    .option("--defaults-file <file>", "option file for mariadb-backup, where the password stands")
    .option("--incrementals <n>", "incremental backups between two full ones", "45")
    .option("--fulls <n>", "full backups that are kept, with their incremental ones", "2")
    .option("--test <when>", "prepare a copy: each, full, never, or a number: each so many", "each")
    .option("--full", "make a full backup now, as after the server was restored")
    .option("--program <program>", "mariadb-backup to use instead of the one on the PATH")
    .option("--allow-clock", "go on, this once, though the clock can't be believed")
    .option("--restore <time>", "make a data directory as of a time (UTC), or of a backup's name")
    .option("--list", "list the backups")
    .option("--from <directory>", "with --restore and --list: where the backups are"),
)
  .addHelpText(
    "after",
    `
Examples:
  mariadb-rotate --to /srv/backup/mariadb
  mariadb-rotate --list --from /srv/backup/mariadb
  mariadb-rotate --restore '2026-11-21 12:00' --from /srv/backup/mariadb --to /var/lib/mysql
${exitCodesHelp}`,
  )
  .action((options) => runCommand(name, options, async (context) => act(options, context)));

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(options: Options, context: CommandContext): Promise<Outcome> {
  expectNoConfiguration(name, options);
  if (options.restore !== undefined && options.list === true)
    throw usage("expected one of --restore and --list, found both");
  if (options.restore !== undefined) return restore(options, options.restore, context);
  return options.list === true ? list(options, context) : rotate(options, context);
}

async function rotate(options: Options, context: CommandContext): Promise<Outcome> {
  const [job, { parseTestRule }, report] = await Promise.all([
    import("../lib/jobs/rotate.ts"),
    import("../lib/physical/testrule.ts"),
    import("../lib/output/rotatereport.ts"),
  ]);
  if (options.from !== undefined)
    throw usage("expected --from with --restore or --list, found it alone", {
      hint: "--to names the directory that a backup is made in",
    });
  const { terminal } = context;
  const result = await job.rotate(
    {
      directory: needed(options.to, "--to DIRECTORY"),
      rules: {
        incrementals: count("--incrementals", options.incrementals, 0),
        fulls: count("--fulls", options.fulls, 1),
      },
      test: parseTestRule(options.test),
      full: options.full === true,
      program: options.program,
      defaultsFile: options.defaultsFile,
      allowClock: options.allowClock === true,
      dryRun: options.dryRun === true,
    },
    processWorld(context),
  );
  if (options.json === true)
    await terminal.result(`${JSON.stringify(report.rotateJson(result))}\n`);
  else if (result.dryRun) await terminal.result(report.rotatePlanText(result));
  else terminal.detail(1, report.rotateText(result));
  return result.outcome;
}

async function restore(options: Options, at: string, context: CommandContext): Promise<Outcome> {
  const [{ restoreRotation }, report] = await Promise.all([
    import("../lib/jobs/rotate/restore.ts"),
    import("../lib/output/rotatereport.ts"),
  ]);
  const { terminal } = context;
  const result = await restoreRotation(
    {
      directory: needed(options.from, "--from DIRECTORY"),
      at,
      target: needed(options.to, "--to DIRECTORY"),
      program: options.program,
      defaultsFile: options.defaultsFile,
      dryRun: options.dryRun === true,
    },
    processWorld(context),
  );
  if (options.json === true)
    await terminal.result(`${JSON.stringify(report.restoreJson(result))}\n`);
  else if (result.dryRun) await terminal.result(report.restoreText(result));
  else terminal.detail(1, report.restoreText(result).trimEnd());
  return result.outcome;
}

async function list(options: Options, context: CommandContext): Promise<Outcome> {
  const [{ listRotation }, report] = await Promise.all([
    import("../lib/jobs/rotate/list.ts"),
    import("../lib/output/rotatereport.ts"),
  ]);
  const { directory, chains } = await listRotation(
    needed(options.from, "--from DIRECTORY"),
    processWorld(context),
  );
  await context.terminal.result(
    options.json === true
      ? `${JSON.stringify(report.listJson(directory, chains))}\n`
      : report.backupLines(chains),
  );
  return "done";
}

function needed(value: string | undefined, what: string): string {
  if (value !== undefined && value !== "") return value;
  throw usage(`expected ${what}, found none`);
}

function count(option: string, text: string, least: number): number {
  const number = Number(text);
  if (/^\d{1,5}$/.test(text) && number >= least) return number;
  throw usage(`${option}: expected a number from ${least} to 99999, found ${JSON.stringify(text)}`);
}
