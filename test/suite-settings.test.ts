// The settings of the whole: from the environment, else from a defaults file that nobody runs.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { parseDefaults } from "../lib/suite/defaults.ts";
import { allSettings } from "../lib/suite/settingkeys.ts";
import { loadSettings, type LoadedSettings } from "../lib/suite/settings.ts";
import { failureOf } from "./helpers/config-dir.ts";
import { projectRoot } from "./helpers/command.ts";
import { readPage } from "./helpers/pages.ts";

interface Place {
  readonly file: string;
  readonly dir: string;
  load: (text: string, env?: Readonly<Record<string, string>>) => Promise<LoadedSettings>;
  fail: (text: string, env?: Readonly<Record<string, string>>) => Promise<string>;
}

async function place(t: TestContext): Promise<Place> {
  const dir = await mkdtemp(path.join(tmpdir(), "rclone-backups-settings-"));
  t.after(async () => rm(dir, { recursive: true }));
  const file = path.join(dir, "defaults");
  const load: Place["load"] = async (text, env = {}) => {
    await writeFile(file, text);
    return loadSettings({ env: { RCLONE_BACKUPS_DEFAULTS: file, ...env }, cwd: "/cwd" });
  };
  const fail: Place["fail"] = async (text, env) => {
    const { message, hint } = await failureOf(load(text, env));
    return `${message}${hint === undefined ? "" : ` (${hint})`}`.replaceAll(file, "FILE");
  };
  return { file, dir, load, fail };
}

test("without any settings there are defaults, and nothing is told", async (t) => {
  const { load } = await place(t);
  const { settings, warnings } = await load("# nothing\n\n");
  assert.deepEqual(warnings, []);
  const { verifyBudget, verifyTransactions, verifyDay, jobs, canary, notify } = settings;
  assert.deepEqual(
    { verifyBudget, verifyTransactions, verifyDay, jobs, canary },
    {
      verifyBudget: 1024 ** 3,
      verifyTransactions: undefined,
      verifyDay: "UTC",
      jobs: 4,
      canary: undefined,
    },
  );
  assert.deepEqual(notify.mail, []);
  assert.equal(notify.ping, undefined);
  assert.ok(!notify.on.includes("success") && notify.on.length === 8);
  assert.equal(notify.remindSeconds, 7 * 86_400);
});

test("the environment wins over the file, and an empty variable sets nothing", async (t) => {
  const { load, dir } = await place(t);
  const text = [
    "export JOBS=2 # two",
    "VERIFY_BUDGET=5G",
    "VERIFY_BUDGET='0'",
    `CANARY="https://ping.example/a?b=\\"c\\""`,
    "NOTIFY_SMTP=file:smtp\r",
    "NOTIFY_WEBHOOK=command:secret-tool",
    "NOTIFY_WEBHOOK_TEMPLATE=t.json",
    "NOTIFY_MAIL='me@example.org, root'",
    "NOTIFY_ON=all",
    "HOOK_TIMEOUT=",
  ].join("\n");
  const { settings } = await load(`\uFEFF${text}`, { JOBS: "", VERIFY_DAY: "Asia/Tokyo" });
  assert.equal(settings.jobs, 2);
  assert.equal(settings.verifyBudget, 0);
  assert.equal(settings.verifyDay, "Asia/Tokyo");
  assert.equal(settings.canary, 'https://ping.example/a?b="c"');
  assert.equal(settings.hookTimeoutSeconds, 3600);
  assert.equal(settings.notify.smtp, `file:${dir}/smtp`);
  assert.equal(settings.notify.webhook, "command:secret-tool");
  assert.equal(settings.notify.webhookTemplate, `${dir}/t.json`);
  assert.deepEqual(settings.notify.mail, ["me@example.org", "root"]);
  assert.equal(settings.notify.on.length, 9);
  const other = await load(text, {
    JOBS: "7",
    NOTIFY_SMTP: "file:x",
    NOTIFY_WEBHOOK_TEMPLATE: "y",
  });
  assert.equal(other.settings.jobs, 7);
  assert.equal(other.settings.notify.smtp, "file:/cwd/x");
  assert.equal(other.settings.notify.webhookTemplate, "/cwd/y");
});

test("an unknown name is told with the nearest known one, and stops nothing", async (t) => {
  const { load, file } = await place(t);
  const { warnings } = await load("CANRY=x\nLANG=$(date)\nNOTIFY_WEBHOK=s3cret\nJOBS=3\n");
  assert.deepEqual(
    warnings.map((each) => each.replace(file, "FILE")),
    [
      'FILE:1: expected a setting, found "CANRY", which is none (did you mean CANARY?)',
      'FILE:2: expected a setting, found "LANG", which is none',
      'FILE:3: expected a setting, found "NOTIFY_WEBHOK", which is none (did you mean NOTIFY_WEBHOOK?)',
    ],
  );
});

test("everything that is wrong is told at once with its place, and no secret", async (t) => {
  const { fail } = await place(t);
  const all = await fail(
    [
      "s3cret",
      "JOBS=0",
      "CANARY=https://x/s3cret&b",
      'NOTIFY_NTFY="$s3cret"',
      "NOTIFY_SMTP=ftp://s3cret",
      "BEFORE_ALL=mount /mnt",
      "AFTER_ALL='s3cret",
      "VERIFY_DAY=Berlin",
    ].join("\n"),
    { VERIFY_TRANSACTIONS: "-1" },
  );
  assert.deepEqual(
    all.split("\n"),
    [
      "FILE:1: expected NAME=VALUE, found something else (no spaces around the =; a comment begins with #)",
      "FILE:3: CANARY: expected a plain value, found a bare & (put the value into single quotes)",
      "FILE:4: NOTIFY_NTFY: expected a plain value, found a $ in double quotes (use single quotes)",
      "FILE:6: BEFORE_ALL: expected one word, found a space in it (put the value into single quotes)",
      "FILE:7: AFTER_ALL: expected a closing ', found the end of the line (write the value in one line)",
      'environment VERIFY_TRANSACTIONS: expected a whole number from 1 on, found "-1"',
      'FILE:8: VERIFY_DAY: expected the name of a time zone, found "Berlin" (did you mean Europe/Berlin?)',
      'FILE:2: JOBS: expected a whole number from 1 to 1000, found "0"',
      "FILE:5: NOTIFY_SMTP: expected smtps://… or smtp://…, found something else (a secret's value is not shown here) (correct these 9 places)",
    ].toSorted(byOrder(all)),
  );
  assert.ok(!all.includes("s3cret"));
});

/** The order of the table decides, which is not what this is about. */
function byOrder(text: string): (a: string, b: string) => number {
  return (a, b) => text.indexOf(a) - text.indexOf(b);
}

test("a file of one's own must be there; the usual one need not", async (t) => {
  const { dir } = await place(t);
  const missing = path.join(dir, "none");
  const { message } = await failureOf(
    loadSettings({ env: { RCLONE_BACKUPS_DEFAULTS: missing }, cwd: "/" }),
  );
  assert.equal(
    message,
    `RCLONE_BACKUPS_DEFAULTS: expected settings in ${missing}, found it unreadable (ENOENT)`,
  );
});

test("a value is read as the shell reads it, or not at all", () => {
  const piece = fc.constantFrom(
    "a",
    "é",
    "'",
    '"',
    "\\",
    " ",
    "#",
    "$",
    "=",
    "~",
    "x/y",
    "*",
    "&",
    "\t",
  );
  const values = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(""));
  const taken = fc
    .sample(values, { numRuns: 300, seed: 7 })
    .filter((value) => !value.startsWith("~"))
    .map((value) => ({ value, read: parseDefaults(`V=${value}`).assignments[0] }))
    .filter(({ read }) => read?.problem === undefined);
  assert.ok(taken.length > 50);
  // Each in a shell of its own, so that none can disturb another.
  const script = taken.map(({ value }) => `( V=${value}\nprintf '%s\\0' "$V" )`).join("\n");
  const output = execFileSync("/bin/sh", ["-f"], { input: script, encoding: "utf8" });
  assert.deepEqual(
    output.split("\0").slice(0, -1),
    taken.map(({ read }) => read?.text),
  );
});

test("docs/settings.md and the example have every setting, and what they say of it holds", async (t) => {
  const page = readPage("docs/settings.md");
  for (const key of allSettings) {
    const { name, summary, kind, fallback, example } = key;
    const row = `| \`${name}\` | ${summary} | ${kind.expects.replaceAll("|", "\\|")} | ${fallback === undefined ? "" : `\`${fallback}\``} |`;
    assert.ok(page.includes(row), `expected in docs/settings.md:\n${row}`);
    const [assignment] = parseDefaults(`${name}=${example}`).assignments;
    assert.equal(assignment?.problem, undefined, name);
    assert.doesNotThrow(() => key.read(assignment?.text), name);
  }
  const { load, file } = await place(t);
  const sample = await readFile(
    path.join(projectRoot, "etc/rclone-backups.example/defaults"),
    "utf8",
  );
  assert.deepEqual((await load(sample)).warnings, []);
  const full = sample.replaceAll(/^# ?(?=[A-Z_]+=)/gm, "");
  const { settings, warnings } = await load(full);
  assert.deepEqual(warnings, []);
  assert.equal(settings.notify.command, 'logger -p user.warning "$NOTICE_SUBJECT"');
  const named = new Set(parseDefaults(full).assignments.map(({ name }) => name));
  assert.deepEqual(named, new Set(allSettings.map(({ name }) => name)));
  // A shell reads the same.
  const shown = execFileSync("/bin/sh", ["-c", `. ${file}; printf %s "$NOTIFY_COMMAND"`]);
  assert.equal(shown.toString(), settings.notify.command);
});
