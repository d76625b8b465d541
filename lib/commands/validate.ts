import { Command } from "@commander-js/extra-typings";
import {
  processWorld,
  runCommand,
  withCommonOptions,
  type CommandContext,
  type CommonOptions,
} from "../cli.ts";
import { usage, type Outcome } from "../errors.ts";

/** `rclone-backups validate`. */
export function validateCommand(name: string) {
  const command = withCommonOptions(
    new Command("validate")
      .description("Check configurations, and whether what they name is there and works.")
      .argument("[backup...]", "names or configuration files; without any, all backups")
      .option("--show", "print the effective configuration of one, and where each value came from"),
  ).addHelpText(
    "after",
    `
It writes nothing, runs no hook and takes no lock. It exits with
  0    all is fine, or there are warnings only
  1    something can't be reached, or is not there now
  2    something is wrong in a configuration, or wrong usage

Examples:
  rclone-backups validate                  every backup
  rclone-backups validate home             one, with what to do about findings
  rclone-backups validate --show home      what holds for it, secrets masked`,
  );
  return command.action(async (names, options) =>
    runCommand(name, options, async (context) =>
      options.show === true ? show(names, options, context) : check(names, options, context),
    ),
  );
}

interface ValidateOptions extends CommonOptions {
  readonly set?: readonly string[] | true | undefined;
  readonly configDir?: string | undefined;
  readonly rcloneConfig?: string | undefined;
}

async function check(
  names: readonly string[],
  options: ValidateOptions,
  context: CommandContext,
): Promise<Outcome> {
  const [{ validate }, report] = await Promise.all([
    import("../jobs/validate.ts"),
    import("../output/validatereport.ts"),
  ]);
  const { configDir, rcloneConfig } = options;
  const request = { names, configDir, rcloneConfig, set: setOf(options) };
  const found = await validate(request, processWorld(context));
  if (options.json === true)
    await context.terminal.result(`${JSON.stringify(report.validateJson(found))}\n`);
  else if (options.quiet !== true || found.outcome !== "done")
    await context.terminal.result(report.validateText(found));
  return found.outcome;
}

async function show(
  names: readonly string[],
  options: ValidateOptions,
  { terminal }: CommandContext,
): Promise<Outcome> {
  const [name, ...more] = names;
  if (name === undefined || more.length > 0)
    throw usage(`expected one backup with --show, found ${names.length}`);
  const [{ loadBackup }, { showConfig, configJson }] = await Promise.all([
    import("../config/load.ts"),
    import("../config/show.ts"),
  ]);
  const loaded = await loadBackup(name, {
    ...{ env: process.env, set: setOf(options), leaveSecrets: true },
    configDir: options.configDir,
  });
  await terminal.result(
    options.json === true
      ? `${JSON.stringify({ version: 1, kind: "config", ...configJson(loaded) })}\n`
      : showConfig(loaded),
  );
  return "done";
}

function setOf({ set }: ValidateOptions): readonly string[] {
  return set === undefined || set === true ? [] : set;
}
