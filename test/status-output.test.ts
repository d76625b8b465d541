import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { sizeBars } from "../lib/output/bars.ts";
import { statusDetails } from "../lib/output/statusdetail.ts";
import { statusJson } from "../lib/output/statusjson.ts";
import { statusPrometheus } from "../lib/output/statusprometheus.ts";
import { percent, statusTable } from "../lib/output/statustext.ts";
import type { ResultLook } from "../lib/output/terminal.ts";
import { compiled, run, type Result } from "./helpers/command.ts";
import { lastWas, makeStateDir, runBefore, type StateDir } from "./helpers/keptstate.ts";

/* How a status is shown: lines, JSON and metrics. */

const plain: ResultLook = { columns: undefined, colored: false, unicode: true };

const sizes = [0, 1000, 2500, 5000].map((bytes, at) =>
  runBefore(44 - at * 12, { source: { files: 10, bytes } }),
);
const failing = runBefore(2, {
  result: "failure",
  exitCode: 1,
  message: "2 files:\n  a\n  \u001B[31mb",
});

/** Three backups: a good one with a schedule, a failing one, and one that never ran. */
async function three(t: TestContext): Promise<StateDir> {
  const dir = await makeStateDir(t);
  await dir.writeConfig("a", "[schedule]\ncron = 0 15 * * *\ntime_zone = UTC\n");
  await dir.writeConfig("b");
  await dir.writeConfig("c");
  const last = sizes.at(-1) ?? runBefore(1);
  await dir.writeState("a", { record: lastWas(last), runs: sizes });
  await dir.writeState("b", {
    record: { ...lastWas(runBefore(20)), ...lastWas(failing) },
    runs: [...sizes, failing],
    files: { "mend.list": "notes/\u001B[2Jx\n" },
  });
  return dir;
}

test("a table: a line a backup, then what has to be said", async (t) => {
  const dir = await three(t);
  const status = await dir.status();
  assert.deepEqual(statusTable(status, plain).replaceAll(`${dir.config}/`, "").split("\n"), [
    "backup  state   last run  took      size  sizes  verified  next",
    "a       good    8 h ago   90 s  4.88 KiB  ▁▂▅█             in 3 h",
    "b       failed  2 h ago   90 s  4.88 KiB  ▁▂▅█×",
    "c       never",
    "",
    "b: 2 files …",
    "b: 1 stored file was found different from the source, and nothing has proved it since",
    "  the next backup uploads it again; rclone-backup --verify all b.conf proves it",
    "c: it never ran",
    "  rclone-backup c.conf",
    "",
    "3 backups: 1 good, 1 failed, 1 never",
    "",
  ]);
});

test("it fits: what matters least goes first, and the state always stays", async (t) => {
  const dir = await three(t);
  await dir.writeConfig("a-name-that-is-quite-long-for-a-backup");
  const status = await dir.status();
  for (const columns of [80, 72, 60, 45]) {
    const rows = statusTable(status, { ...plain, columns })
      .split("\n")
      .slice(0, 5);
    for (const row of rows) assert.ok(row.length <= Math.max(columns, 59), `${columns}: ${row}`);
    assert.match(rows[0] ?? "", /^backup +state +last run/);
  }
  const [wide = "", narrow = ""] = [200, 70].map(
    (columns) => statusTable(status, { ...plain, columns }).split("\n")[0],
  );
  assert.match(wide, /took +size +sizes +verified +next$/);
  assert.doesNotMatch(narrow, /took|next/);
});

test("colours only where they are wanted, blocks only where the locale has them", async (t) => {
  const status = await (await three(t)).status();
  assert.ok(!statusTable(status, plain).includes("\u001B"));
  const colored = statusTable(status, { ...plain, colored: true });
  assert.ok(colored.includes("\u001B[32mgood\u001B[0m"));
  assert.ok(colored.includes("\u001B[31mfailed\u001B[0m"));
  const skipped = runBefore(1, { result: "skipped", exitCode: 75 });
  assert.equal(sizeBars([...sizes, failing, skipped], true), "▁▂▅█×·");
  assert.equal(sizeBars([...sizes, failing, skipped], false), "_.+#x,");
  assert.equal(sizeBars([], true), "");
});

test("the details of one backup, escaped", async (t) => {
  const dir = await three(t);
  const status = await dir.status({ names: ["b"] });
  const text = statusDetails(status, "Europe/Berlin", plain);
  assert.ok(!text.includes("\u001B"));
  assert.deepEqual(text.replaceAll(`${dir.config}/`, "").split("\n"), [
    "b: failed",
    "  source      /srv/b",
    "  destination secret:b",
    "  configured  b.conf",
    "  last run    2026-03-05 11:00:00 +01:00 (2 h ago): failure (1), took 90 s",
    "              10 files (4.88 KiB) in the source",
    "              1 new (100 B), 0 changed, 2 deleted (300 B)",
    "  last good   2026-03-04 17:00:00 +01:00 (20 h ago): 10 files (4.88 KiB)",
    "  sizes       ▁▂▅█×",
    "  2 files:",
    "    a",
    "    \\x1b[31mb",
    "  1 stored file was found different from the source, and nothing has proved it since",
    "    the next backup uploads it again; rclone-backup --verify all b.conf proves it",
    "    notes/\\x1b[2Jx",
    "",
  ]);
  const next = statusDetails(await dir.status({ names: ["a"] }), "UTC", plain);
  assert.match(
    next,
    /\n {2}next run {4}2026-03-05 15:00:00 \+00:00 \(in 3 h\), by 0 15 \* \* \* UTC\n/,
  );
});

test("a share is never rounded up to all", () => {
  assert.deepEqual([1, 0.99999, 0.982, 0].map(percent), ["100 %", "99.9 %", "98.2 %", "0.0 %"]);
});

test("JSON says it all, and means the same", async (t) => {
  const status = await (await three(t)).status();
  const document = JSON.stringify(statusJson(status));
  assert.match(
    document,
    /^\{"version":1,"kind":"status","at":"2026-03-05T12:00:00\.000Z","outcome":"failed","exit_code":1,/,
  );
  assert.match(
    document,
    /"differences":\{"count":1,"paths":\[\{"path":"notes\/\\u001b\[2Jx"\}\]\}/,
  );
  assert.match(document, /"next_at":"2026-03-05T15:00:00\.000Z"/);
});

test("metrics: one family after the other, labels escaped, only what is known", async (t) => {
  const dir = await three(t);
  await dir.writeConfig('d"\\\n');
  const text = statusPrometheus(await dir.status());
  const lines = text.trimEnd().split("\n");
  for (const line of lines)
    assert.match(
      line,
      /^(?:# (?:HELP|TYPE) \S+ .+|[a-z_]+(?:\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="[^"]*")*\})? -?[\d.e+]+)$/,
    );
  assert.ok(lines.includes('rclone_backups_exit_code{backup="d\\"\\\\\\n"} 1'));
  assert.ok(lines.includes('rclone_backups_state{backup="b",state="failed"} 1'));
  assert.ok(lines.includes('rclone_backups_last_run_bytes{backup="a",kind="source"} 5000'));
  assert.ok(lines.includes('rclone_backups_open_differences{backup="b"} 1'));
  const success = Date.parse(runBefore(20).finishedAt) / 1000;
  assert.ok(lines.includes(`rclone_backups_last_success_timestamp_seconds{backup="b"} ${success}`));
  assert.ok(!/last_success_timestamp_seconds\{backup="c"/.test(text));
  const types = lines.filter((line) => line.startsWith("# TYPE"));
  assert.equal(new Set(types).size, types.length);
});

const command = async (dir: StateDir, ...args: string[]): Promise<Result> =>
  run(process.execPath, [compiled("rclone-backups"), "status", ...args], {
    env: { ...dir.env, LANG: "C.UTF-8", TZ: "UTC" },
    cwd: dir.config,
  });

test("the command: tables, files, exit codes, and no rclone anywhere", async (t) => {
  const dir = await three(t);
  const shown = await command(dir);
  assert.deepEqual([shown.code, shown.stderr], [1, ""]);
  assert.match(shown.stdout, /^backup +state .*\na +overdue /);
  const one = await command(dir, "--color", "always", "c");
  assert.ok(one.stdout.startsWith("\u001B[1mc\u001B[0m: \u001B[31mnever\u001B[0m\n"));

  const metrics = path.join(dir.config, "metrics.prom");
  const page = path.join(dir.config, "page.html");
  const files = await command(dir, "--prometheus", metrics, "--html", page, "--json");
  assert.deepEqual([files.code, files.stderr], [1, ""]);
  assert.match(files.stdout, /^\{"version":1,"kind":"status",.*\}\n$/);
  assert.match(await readFile(metrics, "utf8"), /^# HELP rclone_backups_/);
  // The collector of another user reads the metrics; the page has names of files.
  assert.deepEqual(
    [(await stat(metrics)).mode & 0o777, (await stat(page)).mode & 0o777],
    [0o644, 0o600],
  );
  assert.match((await command(dir, "--html")).stdout, /^<!doctype html>/);
  const missing = await command(dir, "--prometheus", path.join(dir.config, "no/where"));
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^rclone-backups: error: .*no\/where/);
});

test("the command: wrong usage ends with 2 and a hint", async (t) => {
  const dir = await three(t);
  for (const [args, expected] of [
    [["--frob"], /unknown option '--frob'\nrclone-backups: hint: rclone-backups status --help/],
    [["d"], /error: d: expected a backup's name/],
    [["--config-dir", "/not/there"], /\/not\/there: expected a directory of configurations/],
    [["--time-zone", "Mars"], /expected the name of a time zone, found "Mars"/],
  ] as const) {
    const { code, stderr } = await command(dir, ...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, expected);
    assert.match(stderr, /^rclone-backups: error: /);
  }
});

test("--help of the command and of status: exit codes, examples, 80 columns", async () => {
  for (const args of [["--help"], ["status", "--help"]]) {
    const { code, stdout } = await run(process.execPath, [compiled("rclone-backups"), ...args]);
    assert.equal(code, 0);
    assert.match(stdout, /Examples:\n {2}rclone-backups status/);
    assert.match(stdout, /\n {2}75 /);
    assert.ok(
      stdout.split("\n").every((line) => line.length <= 80),
      stdout,
    );
  }
});
