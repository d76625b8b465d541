import { Command } from "@commander-js/extra-typings";
import type { Section } from "../chunks/section.ts";
import {
  collect,
  exitCodesHelp,
  expectNoConfiguration,
  processWorld,
  runCommand,
  withCommonOptions,
  type CommandContext,
  type CommonOptions,
} from "../cli.ts";
import { usage, type Outcome } from "../errors.ts";

type Choose = (sections: readonly Section[]) => readonly Section[];

/** What the commands that join dumps differ in. */
export interface JoinDefinition {
  readonly name: string;
  /** The command that has split what this one joins. */
  readonly splitter: string;
  /** How a table is named: a placeholder for the help. */
  readonly table: string;
  /** Lines of the help. */
  readonly examples: readonly string[];
  /** Loads what chooses the sections of tables. */
  readonly chooser: () => Promise<(tables: readonly string[]) => Choose>;
}

/** `mysql-join` and `pg-join`. */
export function joinCommand(definition: JoinDefinition) {
  const { name, splitter, table, examples } = definition;
  const command = withCommonOptions(
    new Command(name)
      .description(
        `Put a dump together that ${splitter} has split, each file verified: to standard output, or into a file.`,
      )
      .argument("<directory>", "where the files are")
      .option("-o, --output <file>", "a file for the dump: it appears whole or not at all")
      .option("--verify", "only verify every file")
      .option(`--table <${table}>`, "only this table; repeatable", collect),
  ).addHelpText(
    "after",
    `
Examples:
${examples.map((line) => `  ${line}\n`).join("")}${exitCodesHelp}`,
  );
  return command.action(async (directory, options) =>
    runCommand(name, options, async (context) => act(definition, directory, options, context)),
  );
}

interface JoinOptions extends CommonOptions {
  readonly output?: string | undefined;
  readonly verify?: true | undefined;
  readonly dryRun?: true | undefined;
  readonly table?: readonly string[] | true | undefined;
  readonly set?: unknown;
  readonly configDir?: string | undefined;
  readonly rcloneConfig?: string | undefined;
}

async function act(
  { name, chooser }: JoinDefinition,
  directory: string,
  options: JoinOptions,
  context: CommandContext,
): Promise<Outcome> {
  expectNoConfiguration(name, options);
  const { output, table: tables, json } = options;
  // A dry run writes nothing, and so verifies.
  const verifies = options.verify === true || options.dryRun === true;
  if (verifies && output !== undefined)
    throw usage("expected one of --output and --verify or --dry-run, found both");
  if (json === true && !verifies && output === undefined)
    throw usage("expected --json with --output or --verify: the dump goes to standard output");
  const [{ joinChunks, joinIntoFile, verifyChunks }, chooseTables, report] = await Promise.all([
    import("../jobs/join.ts"),
    chooser(),
    import("../output/splitreport.ts"),
  ]);
  const { terminal } = context;
  const choose = tables === undefined || tables === true ? undefined : chooseTables(tables);
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
