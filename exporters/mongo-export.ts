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
import type { Outcome } from "../lib/errors.ts";

const name = "mongo-export";

const command = withCommonOptions(
  new Command(name)
    .description(
      "Write the databases of MongoDB into a directory, one file a document, that a backup takes what changed of.",
    )
    .argument(
      "[uri...]",
      "mongodb://HOST/DATABASE; without a database, all but the server's own. Better in a file: arguments can be read by others",
    )
    .requiredOption("--to <directory>", "where the files are; a directory for this alone")
    .option("--uri-file <file>", "a file with connection strings, one a line; repeatable", collect)
    .option("--exclude <glob>", "leave out collections, DATABASE.COLLECTION; repeatable", collect)
    .option("--allow-empty", "go on where a server or a database that is named holds nothing")
    .option("--replace", "take the place of a database of the same name from another server")
    .option("--config <file>", "collections that are written once, or have a field with a time")
    .option(
      "--repair",
      "compare what is remembered with the files that are there; given twice, with what is in them",
      (_: string | undefined, previous: number) => previous + 1,
      0,
    ),
)
  .addHelpText(
    "after",
    `
A connection string may stand in MONGODB_URI, too. mongo-import makes a database of the directory.

Examples:
  mongo-export --uri-file /etc/rclone-backups/mongo.uri --to /var/lib/mongo-export
  mongo-export mongodb://127.0.0.1/shop --to /var/lib/mongo-export --exclude 'shop.cache*'
${exitCodesHelp}`,
  )
  .action((uris, options) =>
    runCommand(name, options, async (context) => act(uris, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(
  args: readonly string[],
  options: Options,
  context: CommandContext,
): Promise<Outcome> {
  // The kernel shows this instead of the arguments.
  process.title = name;
  process.umask(0o077);
  expectNoConfiguration(name, options);
  const [{ exportMongo }, { givenUris, hasOpenPassword }, output] = await Promise.all([
    import("../lib/jobs/mongoexport.ts"),
    import("../lib/jobs/mongo/uris.ts"),
    import("../lib/output/mongoreport.ts"),
  ]);
  const { terminal } = context;
  const uris = await givenUris(args, options.uriFile ?? [], process.env, (text) =>
    terminal.warn(text),
  );
  if (hasOpenPassword(args))
    terminal.warn("a password in an argument can be read by others: use --uri-file");
  const result = await exportMongo(
    {
      uris,
      to: options.to,
      exclude: options.exclude ?? [],
      config: options.config,
      dryRun: options.dryRun === true,
      allowEmpty: options.allowEmpty === true,
      replace: options.replace === true,
      checks: options.repair === 0 ? "nothing" : options.repair === 1 ? "names" : "contents",
    },
    processWorld(context),
  );
  if (options.json === true) await terminal.result(output.mongoExportJson(result));
  const verbose = Number(options.verbose);
  const text = output.mongoExportText(result, verbose >= 2);
  if (options.dryRun === true && options.json !== true) await terminal.result(`${text}\n`);
  else terminal.detail(1, text);
  return result.outcome;
}
