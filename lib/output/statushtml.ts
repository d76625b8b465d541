import type { BackupState, BackupStatus, Remark, SuiteStatus } from "../jobs/status/value.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import { textFromRaw } from "../units/rawpath.ts";
import { escapeLines, escapeText } from "./escape.ts";
import { digest, escapeHtml } from "./html.ts";
import { sizeChart, timeChart, verifiedChart } from "./statuscharts.ts";
import { statusStyle } from "./statusstyle.ts";
import { percent, spanTo, tookText } from "./statustext.ts";

const pathsShown = 20;

/**
 * A page of its own with charts: it needs no script and nothing from anywhere, and its policy lets it load
 * nothing. Names and messages are text in it.
 */
export function statusPage(status: SuiteStatus): string {
  const { at, backups, remarks } = status;
  const now = Date.parse(at);
  const policy = `default-src 'none'; style-src '${digest(statusStyle)}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Backups: ${sumOf(backups)}</title>
<style>${statusStyle}</style>
</head>
<body>
<header>
<h1>Backups</h1>
<p>${sumOf(backups)}, at ${timeElement(at)}. ${lastRunOfAll(status, now)}</p>
${remarkList(remarks)}
</header>
<div class="scroll"><table>
<caption>All backups</caption>
<thead><tr><th scope="col">backup</th><th scope="col">state</th><th scope="col">last run</th><th scope="col" class="num">took</th><th scope="col" class="num">files</th><th scope="col" class="num">size</th><th scope="col" class="num">verified in 30 days</th><th scope="col">next run</th></tr></thead>
<tbody>
${backups.map((backup, at_) => row(backup, at_, now)).join("\n")}
</tbody>
</table></div>
<main>
${backups.map((backup, at_) => card(backup, at_, now)).join("\n")}
</main>
<footer>Made by rclone-backups status. Point at a run in a chart to read about it.</footer>
</body>
</html>
`;
}

const moods: Readonly<Partial<Record<BackupState, string>>> = {
  good: "good",
  running: "good",
  warning: "mild",
  skipped: "mild",
  partial: "mild",
  paused: "mild",
};

function mood(state: BackupState): string {
  return moods[state] ?? "bad";
}

function row(backup: BackupStatus, number: number, now: number): string {
  const { name, state, last, good, verified, nextAt } = backup;
  const size = last?.source ?? good;
  const month = verified?.within.find(({ days }) => days === 30);
  const cells = [
    `<th scope="row"><a href="#b${number}"><bdi>${safe(name)}</bdi></a></th>`,
    `<td>${badge(state)}</td>`,
    `<td>${last === undefined ? "" : `${spanTo(now, last.finishedAt)} ago`}</td>`,
    `<td class="num">${last === undefined ? "" : tookText(last)}</td>`,
    `<td class="num">${size?.files.toLocaleString("en-US") ?? ""}</td>`,
    `<td class="num">${size === undefined ? "" : formatBytes(size.bytes)}</td>`,
    `<td class="num">${month === undefined ? "" : percent(month.bytes)}</td>`,
    `<td>${nextAt === undefined ? "" : `in ${spanTo(now, nextAt)}`}</td>`,
  ];
  return `<tr>${cells.join("")}</tr>`;
}

function badge(state: BackupState): string {
  return `<span class="state ${mood(state)}">${state}</span>`;
}

function card(backup: BackupStatus, number: number, now: number): string {
  const { name, state, runs, verified, remarks, differences } = backup;
  return `<article id="b${number}" class="${mood(state)}">
<h2><bdi>${safe(name)}</bdi> ${badge(state)}</h2>
${remarkList(remarks)}${pathList(differences)}
<dl>${facts(backup, now)}</dl>
${sizeChart(runs)}${timeChart(runs)}${verified === undefined ? "" : verifiedChart(verified)}
</article>`;
}

function facts(backup: BackupStatus, now: number): string {
  const { source, destination, last, good, nextAt, schedule, verified } = backup;
  const list: (readonly [string, string | undefined])[] = [
    ["source", source === undefined ? undefined : safe(source)],
    ["destination", destination === undefined ? undefined : safe(destination)],
    [
      "last run",
      last === undefined ? undefined : `${timeElement(last.finishedAt)}, ${last.result}`,
    ],
    ["changes", last?.added === undefined ? undefined : changes(last)],
    [
      "last good",
      good === undefined
        ? undefined
        : `${timeElement(good.finishedAt)}, ${formatFiles(good.files)} (${formatBytes(good.bytes)})`,
    ],
    [
      "next run",
      nextAt === undefined
        ? undefined
        : `${timeElement(nextAt)}, in ${spanTo(now, nextAt)} (${safe(schedule?.cron ?? "")})`,
    ],
    ["all verified", verified === undefined ? undefined : allText(verified.all)],
  ];
  return list
    .map(([title, text]) => (text === undefined ? "" : `<dt>${title}</dt><dd>${text}</dd>`))
    .join("");
}

function changes({ added, changed, deleted }: NonNullable<BackupStatus["last"]>): string {
  return [
    `${added?.files ?? 0} new`,
    `${changed?.files ?? 0} changed`,
    `${deleted?.files ?? 0} deleted`,
  ].join(", ");
}

function allText(all: NonNullable<BackupStatus["verified"]>["all"]): string {
  if ("since" in all) return `since ${safe(all.since)}`;
  return "date" in all ? `by ${safe(all.date)}` : safe(all.never);
}

function remarkList(remarks: readonly Remark[]): string {
  if (remarks.length === 0) return "";
  const items = remarks.map(
    ({ text, hint }) =>
      `<li>${safeLines(text)}${hint === undefined ? "" : `<small>${safe(hint)}</small>`}</li>`,
  );
  return `<ul>${items.join("")}</ul>`;
}

function pathList(paths: BackupStatus["differences"]): string {
  if (paths.length === 0) return "";
  const items = paths
    .slice(0, pathsShown)
    .map((path) => `<li><bdi>${safe(textFromRaw(path))}</bdi></li>`);
  if (paths.length > pathsShown) items.push(`<li>… and ${paths.length - pathsShown} more</li>`);
  return `<ul>${items.join("")}</ul>`;
}

function lastRunOfAll({ run }: SuiteStatus, now: number): string {
  return run === undefined
    ? ""
    : `The last run of all ended ${spanTo(now, run.finishedAt)} ago: ${run.outcome}.`;
}

function sumOf(backups: readonly BackupStatus[]): string {
  const good = backups.filter(({ outcome }) => outcome === "done").length;
  return good === backups.length ? `all ${good} good` : `${good} of ${backups.length} good`;
}

function timeElement(time: string): string {
  const iso = new Date(time).toISOString();
  return `<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;
}

function safe(text: string): string {
  return escapeHtml(escapeText(text));
}

function safeLines(text: string): string {
  return escapeHtml(escapeLines(text));
}
