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
import type { Session } from "../lib/jobs/session.ts";
import type { RecoverWish } from "../lib/jobs/recover/options.ts";

const command = withCommonOptions(
  new Command("rclone-recover")
    .description(
      "Bring back in the backup itself what was deleted from it, or roll all of it back to a time. No version is ever deleted.",
    )
    .argument("<backup>", "a backup's name or configuration file")
    .usage("[options] <backup>")
    .option("--local <directory>", "bring back deleted files that exist below this directory")
    .option("--deleted-since <time>", "bring back what was deleted at this time or later")
    .option(
      "--as-of <time>",
      "roll all of the backup back to this time; backups are paused then, until --resume",
    )
    .option("--resume", "let a backup that was rolled back run again")
    .option("--time-zone <name>", "where times without an offset are read; default the system's")
    .option("--yes", "go on without asking"),
)
  .addHelpText(
    "after",
    `
Examples:
  rclone-recover --local /srv/data home              what was deleted from the backup by mistake
  rclone-recover --deleted-since '2 days ago' home   what was deleted since
  rclone-recover -n --as-of '2026-03-05 14:00' home  what a roll-back would do
  rclone-recover --resume home                       go on with the nightly backup after one
${exitCodesHelp}`,
  )
  .action((name, options) =>
    runCommand("rclone-recover", options, async (context) => act(name, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(name: string, options: Options, context: CommandContext): Promise<Outcome> {
  const wished = await wishOf(options);
  const [{ openBackup }, job, report, { askYes }] = await Promise.all([
    import("../lib/jobs/openbackup.ts"),
    import("../lib/jobs/recover.ts"),
    import("../lib/output/recoverreport.ts"),
    import("../lib/output/ask.ts"),
  ]);
  const { terminal, signal } = context;
  const { session } = await openBackup(name, options, processWorld(context));
  const asked = typeof wished === "function" ? await wished(session) : wished;
  if (asked === "resume") {
    await job.resume(session, { incomplete: options.yes === true });
    if (options.json === true)
      await terminal.result(`${JSON.stringify(report.resumeJson(session.backup.name))}\n`);
    return "done";
  }
  const asks = options.yes !== true && options.dryRun !== true;
  const isShown = asks || options.dryRun === true || Number(options.verbose) > 0;
  const result = await job.recover(session, {
    wish: asked,
    dryRun: options.dryRun === true,
    onSteps: async (steps) => {
      if (options.json === true) await terminal.result(report.stepNdjson(steps));
      else if (isShown) await terminal.result(report.stepPage(steps, terminal.resultsAreShown));
    },
    confirm: async (plan) =>
      options.yes === true ||
      askYes(`${report.planText(plan)}: go on?`, "nothing is changed without either", signal),
  });
  if (options.json === true)
    await terminal.result(`${JSON.stringify(report.recoverJson(result))}\n`);
  else if (options.quiet !== true) await terminal.result(report.recoverLine(result));
  if (result.failures.length > 0) {
    terminal.problem(result.outcome, report.failureText(result));
    terminal.hint("run again to go on with what is left");
  } else if (result.paused && options.dryRun !== true)
    terminal.hint(
      `backups of ${name} are paused until rclone-recover --resume ${name}: bring the source in order first`,
    );
  return result.outcome;
}

async function wishOf(
  options: Options,
): Promise<RecoverWish | "resume" | ((session: Session) => Promise<RecoverWish>)> {
  const { local, deletedSince, asOf, resume } = options;
  const given = Object.entries({
    "--local": local,
    "--deleted-since": deletedSince,
    "--as-of": asOf,
    "--resume": resume,
  }).filter(([, value]) => value !== undefined);
  if (given.length !== 1)
    throw usage(
      `expected one of --local, --deleted-since, --as-of and --resume, found ${given.length === 0 ? "none" : given.map(([flag]) => flag).join(" and ")}`,
    );
  if (resume === true && options.dryRun === true)
    throw usage("expected --resume without --dry-run, found both");
  if (resume === true) return "resume";
  const { parsePastMoment, timeZone } = await import("../lib/units/moment.ts");
  const moment = (text: string): number =>
    parsePastMoment(text, {
      now: new Date(),
      timeZone: timeZone(options.timeZone),
    }).getTime();
  if (asOf !== undefined) return { kind: "as-of", time: moment(asOf) };
  if (deletedSince !== undefined) return { kind: "deleted-since", since: moment(deletedSince) };
  return async ({ tuning }) => {
    const { existsBelow } = await import("../lib/jobs/recover/local.ts");
    return { kind: "local", exists: existsBelow(local ?? "", tuning.copyLinks) };
  };
}
