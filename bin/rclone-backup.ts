#!/usr/bin/env node
import { Command, Option } from "@commander-js/extra-typings";
import {
  collect,
  exitCodesHelp,
  parseCommand,
  parseSeed,
  processWorld,
  runCommand,
  wholeNumber,
  withCommonOptions,
  type CommandContext,
} from "../lib/cli.ts";
import { Failure, usage, type Outcome } from "../lib/errors.ts";
import { begunOption, begunText } from "../lib/jobs/begun.ts";
import { parentDeathPrefix } from "../lib/state/parentdeath.ts";
import { parseBytes } from "../lib/units/bytes.ts";
import type { LoadedBackup } from "../lib/config/load.ts";
import type { Session } from "../lib/jobs/session.ts";

const command = withCommonOptions(
  new Command("rclone-backup")
    .description(
      "Back one directory up through rclone: guard, sync, and prove that it can be read back.",
    )
    .argument(
      "[backup]",
      "a configuration file, or NAME for NAME.conf in the configuration directory",
    )
    .usage("[options] <backup>")
    .option(
      "--verify [condition]",
      "read back instead of backing up: all, data=[<]N[%], files=N[%], age=SPEC, hash; repeatable, all must hold; without one, those of [verify] conditions",
      collect,
    )
    .option("--verify-next <size>", "read back what is next by the ledger, within so many bytes")
    .option("--max-transactions <number>", "limit the requests of --verify-next", wholeNumber(0))
    .option("--seed <number>", "make --verify choose the same files again", parseSeed)
    .option("--ls", "list the source under its filters")
    .option("--newest", "print the newest file of the source")
    .option("--filters", "print the filter rules that rclone gets")
    .option(
      "--test-filters",
      "print them with the test filters first; with --ls or --newest, apply those too",
    )
    .option("--show-config", "print the effective configuration and where each value came from")
    .option(
      "--allow-refused-plan <id>",
      "carry out, this once, exactly the plan that a guard refused",
    )
    .option("--allow-clock", "go on though the clock stands before the newest run of the history")
    .addOption(new Option(begunOption).hideHelp())
    .option("--copy-links", "store what symbolic links point at"),
)
  .addHelpText(
    "after",
    `
Examples:
  rclone-backup home                       back up what home.conf describes
  rclone-backup -n home                    show what that would do
  rclone-backup --verify data=1G home      read 1 GiB of it back and compare
  rclone-backup --verify-next 1G home      the same, the longest unread first
${exitCodesHelp}`,
  )
  .action((name, options) =>
    runCommand("rclone-backup", options, (context) => act(name, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

parseCommand(command);

async function act(
  name: string | undefined,
  options: Options,
  context: CommandContext,
): Promise<Outcome> {
  if (name === undefined) throw missingName(options);
  const mode = modeOf(options);
  // Its answer takes a while, and is needed when rclone is started.
  if (mode !== "show-config") void parentDeathPrefix();
  const { loadBackup } = await import("../lib/config/load.ts");
  const loaded = await loadBackup(name, {
    configDir: options.configDir,
    env: process.env,
    set: options.set ?? [],
  });
  if (mode === "show-config") return showConfig(loaded, options, context);
  const { openSession } = await import("../lib/jobs/session.ts");
  const opening = openSession(loaded.backup, options, processWorld(context));
  // rclone takes a while to tell its remotes. What goes wrong is told when it is needed.
  if (mode === "backup") import("../lib/jobs/backup.ts").catch(() => {});
  const session = await opening;
  switch (mode) {
    case "backup":
      return backUp(session, options, context);
    case "verify":
    case "verify-next":
      return verify(session, loaded, options, context);
    case "ls":
      return list(session, options, context);
    case "newest":
      return newest(session, options, context);
    case "filters":
      return filters(session, options, context);
  }
}

/** `--verify NAME` takes the name for a condition. */
function missingName({ verify: given }: Options): Failure {
  const [last] = given === true || given === undefined ? [] : given.slice(-1);
  return usage("expected the name or the file of a backup, found none", {
    hint:
      last === undefined
        ? "rclone-backup NAME"
        : `--verify took ${last} for its condition: rclone-backup ${last} --verify`,
  });
}

type Mode = "backup" | "verify" | "verify-next" | "ls" | "newest" | "filters" | "show-config";

function modeOf(options: Options): Mode {
  const asked: Mode[] = [];
  if (options.verify !== undefined) asked.push("verify");
  if (options.verifyNext !== undefined) asked.push("verify-next");
  if (options.ls === true) asked.push("ls");
  if (options.newest === true) asked.push("newest");
  if (options.showConfig === true) asked.push("show-config");
  // With --ls or --newest, --test-filters only says which rules apply.
  if (options.filters === true || (options.testFilters === true && asked.length === 0))
    asked.push("filters");
  const [mode = "backup", second] = asked;
  if (second !== undefined)
    throw usage(
      `expected one of --verify, --verify-next, --ls, --newest, --filters and --show-config, found --${mode} and --${second}`,
    );
  if (options.allowRefusedPlan !== undefined && mode !== "backup")
    throw usage(`expected --allow-refused-plan with a backup, found it with --${mode}`);
  if (options.seed !== undefined && mode !== "verify")
    throw usage("expected --seed with --verify, found it without");
  if (options.maxTransactions !== undefined && mode !== "verify-next")
    throw usage("expected --max-transactions with --verify-next, found it without");
  return mode;
}

async function backUp(
  session: Session,
  options: Options,
  { terminal }: CommandContext,
): Promise<Outcome> {
  const [{ backup }, { repeatedOptions }, { backupJson, backupLine }, { changePage }] =
    await Promise.all([
      import("../lib/jobs/backup.ts"),
      import("../lib/jobs/backup/repeat.ts"),
      import("../lib/output/backupreport.ts"),
      import("../lib/output/listreport.ts"),
    ]);
  const dryRun = options.dryRun === true;
  const result = await backup(session, {
    dryRun,
    allowRefusedPlan: options.allowRefusedPlan,
    allowClock: options.allowClock,
    repeat: repeatedOptions(options),
    onBegun:
      options.tellBegun === true ? () => terminal.relay("rclone-backup", begunText) : undefined,
    onPlan: async (changes) => {
      if (options.json === true) return;
      for await (const page of changes)
        await terminal.result(changePage(page, terminal.resultsAreShown));
    },
  });
  if (options.json === true) await terminal.result(`${JSON.stringify(backupJson(result))}\n`);
  if (result.message !== undefined) terminal.problem(result.outcome, result.message);
  if (result.hint !== undefined) terminal.hint(result.hint);
  if (result.outcome === "done" && dryRun && options.json !== true)
    await terminal.result(`would leave: ${backupLine(result)}\n`);
  else if (result.outcome === "done")
    terminal.detail(
      1,
      `${result.result === "warning" ? "done with warnings" : result.result}: ${backupLine(result)}`,
    );
  return result.outcome;
}

async function verify(
  session: Session,
  loaded: LoadedBackup,
  options: Options,
  { terminal }: CommandContext,
): Promise<Outcome> {
  const [{ verify: runVerify }, report, { parseConditions, splitConditions }] = await Promise.all([
    import("../lib/jobs/verify.ts"),
    import("../lib/output/backupreport.ts"),
    import("../lib/units/condition.ts"),
  ]);
  const next = options.verifyNext === undefined ? undefined : parseBytes(options.verifyNext);
  const given = (options.verify === true ? [] : (options.verify ?? [])).flatMap(splitConditions);
  const set = given.length > 0 ? given : loaded.backup.verify.conditions;
  const conditions = next === undefined ? set : [];
  if (conditions.length === 0 && next === undefined)
    throw usage("--verify: expected a condition, found none, and none in [verify] conditions", {
      hint: "such as --verify all or --verify data=1G",
    });
  const result = await runVerify(session, {
    conditions: parseConditions(conditions),
    seed: options.seed ?? Math.trunc(Math.random() * 2 ** 31),
    dryRun: options.dryRun === true,
    next:
      next === undefined
        ? undefined
        : { bytes: next, transactions: options.maxTransactions ?? Infinity },
  });
  if (options.json === true)
    await terminal.result(`${JSON.stringify(report.verifyJson(result))}\n`);
  else if (options.quiet !== true) await terminal.result(report.verifyLines(result, new Date()));
  if (result.outcome !== "done") {
    const { message, hint } = report.verifyProblem(result);
    terminal.problem(result.outcome, message);
    terminal.hint(hint);
  }
  return result.outcome;
}

async function list(
  session: Session,
  options: Options,
  { terminal }: CommandContext,
): Promise<Outcome> {
  const [{ listSource }, { listNdjson, listPage }] = await Promise.all([
    import("../lib/jobs/list.ts"),
    import("../lib/output/listreport.ts"),
  ]);
  await listSource(session, { testFilters: options.testFilters === true }, async (pages) => {
    for await (const page of pages)
      await terminal.result(
        options.json === true ? listNdjson(page) : listPage(page, terminal.resultsAreShown),
      );
  });
  return "done";
}

async function newest(
  session: Session,
  options: Options,
  { terminal }: CommandContext,
): Promise<Outcome> {
  const [{ newestFile }, { entryJson, newestLine }] = await Promise.all([
    import("../lib/jobs/list.ts"),
    import("../lib/output/listreport.ts"),
  ]);
  const entry = await newestFile(session, { testFilters: options.testFilters === true });
  if (entry === undefined)
    throw new Failure(
      "failed",
      "source: expected a file that is not from the future, found none under the filters",
    );
  await terminal.result(
    options.json === true
      ? `${JSON.stringify({ version: 1, kind: "newest", ...entryJson(entry) })}\n`
      : newestLine(entry, terminal.resultsAreShown),
  );
  return "done";
}

async function filters(
  session: Session,
  options: Options,
  { terminal }: CommandContext,
): Promise<Outcome> {
  const { rulesOf } = await import("../lib/jobs/filterfile.ts");
  const rules = await rulesOf(session, { testFilters: options.testFilters === true });
  await terminal.result(
    options.json === true
      ? `${JSON.stringify({ version: 1, kind: "filters", rules })}\n`
      : rules.map((rule) => `${rule}\n`).join(""),
  );
  return "done";
}

async function showConfig(
  loaded: LoadedBackup,
  options: Options,
  { terminal }: CommandContext,
): Promise<Outcome> {
  const { showConfig: show, configJson } = await import("../lib/config/show.ts");
  await terminal.result(
    options.json === true
      ? `${JSON.stringify({ version: 1, kind: "config", ...configJson(loaded) })}\n`
      : show(loaded),
  );
  return "done";
}
