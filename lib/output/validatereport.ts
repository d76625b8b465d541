import { exitCodes } from "../errors.ts";
import type { Validated, Validation } from "../jobs/validate.ts";
import type { Finding } from "../jobs/validate/finding.ts";
import { escapeLines, escapeText } from "./escape.ts";

/** A line a backup, and below it what was found, with what to do about it. */
export function validateText({ backups, findings }: Validation): string {
  const general = findings.length === 0 ? "" : block("all backups", findings);
  return general + backups.map(backupText).join("");
}

function backupText({ name, findings }: Validated): string {
  return findings.length === 0 ? `${escapeText(name)}: fine\n` : block(name, findings);
}

function block(name: string, findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ level, text, hint }) => [
    ...labelled(labels[level], text),
    ...(hint === undefined ? [] : labelled("", `hint: ${hint}`)),
  ]);
  return `${escapeText(name)}: ${summary(findings)}\n${lines.join("")}`;
}

const labels = { error: "error", unreachable: "not reached", warning: "warning" } as const;

const width = 13;

function labelled(label: string, text: string): string[] {
  return escapeLines(text)
    .split("\n")
    .map((line, at) => `  ${(at === 0 ? label : "").padEnd(width)}${line.trimStart()}\n`);
}

function summary(findings: readonly Finding[]): string {
  const count = (level: Finding["level"], one: string, many: string): string[] => {
    const found = findings.filter((finding) => finding.level === level).length;
    return found === 0 ? [] : [`${found} ${found === 1 ? one : many}`];
  };
  return [
    ...count("error", "error", "errors"),
    ...count("unreachable", "place not reached", "places not reached"),
    ...count("warning", "warning", "warnings"),
  ].join(", ");
}

export function validateJson({ backups, findings, outcome }: Validation): object {
  return {
    version: 1,
    kind: "validate",
    outcome,
    exit_code: exitCodes[outcome],
    findings: findings.map(findingJson),
    backups: backups.map(({ name, file, source, destination, rclone, findings: own }) => ({
      ...{ name, file, source: source ?? null, destination: destination ?? null },
      rclone: rclone ?? null,
      findings: own.map(findingJson),
    })),
  };
}

function findingJson({ level, check, text, hint }: Finding): object {
  return { level, check, text, hint: hint ?? null };
}
