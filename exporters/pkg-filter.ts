#!/usr/bin/env node
import { Command, Option } from "@commander-js/extra-typings";
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
import { managers } from "../lib/packages/owned.ts";

const name = "pkg-filter";

const command = withCommonOptions(
  new Command(name)
    .description(
      "Print filter rules for the files that packages own and nobody changed: they need no backup, since the packages bring them back.",
    )
    .argument("[directory...]", "only files below these; without any, all")
    .addOption(
      new Option(
        "--manager <name>",
        "whose database is read; without it, each one that is there",
      ).choices(managers),
    )
    .option("--root <directory>", "where the system is mounted", "/")
    .option("--source <directory>", "the backup's source, which rules begin at (the root)")
    .option("--merge", "pack many files into one rule: for more than some thousand files"),
)
  .addHelpText(
    "after",
    `
A rule stands for a file whose content is the one that its package shipped. Configuration files that
were changed stay in the backup, and so does what can't be read or compared.

Examples:
  pkg-filter /etc                          rules for a backup of /
  pkg-filter --source /etc /etc            rules for a backup of /etc
  pkg-filter --merge                       rules for a whole system, that rclone is quick with
${exitCodesHelp}`,
  )
  .action((directories, options) =>
    runCommand(name, options, async (context) => act(directories, options, context)),
  );

type Options = ReturnType<typeof command.opts>;

/** More rules than this cost rclone minutes. */
const manyRules = 10_000;

parseCommand(command);

async function act(
  directories: readonly string[],
  options: Options,
  context: CommandContext,
): Promise<Outcome> {
  const { json, merge } = options;
  expectNoConfiguration(name, options);
  if (json === true && merge === true)
    throw usage("expected one of --json and --merge, found both");
  const [{ findUnchanged }, { RuleMerger }, output] = await Promise.all([
    import("../lib/jobs/packagefilter.ts"),
    import("../lib/packages/rules.ts"),
    import("../lib/output/packagefilter.ts"),
  ]);
  const { terminal } = context;
  const merger = new RuleMerger();
  const print = async (rules: readonly (string | undefined)[]): Promise<void> =>
    terminal.result(
      output.ruleLines(
        rules.filter((rule) => rule !== undefined),
        terminal.resultsAreShown,
      ),
    );
  const { manager, root, source } = options;
  const counts = await findUnchanged(
    { manager, root, source, directories },
    processWorld(context),
    async (page) => {
      if (json === true) return terminal.result(output.unchangedNdjson(page));
      return print(page.map(({ path, rule }) => (merge === true ? merger.add(path) : rule)));
    },
  );
  await print([merger.end()]);
  if (json !== true && merge !== true && counts.unchanged > manyRules)
    terminal.warn(
      `${counts.unchanged} rules: rclone tries each of them on each file, which takes long; --merge packs them`,
    );
  terminal.detail(1, output.packageFilterText(counts));
  return "done";
}
