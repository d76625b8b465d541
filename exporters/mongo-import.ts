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

const name = "mongo-import";

const command = withCommonOptions(
  new Command(name)
    .description(
      "Make databases of MongoDB of the directory that mongo-export wrote: documents, options, indexes and views; and read them back.",
    )
    .argument(
      "[uri]",
      "mongodb://HOST/DATABASE; without a database, all that the directory holds. Better in a file: arguments can be read by others",
    )
    .requiredOption("--from <directory>", "what mongo-export wrote")
    .option("--uri-file <file>", "a file that holds the connection string")
    .option("--database <name>", "only this database; repeatable", collect)
    .option("--as <name>", "another name for the one database that is imported")
    .option("--exclude <glob>", "leave out collections, DATABASE.COLLECTION; repeatable", collect)
    .option(
      "--allow-unfinished",
      "take the directory as it is where an export was ended in the middle",
    ),
)
  .addHelpText(
    "after",
    `
A connection string may stand in MONGODB_URI, too. Collections must be empty or not there, or hold
nothing that the directory doesn't hold, as after an import that was cut off: else nothing is written.

Examples:
  mongo-import --uri-file /etc/rclone-backups/mongo.uri --from /srv/restored/mongo-export
  mongo-import mongodb://127.0.0.1 --from /var/lib/mongo-export --database shop --as shop_check
${exitCodesHelp}`,
  )
  .action((uri, options) =>
    runCommand(name, options, async (context) => act(uri, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(
  arg: string | undefined,
  options: Options,
  context: CommandContext,
): Promise<Outcome> {
  // The kernel shows this instead of the arguments.
  process.title = name;
  expectNoConfiguration(name, options);
  const [{ importMongo }, { givenUris, hasOpenPassword }, output] = await Promise.all([
    import("../lib/jobs/mongoimport.ts"),
    import("../lib/jobs/mongo/uris.ts"),
    import("../lib/output/mongoreport.ts"),
  ]);
  const { terminal } = context;
  const args = arg === undefined ? [] : [arg];
  const files = options.uriFile === undefined ? [] : [options.uriFile];
  const [uri, second] = await givenUris(args, files, process.env, (text) => terminal.warn(text));
  if (uri === undefined || second !== undefined)
    throw usage("expected one connection string, found several");
  if (hasOpenPassword(args))
    terminal.warn("a password in an argument can be read by others: use --uri-file");
  const { from, database, as, exclude } = options;
  const result = await importMongo(
    {
      uri,
      from,
      databases: database ?? [],
      exclude: exclude ?? [],
      as,
      dryRun: options.dryRun === true,
      allowUnfinished: options.allowUnfinished === true,
    },
    processWorld(context),
  );
  if (options.json === true) await terminal.result(output.mongoImportJson(result));
  const text = output.mongoImportText(result);
  if (options.dryRun === true && options.json !== true) await terminal.result(`${text}\n`);
  else terminal.detail(1, text);
  return result.outcome;
}
