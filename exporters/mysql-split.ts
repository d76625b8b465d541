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
import type { BringDump } from "../lib/jobs/split.ts";

const name = "mysql-split";

const command = withCommonOptions(
  new Command(name)
    .description(
      "Split a dump of mysqldump or mariadb-dump into files of which only those change whose tables or rows changed: cat * is the dump.",
    )
    .argument(
      "[file...]",
      "the dump, standard input unless given; with --dump, options of the dump program behind --",
    )
    .option("--to <directory>", "where the files go: a directory of their own")
    .option("--dump [database...]", "make the dump too: of these databases")
    .option("--all-databases", "with --dump: of all databases")
    .option("--defaults-file <file>", "with --dump: option file with host, user and password")
    .option(
      "--program <program>",
      "with --dump: the dump program; the one on the PATH unless given",
    )
    .option("--chunk-size <size>", "of the files that a large table is cut into", "8M")
    .option("--replace", "take the place of a dump of something else, such as another database"),
)
  .addHelpText(
    "after",
    `
A dump without its last line ("-- Dump completed") leaves the files as they were.

Examples:
  mysql-split --dump shop --defaults-file /root/backup.cnf --to /srv/dump/shop
  mysql-split --dump --all-databases --to /srv/dump/all -- --no-tablespaces
  gzip -dc shop.sql.gz | mysql-split --to /srv/dump/shop
${exitCodesHelp}`,
  )
  .action((words, options) =>
    runCommand(name, options, async (context) => act(words, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

/** Options that only --dump has a use for. */
const flags: Readonly<Record<string, string>> = {
  allDatabases: "--all-databases",
  defaultsFile: "--defaults-file",
  program: "--program",
};

parseCommand(command);

async function act(
  words: readonly string[],
  options: Options,
  context: CommandContext,
): Promise<Outcome> {
  expectNoConfiguration(name, options);
  const [{ splitDump }, { splitOptions }, { MysqlScanner }, { tellSplit }] = await Promise.all([
    import("../lib/jobs/split.ts"),
    import("../lib/jobs/split/options.ts"),
    import("../lib/dumps/mysql.ts"),
    import("../lib/output/splitreport.ts"),
  ]);
  const how = splitOptions(name, options);
  const dump = await dumpOf(words, options, context);
  const result = await splitDump(new MysqlScanner(), dump, how, processWorld(context));
  await tellSplit(result, context.terminal, options.json === true);
  return "done";
}

async function dumpOf(
  words: readonly string[],
  options: Options,
  context: CommandContext,
): Promise<BringDump> {
  const { dump, allDatabases, defaultsFile, program } = options;
  const { bringByProgram, bringInput } = await import("../lib/jobs/split/program.ts");
  if (dump === undefined) {
    for (const [option, value] of Object.entries({ allDatabases, defaultsFile, program }))
      if (value !== undefined)
        throw usage(`expected --dump with ${flags[option] ?? option}, found it alone`);
    if (words.length > 1) throw usage(`expected one dump, found ${words.length}`);
    const { openInput } = await import("../lib/jobs/split/input.ts");
    return bringInput(await openInput(words[0], process.stdin), context.signal);
  }
  const named = dump === true ? [] : dump;
  if (named.length > 0 === (allDatabases === true))
    throw usage("expected databases behind --dump, or --all-databases");
  const { mysqlDumpCommand } = await import("../lib/dumps/mysqldump.ts");
  const world = processWorld(context);
  const databases = allDatabases === true ? "all" : named;
  return bringByProgram(
    await mysqlDumpCommand({ databases, program, defaultsFile, more: words }, world),
    world,
  );
}
