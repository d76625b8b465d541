#!/usr/bin/env node
import { Command } from "@commander-js/extra-typings";
import {
  collect,
  exitCodesHelp,
  expectNoConfiguration,
  parseCommand,
  processWorld,
  runCommand,
  withCommonOptions,
  type CommandContext,
} from "../lib/cli.ts";
import { usage, type Outcome } from "../lib/errors.ts";

const name = "pg-join";

const command = withCommonOptions(
  new Command(name)
    .description(
      "Put a dump together that pg-split has split, each file verified: to standard output, or into a file.",
    )
    .argument("<directory>", "where the files are")
    .option("-o, --output <file>", "a file for the dump: it appears whole or not at all")
    .option("--verify", "only verify every file")
    .option("--table <schema.table>", "only this table; repeatable", collect),
)
  .addHelpText(
    "after",
    `
Examples:
  pg-join --verify /srv/dump/shop
  pg-join /srv/dump/shop | psql -X -v ON_ERROR_STOP=1 shop_restored
  pg-join --table public.orders /srv/dump/shop | psql -X scratch
${exitCodesHelp}`,
  )
  .action((directory, options) =>
    runCommand(name, options, async (context) => act(directory, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

await parseCommand(command);

async function act(directory: string, options: Options, context: CommandContext): Promise<Outcome> {
  expectNoConfiguration(name, options);
  const { output, table: tables = [], json } = options;
  // A dry run writes nothing, and so verifies.
  const verifies = options.verify === true || options.dryRun === true;
  if (verifies && output !== undefined)
    throw usage("expected one of --output and --verify or --dry-run, found both");
  if (json === true && !verifies && output === undefined)
    throw usage("expected --json with --output or --verify: the dump goes to standard output");
  const [{ joinChunks, joinIntoFile, verifyChunks }, { choosePgTables }, report] =
    await Promise.all([
      import("../lib/jobs/join.ts"),
      import("../lib/dumps/pgchoose.ts"),
      import("../lib/output/splitreport.ts"),
    ]);
  const { terminal } = context;
  const choose = tables.length === 0 ? undefined : choosePgTables(tables);
  const job = { directory, choose, command: `${name} ${directory}` };
  const world = processWorld(context);
  const result = verifies
    ? await verifyChunks(job, world)
    : output === undefined
      ? await joinChunks(job, world, async (bytes) => terminal.data(bytes))
      : await joinIntoFile(output, job, world);
  if (json === true) await terminal.result(report.joinJson(result, verifies));
  terminal.detail(1, report.joinText(result, verifies ? "verified" : "joined"));
  return "done";
}
