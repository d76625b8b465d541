import type { InitPlan, InitResult } from "../jobs/init.ts";
import { shellWords } from "../units/shellwords.ts";
import { escapeLines, escapeText } from "./escape.ts";

/** What will be done, for the question before it. */
export function initPlanText(plan: InitPlan): string {
  const { name, source, destination, base, remote, configFile, rcloneConfig, sheetFile } = plan;
  const rows = [
    ["backup", `${name}: ${source} to ${destination}`],
    ["encrypted", remote === undefined ? `by the remote of ${base}` : `into ${base}`],
    ["old versions", historyTexts[plan.history] ?? plan.history],
    ["writes", configFile],
    ...(remote === undefined ? [] : [["", `the remote ${remote} into ${rcloneConfig}`]]),
    ...(sheetFile === undefined ? [] : [["", `the recovery sheet ${sheetFile}`]]),
  ];
  return rows.map(([label = "", text = ""]) => `${label.padEnd(13)}${escapeText(text)}\n`).join("");
}

const historyTexts: Readonly<Record<string, string>> = {
  auto: "kept by the store",
  dir: "in dated directories beside the destination",
};

/** What was done, with the sheet unless it is in a file; or what would be. */
export function initText(result: InitResult): string {
  const { dryRun, configText, sheet, sheetFile, passwords, remote, rcloneConfig } = result;
  if (dryRun) return `${initPlanText(result)}\n${indented(configText)}`;
  const lines = [
    `wrote, read back and deleted a file in ${escapeText(result.destination)}\n`,
    ...(remote === undefined
      ? []
      : [`wrote the remote ${remote} into ${escapeText(rcloneConfig)}\n`]),
    `wrote ${escapeText(result.configFile)}\n`,
  ];
  const next = nextSteps(result)
    .map((line) => `  ${escapeText(line)}\n`)
    .join("");
  if (sheetFile === undefined)
    return `${lines.join("")}next:\n${next}\n${escapeLines(sheet ?? "")}`;
  const shown =
    passwords === undefined
      ? ""
      : `password ${passwords.password}\n${passwords.salt === undefined ? "" : `salt     ${passwords.salt}\n`}`;
  return `${lines.join("")}wrote ${escapeText(sheetFile)}: print it, keep it elsewhere, delete the file\n${shown}next:\n${next}`;
}

/** What to type next; a line each. */
function nextSteps({ name }: InitResult): string[] {
  return [
    shellWords(["rclone-backup", "-n", name]),
    shellWords(["rclone-backup", "-v", name]),
    shellWords(["rclone-backup", "--verify", "all", name]),
    "rclone-backups units --systemd",
  ];
}

export function initJson(result: InitResult): object {
  const { name, dryRun, source, destination, base, history, remote } = result;
  return {
    version: 1,
    kind: "init",
    outcome: "done",
    exit_code: 0,
    dry_run: dryRun,
    name,
    source,
    destination,
    base,
    history,
    remote: remote ?? null,
    rclone_config: result.rcloneConfig,
    config: { file: result.configFile, text: result.configText },
    sheet: {
      file: result.sheetFile ?? null,
      // In a file it is for paper: its secrets needn't be here, too.
      text: result.sheetFile === undefined ? (result.sheet ?? null) : null,
    },
    next: dryRun ? [] : nextSteps(result),
  };
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => (line === "" ? "\n" : `    ${escapeText(line)}\n`))
    .join("");
}
