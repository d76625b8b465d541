#!/usr/bin/env node
import { Command } from "@commander-js/extra-typings";
import {
  exitCodesHelp,
  parseCommand,
  processWorld,
  runCommand,
  withCommonOptions,
  type CommandContext,
} from "../lib/cli.ts";
import type { Outcome } from "../lib/errors.ts";

const command = withCommonOptions(
  new Command("rclone-cleanup")
    .description(
      "Remove the old versions of files or directories from a backup for good, whatever its policies keep.",
    )
    .argument("<backup>", "a backup's name or configuration file, or remote:path")
    .argument(
      "<path...>",
      "whole paths from the top of the backup; a directory means all below it, and foo never foobar",
    )
    .usage("[options] <backup> <path...>")
    .option("--purge", "remove what is current, too")
    .option("--yes", "remove without asking"),
)
  .addHelpText(
    "after",
    `
Examples:
  rclone-cleanup -n home Downloads         what would go
  rclone-cleanup home Downloads            remove all old versions below it, after a question
  rclone-cleanup --purge home keys/old     remove every trace of it
${exitCodesHelp}`,
  )
  .action((name, paths, options) =>
    runCommand("rclone-cleanup", options, async (context) => act(name, paths, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(
  name: string,
  paths: readonly string[],
  options: Options,
  context: CommandContext,
): Promise<Outcome> {
  const [{ openBackupOrLocation, unnamed }, { cleanup }, report, { askYes }, { rawFromText }] =
    await Promise.all([
      import("../lib/jobs/openbackup.ts"),
      import("../lib/jobs/cleanup.ts"),
      import("../lib/output/cleanupreport.ts"),
      import("../lib/output/ask.ts"),
      import("../lib/units/rawpath.ts"),
    ]);
  const { terminal, signal } = context;
  const { session } = await openBackupOrLocation(name, options, processWorld(context));
  const asks = options.yes !== true && options.dryRun !== true;
  const isShown = asks || options.dryRun === true || Number(options.verbose) > 0;
  const result = await cleanup(session, {
    paths: paths.map((path) => rawFromText(path)),
    current: options.purge === true,
    dryRun: options.dryRun === true,
    unnamed: unnamed(name, options),
    onVersions: async (versions) => {
      if (options.json === true) await terminal.result(report.versionNdjson(versions));
      else if (isShown)
        await terminal.result(report.versionPage(versions, terminal.resultsAreShown));
    },
    confirm: async (plan) =>
      options.yes === true ||
      askYes(
        `${report.planText(plan)}: remove for good?`,
        "nothing is removed without either",
        signal,
      ),
  });
  if (options.json === true)
    await terminal.result(`${JSON.stringify(report.cleanupJson(result))}\n`);
  else if (options.quiet !== true && isShown) await terminal.result(report.cleanupLine(result));
  if (options.purge === true && options.dryRun !== true && result.plan.current > 0)
    terminal.detail(1, "what the source still holds will be backed up again");
  const problem = report.failureText(result);
  if (problem !== undefined) {
    terminal.problem(result.outcome, problem);
    terminal.hint("run again to go on with what is left");
  }
  return result.outcome;
}
