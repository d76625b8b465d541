import { randomBytes } from "node:crypto";
import { Command } from "@commander-js/extra-typings";
import {
  processWorld,
  runCommand,
  withCommonOptions,
  type CommandContext,
  type CommonOptions,
} from "../cli.ts";
import { usage, type Outcome } from "../errors.ts";
import type { Passwords } from "../jobs/init/passwords.ts";

/** `rclone-backups init`. */
export function initCommand(name: string) {
  const command = withCommonOptions(
    new Command("init")
      .description("Make a backup: an encrypted remote, its configuration and a recovery sheet.")
      .argument("[name]", "the backup's name")
      .option("--source <place>", "what is backed up")
      .option("--remote <place>", "where the encrypted files go: a directory or REMOTE:PATH")
      .option("--password-file <file>", "a password in its first line, a salt in its second")
      .option("--schedule <cron>", "when it runs: five fields as in crontab(5)")
      .option("--print-sheet <file>", "write the recovery sheet into a file, not to stdout")
      .option("--include-credentials", "tell keys and passwords of the remote on the sheet, too")
      .option("-y, --yes", "don't ask"),
  ).addHelpText(
    "after",
    `
What is not given is asked for on a terminal. Nothing that exists is
overwritten: no configuration, no remote of rclone, no file at the destination.
A remote that encrypts already is used as it is.

Examples:
  rclone-backups init                      asks for everything
  rclone-backups init data --source /srv/data --remote /mnt/backup/data
  rclone-backups init -n data --source /srv/data --remote b2:bucket/data`,
  );
  return command.action(async (backup, options) =>
    runCommand(name, options, async (context) => make(backup, options, context)),
  );
}

interface InitOptions extends CommonOptions {
  readonly source?: string | undefined;
  readonly remote?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly schedule?: string | undefined;
  readonly printSheet?: string | undefined;
  readonly includeCredentials?: true | undefined;
  readonly yes?: true | undefined;
  readonly dryRun?: true | undefined;
  readonly configDir?: string | undefined;
  readonly rcloneConfig?: string | undefined;
}

/** What a user has to say. */
interface Wanted {
  readonly name: string;
  readonly source: string;
  readonly remote: string;
  readonly cron: string | undefined;
  readonly passwords: Passwords | undefined;
}

async function make(
  backup: string | undefined,
  options: InitOptions,
  context: CommandContext,
): Promise<Outcome> {
  const world = processWorld(context);
  const { terminal, signal } = context;
  const [{ init }, { readPasswords }, report, { askYes }] = await Promise.all([
    import("../jobs/init.ts"),
    import("../jobs/init/passwords.ts"),
    import("../output/initreport.ts"),
    import("../output/ask.ts"),
  ]);
  const { passwordFile } = options;
  const passwords = passwordFile === undefined ? undefined : await readPasswords(passwordFile);
  const wanted = await complete(backup, passwords, options, context);
  const { parseCron } = await import("../units/cron.ts");
  if (wanted.cron !== undefined) parseCron(wanted.cron);
  const result = await init(
    {
      ...wanted,
      configDir: options.configDir,
      rcloneConfig: options.rcloneConfig,
      sheetFile: options.printSheet,
      includeCredentials: options.includeCredentials === true,
      dryRun: options.dryRun === true,
      random: randomBytes,
      confirm: async (plan) =>
        options.yes === true ||
        askYes(
          `${report.initPlanText(plan)}write all that?`,
          "nothing is written without either",
          signal,
        ),
    },
    world,
  );
  await terminal.result(
    options.json === true
      ? `${JSON.stringify(report.initJson(result))}\n`
      : report.initText(result),
  );
  return "done";
}

/** Asks for what was not given. */
async function complete(
  backup: string | undefined,
  passwords: Passwords | undefined,
  options: InitOptions,
  context: CommandContext,
): Promise<Wanted> {
  const { source, remote, schedule: cron } = options;
  if (backup !== undefined && source !== undefined && remote !== undefined)
    return { name: backup, source, remote, cron, passwords };
  const world = processWorld(context);
  const [{ openQuestions }, answers, { checkSource }, { checkPasswords }, { parseCron }] =
    await Promise.all([
      import("../output/questions.ts"),
      import("../jobs/init/answers.ts"),
      import("../jobs/init/source.ts"),
      import("../jobs/init/passwords.ts"),
      import("../units/cron.ts"),
    ]);
  const missing = [
    ...(backup === undefined ? ["a name"] : []),
    ...(source === undefined ? ["--source"] : []),
    ...(remote === undefined ? ["--remote"] : []),
  ];
  const questions = openQuestions(missing, context.signal);
  try {
    const from =
      source ??
      (await questions.ask("What is backed up, a directory", {
        check: (text) => checkSource(text, world.cwd),
      }));
    const name =
      backup ??
      (await questions.ask("The name of the backup", {
        fallback: answers.suggestName(from),
        check: answers.checkName,
      }));
    const choice = await answers.remoteChoice(options.rcloneConfig, world);
    if (remote === undefined && choice.names.length > 0)
      questions.tell(`Remotes of rclone: ${choice.names.map((each) => `${each}:`).join(" ")}`);
    const to =
      remote ??
      (await questions.ask("Where the encrypted files go, a directory or REMOTE:PATH", {
        check: (text) => choice.check(name, text),
      }));
    const typed =
      passwords === undefined && !choice.isEncrypted(name, to)
        ? await questions.askHidden("A password to encrypt with (nothing: one is made)", {
            check: (text) => text === "" || checkPasswords({ password: text, salt: undefined }),
          })
        : "";
    if (typed !== "")
      await questions.askHidden("The same once more", {
        check: (text) => {
          if (text !== typed) throw usage("expected the same, found another");
        },
      });
    const when =
      cron ??
      (await questions.ask("When it runs, such as 30 3 * * * (nothing: at every run of all)", {
        check: (text) => text === "" || parseCron(text),
      }));
    return {
      ...{ name, source: from, remote: to },
      cron: when === "" ? undefined : when,
      passwords: typed === "" ? passwords : { password: typed, salt: undefined },
    };
  } finally {
    questions.close();
  }
}
