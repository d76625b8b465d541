#!/usr/bin/env node
import { Command } from "@commander-js/extra-typings";
import {
  collect,
  exitCodesHelp,
  parseCommand,
  processWorld,
  runCommand,
  wholeNumber,
  withCommonOptions,
  type CommandContext,
} from "../lib/cli.ts";
import { usage, type Outcome } from "../lib/errors.ts";

const command = withCommonOptions(
  new Command("rclone-prune")
    .description(
      "Remove the old and deleted versions of a backup that its policies no longer keep. The current version of a file is never touched.",
    )
    .argument("<backup>", "a backup's name or configuration file, or remote:path")
    .usage("[options] <backup>")
    .option("--explain <path>", "only tell what becomes of each version; repeatable", collect)
    .option("--purge", "remove every version but the current ones, whatever the policies say")
    .option("--force", "needed with --purge")
    .option("--start-at <path>", "begin at this file, in the order of the store")
    .option("--stop-at <path>", "end before this file")
    .option("--max-files <n>", "end after the versions of so many files", wholeNumber(1))
    .option(
      "--max-failures <n>",
      "end when so many versions can't be removed (100)",
      wholeNumber(1),
    )
    .option("--batch <n>", "versions in one call of the store (1000)", wholeNumber(1))
    .option("--no-files", "only cancel unfinished uploads")
    .option("--no-unfinished", "leave unfinished uploads alone")
    .option("--allow-clock", "go on, this once, though the clock can't be believed"),
)
  .addHelpText(
    "after",
    `
Examples:
  rclone-prune -n home                     what would go, and why
  rclone-prune home                        let it go
  rclone-prune --explain docs/a.txt home   what becomes of each version of one file
${exitCodesHelp}`,
  )
  .action((name, options) =>
    runCommand("rclone-prune", options, async (context) => act(name, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(name: string, options: Options, context: CommandContext): Promise<Outcome> {
  refuseWrongMix(options);
  const [{ openBackupOrLocation, unnamed }, { prune }, report, { rawFromText }] = await Promise.all(
    [
      import("../lib/jobs/openbackup.ts"),
      import("../lib/jobs/prune.ts"),
      import("../lib/output/prunereport.ts"),
      import("../lib/units/rawpath.ts"),
    ],
  );
  const { terminal } = context;
  const { session } = await openBackupOrLocation(name, options, processWorld(context));
  const explain = options.explain ?? [];
  const isShown = explain.length > 0 || options.dryRun === true || Number(options.verbose) > 0;
  // Millions of decisions that nobody sees are not made ready to be shown.
  const isTold = options.json === true || (isShown && options.quiet !== true);
  const path = (text: string | undefined) => (text === undefined ? undefined : rawFromText(text));
  const result = await prune(session, {
    dryRun: options.dryRun === true,
    purge: options.purge === true,
    explain,
    startAt: path(options.startAt),
    stopAt: path(options.stopAt),
    maxFiles: options.maxFiles,
    maxFailures: options.maxFailures,
    batch: options.batch,
    files: options.files,
    unfinished: options.unfinished,
    unnamed: unnamed(name, options),
    allowClock: options.allowClock === true,
    onDecisions: isTold
      ? async (decisions) =>
          terminal.result(
            options.json === true
              ? report.decisionNdjson(decisions)
              : report.decisionPage(decisions, terminal.resultsAreShown),
          )
      : undefined,
  });
  if (options.json === true) await terminal.result(`${JSON.stringify(report.pruneJson(result))}\n`);
  else if (isShown && options.quiet !== true && explain.length === 0)
    await terminal.result(report.pruneLines(result));
  if (result.undecodable > 0) terminal.warn(report.undecodableText(result));
  if (result.message !== undefined) terminal.problem(result.outcome, result.message);
  if (result.hint !== undefined) terminal.hint(result.hint);
  return result.outcome;
}

function refuseWrongMix({ purge, force, explain, files, unfinished }: Options): void {
  if (purge === true && force !== true)
    throw usage("expected --force with --purge, found --purge alone", {
      hint: "--purge --force removes every old and deleted version; what is current stays",
    });
  if (force === true && purge !== true)
    throw usage("expected --purge with --force, found --force alone");
  if (explain !== undefined && (purge === true || !files))
    throw usage("expected --explain by itself, found it with --purge or --no-files");
  if (!files && !unfinished)
    throw usage("expected something to prune, found both --no-files and --no-unfinished");
}
