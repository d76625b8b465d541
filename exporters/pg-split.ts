#!/usr/bin/env node
import { randomBytes } from "node:crypto";
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

const name = "pg-split";

const command = withCommonOptions(
  new Command(name)
    .description(
      "Split a plain dump of pg_dump or pg_dumpall into files of which only those change whose tables or rows changed: cat * is the dump.",
    )
    .argument(
      "[file...]",
      "the dump, standard input unless given; with --dump, options of the dump program behind --",
    )
    .option("--to <directory>", "where the files go: a directory of their own")
    .option("--dump [database]", "make the dump too: of this database, or connection string")
    .option("--all-databases", "with --dump: of all databases, and of roles and tablespaces")
    .option("--password-file <file>", "with --dump: file with passwords, as ~/.pgpass is")
    .option(
      "--program <program>",
      "with --dump: the dump program; the one on the PATH unless given",
    )
    .option("--new-key", "with --dump: another key for \\restrict than in the dump before")
    .option("--chunk-size <size>", "of the files that a large table is cut into", "8M")
    .option("--replace", "take the place of a dump of something else, such as another database"),
)
  .addHelpText(
    "after",
    `
A dump without its last line ("-- PostgreSQL database dump complete") leaves the files as they were.

Examples:
  pg-split --dump shop --to /srv/dump/shop
  pg-split --dump shop --to /srv/dump/shop -- --host db --username backup
  pg-split --dump --all-databases --password-file /root/pgpass --to /srv/dump/all
  gzip -dc shop.sql.gz | pg-split --to /srv/dump/shop
${exitCodesHelp}`,
  )
  .action((words, options) =>
    runCommand(name, options, async (context) => act(words, options, context)),
  );

/** Options that only --dump has a use for. */
const flags: Readonly<Record<string, string>> = {
  allDatabases: "--all-databases",
  passwordFile: "--password-file",
  program: "--program",
  newKey: "--new-key",
};

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(
  words: readonly string[],
  options: Options,
  context: CommandContext,
): Promise<Outcome> {
  expectNoConfiguration(name, options);
  const [{ splitDump }, { splitOptions }, { PgScanner }, { tellSplit }] = await Promise.all([
    import("../lib/jobs/split.ts"),
    import("../lib/jobs/split/options.ts"),
    import("../lib/dumps/pgscanner.ts"),
    import("../lib/output/splitreport.ts"),
  ]);
  const how = splitOptions(name, options);
  const dump = await dumpOf(words, how.directory, options, context);
  const result = await splitDump(new PgScanner(), dump, how, processWorld(context));
  await tellSplit(result, context.terminal, options.json === true);
  return "done";
}

async function dumpOf(
  words: readonly string[],
  to: string,
  options: Options,
  context: CommandContext,
): Promise<BringDump> {
  const { dump, allDatabases, passwordFile, program, newKey } = options;
  const { bringByProgram, bringInput } = await import("../lib/jobs/split/program.ts");
  if (dump === undefined) {
    for (const [option, value] of Object.entries({ allDatabases, passwordFile, program, newKey }))
      if (value !== undefined)
        throw usage(`expected --dump with ${flags[option] ?? option}, found it alone`);
    if (words.length > 1) throw usage(`expected one dump, found ${words.length}`);
    const { openInput } = await import("../lib/jobs/split/input.ts");
    return bringInput(await openInput(words[0], process.stdin), context.signal);
  }
  if ((dump === true) !== (allDatabases === true))
    throw usage("expected one database behind --dump, or --all-databases");
  const { pgDumpCommand, restrictKeyFor } = await import("../lib/dumps/pgdump.ts");
  const world = processWorld(context);
  const key = newKey === true ? undefined : await restrictKeyFor(to, randomBytes);
  const database = dump === true ? ({ all: true } as const) : dump;
  return bringByProgram(
    await pgDumpCommand({ database, program, passwordFile, more: words, key }, world),
    world,
  );
}
