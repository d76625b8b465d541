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
import { usage, type Outcome } from "../lib/errors.ts";
import type { VersionChoice } from "../lib/jobs/restore/options.ts";
import type { Session } from "../lib/jobs/session.ts";
import type { RestoreView } from "../lib/output/restorereport.ts";

const command = withCommonOptions(
  new Command("rclone-restore")
    .description(
      "Restore files of a backup as they were at a time, or every version of them, and look at what was written.",
    )
    .argument("<backup>", "a backup's name or configuration file, or remote:path")
    .argument(
      "[path...]",
      "paths or globs from the top of the backup: a path means all below it too; none means everything",
    )
    .option("--to <target>", "a directory, which is made if need be, or remote:path")
    .option(
      "--as-of <time>",
      "as the files were then: '2026-03-05 14:00', '3 days ago', 'yesterday 14:00', RFC 3339; without it, as they are now",
    )
    .option("--time-zone <name>", "where times without an offset are read; default the system's")
    .option("--all-versions", "every version up to then, as name-vYYYY-MM-DD-HHMMSS-mmm.ext (UTC)")
    .option("--include-deleted", "also files that were deleted by then: the last version of each")
    .option("--list", "print the versions that there are, and restore nothing")
    .option("--overwrite", "replace files that are in the way"),
)
  .addHelpText(
    "after",
    `
Examples:
  rclone-restore home --to /tmp/home                          all files as they are now
  rclone-restore home docs --as-of '3 days ago' --to /tmp/r   one directory as it was
  rclone-restore home docs/a.txt --list                       the versions of a file
${exitCodesHelp}`,
  )
  .action((name, paths, options) =>
    runCommand("rclone-restore", options, (context) => act(name, paths, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(
  name: string,
  patterns: readonly string[],
  options: Options,
  context: CommandContext,
): Promise<Outcome> {
  if (options.list === true && (options.to !== undefined || options.overwrite === true))
    throw usage("expected either --list or --to, found both");
  if (options.list !== true && options.to === undefined)
    throw usage("expected --to TARGET or --list, found neither", {
      hint: `rclone-restore ${name} --to DIRECTORY`,
    });
  const { parsePastMoment, timeZone } = await import("../lib/units/moment.ts");
  // Intl takes a while to tell the system's, and few times and few outputs want it.
  let zone = options.timeZone === undefined ? undefined : timeZone(options.timeZone);
  const zoned = {
    now: new Date(),
    get timeZone() {
      zone ??= timeZone();
      return zone;
    },
  };
  const choice: VersionChoice = {
    patterns,
    asOf: options.asOf === undefined ? undefined : parsePastMoment(options.asOf, zoned),
    allVersions: options.allVersions === true,
    includeDeleted: options.includeDeleted === true,
  };
  const { openBackupOrLocation } = await import("../lib/jobs/openbackup.ts");
  const opening = openBackupOrLocation(name, options, processWorld(context));
  // rclone takes a while to tell its remotes. What goes wrong is told when it is needed.
  import("../lib/jobs/restore.ts").catch(() => {});
  const { session } = await opening;
  const view = Object.assign(zoned, { toTerminal: context.terminal.resultsAreShown });
  return options.to === undefined
    ? list(session, choice, view, options, context)
    : restore(session, { ...choice, target: options.to }, view, options, context);
}

async function list(
  session: Session,
  choice: VersionChoice,
  view: RestoreView,
  options: Options,
  { terminal }: CommandContext,
): Promise<Outcome> {
  const [{ listVersions }, { versionNdjson, versionPage }] = await Promise.all([
    import("../lib/jobs/restore.ts"),
    import("../lib/output/restorereport.ts"),
  ]);
  await listVersions(session, {
    ...choice,
    onVersions: async (pages) => {
      for await (const page of pages)
        await terminal.result(
          options.json === true ? versionNdjson(page) : versionPage(page, view),
        );
    },
  });
  return "done";
}

async function restore(
  session: Session,
  choice: VersionChoice & { readonly target: string },
  view: RestoreView,
  options: Options,
  { terminal }: CommandContext,
): Promise<Outcome> {
  const [{ restore: runRestore }, report] = await Promise.all([
    import("../lib/jobs/restore.ts"),
    import("../lib/output/restorereport.ts"),
  ]);
  const result = await runRestore(session, {
    ...choice,
    overwrite: options.overwrite === true,
    dryRun: options.dryRun === true,
    onPlan: async (files) => {
      for await (const page of files)
        await terminal.result(
          options.json === true ? report.planNdjson(page) : report.planPage(page, view),
        );
    },
  });
  if (options.json === true)
    await terminal.result(`${JSON.stringify(report.restoreJson(result))}\n`);
  else if (options.quiet !== true) await terminal.result(report.restoreLines(result));
  if (result.outcome !== "done") {
    terminal.problem(
      result.outcome,
      `${result.failureCount} of ${result.planned.files} files ${options.dryRun === true ? "can't be" : "were not"} restored:\n${report.failureText(result)}`,
    );
    terminal.hint(
      "run again, it goes on with what is missing; --overwrite replaces what is in the way",
    );
  }
  return result.outcome;
}
