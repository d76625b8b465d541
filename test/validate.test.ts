import assert from "node:assert/strict";
import { appendFile, chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as v from "valibot";
import { validate } from "../lib/jobs/validate.ts";
import { startB2 } from "./helpers/b2/server.ts";
import { makeBackup, type Settings, type TestBackup } from "./helpers/backups.ts";
import { suite } from "./helpers/init.ts";
import { oldRclone } from "./helpers/rclones.ts";

// What is wrong is told before a night fails of it, with what to do about it.

const finding = v.object({
  level: v.picklist(["error", "unreachable", "warning"]),
  check: v.string(),
  text: v.string(),
  hint: v.nullable(v.string()),
});

const schema = v.object({
  version: v.literal(1),
  kind: v.literal("validate"),
  outcome: v.string(),
  exit_code: v.number(),
  findings: v.array(finding),
  backups: v.array(
    v.object({
      name: v.string(),
      file: v.string(),
      source: v.nullable(v.string()),
      destination: v.nullable(v.string()),
      rclone: v.nullable(v.string()),
      findings: v.array(finding),
    }),
  ),
});

type Document = v.InferOutput<typeof schema>;

async function checked(
  box: TestBackup,
  code: number,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Document> {
  const result = await suite(box, ["validate", "--json", ...args], { env });
  assert.equal(result.code, code, `${result.stderr}${result.stdout}`);
  const document = v.parse(schema, JSON.parse(result.stdout));
  assert.equal(document.exit_code, code);
  return document;
}

/** What was found about a backup, a line each. */
function lines({ backups }: Document, name = "home"): string[] {
  const found = backups.find((backup) => backup.name === name);
  assert.ok(found, `expected ${name}`);
  for (const { hint, text } of found.findings) assert.ok(hint !== "", text);
  return found.findings.map(({ level, check, text }) => `${level} ${check}: ${text}`);
}

const kept: Settings = { default: { destination: "secret:data" }, history: { kind: "dir" } };

function fine(t: TestContext): Promise<TestBackup> {
  return makeBackup(t, oldRclone, kept, { a: "1" });
}

test("a backup that is fine is called so, and nothing is written", async (t) => {
  const box = await fine(t);
  const text = await suite(box, ["validate"]);
  assert.equal(text.code, 0, text.stderr);
  assert.equal(text.stdout, "home: fine\n");
  assert.equal(text.stderr, "");
  const quiet = await suite(box, ["validate", "-q", "home"]);
  assert.equal(quiet.stdout, "");
  const document = await checked(box, 0);
  assert.deepEqual(lines(document), []);
  assert.match(document.backups[0]?.rclone ?? "", /^1\.\d+\.\d+$/);
  for (const place of [box.state, box.store]) assert.deepEqual(await readdir(place), []);
});

test("everything that is wrong in configurations is told with its place, and rclone for the others", async (t) => {
  const box = await fine(t);
  await box.writeConfig("bad", "[default]\nsource = /x\nfoo = 1\n[guards]\nmax_delete = x\n");
  await box.writeConfig("gone", "[default]\nsource = .\ndestination = nowhere:x\n");
  await box.writeConfig(
    "old",
    "[default]\nsource = .\ndestination = /mnt/x\n[rclone]\nprogram = ./old\n",
  );
  await writeFile(path.join(box.config, "old"), "#!/bin/sh\necho rclone v1.50.0\n");
  await chmod(path.join(box.config, "old"), 0o755);
  await box.writeConfig(
    "none",
    "[default]\nsource = .\ndestination = /mnt/y\n[rclone]\nprogram = no-rclone\n",
  );
  const document = await checked(box, 2);
  const [bad = ""] = lines(document, "bad");
  assert.match(bad, /^error configuration: .*bad\.conf:3:1: .*foo/);
  assert.match(bad, /bad\.conf:5:\d+: .*max_delete|bad\.conf:5:14: /);
  assert.match(lines(document, "gone").join(), /error rclone: remote nowhere: expected a remote/);
  assert.match(lines(document, "old").join(), /error rclone: .*expected rclone 1\.60\.0 or newer/);
  assert.match(
    lines(document, "none").join(),
    /error rclone: rclone: expected a program no-rclone/,
  );
  assert.deepEqual(lines(document), []);
  const text = await suite(box, ["validate", "gone", "home"]);
  assert.match(
    text.stdout,
    /^gone: 1 error\n {2}error {8}remote nowhere: .*\n {15}hint: .*\nhome: fine\n$/,
  );
});

test("hooks, schedule, notices and overlaps", async (t) => {
  const box = await fine(t);
  const template = path.join(box.root, "template.json");
  await writeFile(template, '{"text": {{subject}}}');
  await box.configure({
    ...kept,
    default: {
      destination: "secret:data",
      pre_command: "no-such-exporter --all",
      post_command: "if true; then echo",
      failure_command: 'X=1 && cd / && test -e "$HOME" # fine',
    },
    schedule: { cron: "* * * * *", skip_unless: "echo a >/nowhere/b; exit 1" },
  });
  const file = path.join(box.config, "home.conf");
  await appendFile(
    file,
    `[notify]\nwebhook = file:${box.root}/no-such-file\nwebhook_template = ${template}\nntfy = command:echo not-a-url\nmail = root\nsmtp = command:echo smtp://mail.example:25\n`,
  );
  await box.writeConfig(
    "twin",
    `[default]\nsource = ${box.source}\ndestination = secret:data/in\n`,
  );
  const found = lines(await checked(box, 2)).join("\n");
  assert.match(
    found,
    /^error hooks: pre_command: expected a program "no-such-exporter", found none in PATH$/m,
  );
  assert.match(
    found,
    /^error hooks: post_command: expected a command that \/bin\/sh can read, found a mistake/m,
  );
  assert.doesNotMatch(found, /failure_command|skip_unless|smtp/);
  assert.match(found, /^warning schedule: schedule\.cron: expected a quarter of an hour/m);
  assert.match(
    found,
    /^error notify: webhook: expected a file with the secret, found .* unreadable/m,
  );
  assert.match(
    found,
    /^error notify: ntfy: expected https:\/\/… or http:\/\/…, found something else/m,
  );
  assert.match(found, /^error notify: webhook_template: expected JSON/m);
  assert.match(found, /^error destination: destination: expected a place of its own/m);
  assert.doesNotMatch(found, /not-a-url/);
});

test("what can't be reached or is not there exits 1, and a wrong configuration goes first", async (t) => {
  const box = await fine(t);
  await rm(box.source, { recursive: true });
  const away = lines(await checked(box, 1));
  assert.match(away.join(), /^unreachable source: source: expected a directory .* ENOENT$/);
  await mkdir(box.source);
  assert.match(lines(await checked(box, 0)).join(), /^warning source: .*found it empty$/);
  await box.configure({ ...kept, guards: { require_file: "real", require_mount: "/nowhere" } });
  assert.match(
    lines(await checked(box, 1)).join("\n"),
    /^unreachable source: guards\.require_mount/m,
  );
  await box.configure({ default: { destination: "plain:deep/er/x" } });
  const document = await checked(box, 0);
  assert.match(lines(document).join("\n"), /^warning history: .*keeps none$/m);
  assert.match(
    lines(document).join("\n"),
    /^warning destination: .*expected a directory .*deep\/er, found none$/m,
  );
  await box.configure({ default: { destination: "plain:x" }, history: { prune: "yes" } });
  assert.match(lines(await checked(box, 2)).join("\n"), /^error history: /m);
});

test("a host that is down, and one that takes connections and says nothing", async (t) => {
  const box = await fine(t);
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => void silent.listen(0, "127.0.0.1", resolve));
  t.after(() => silent.close());
  const address = silent.address();
  const port = address !== null && typeof address !== "string" ? address.port : 0;
  await appendFile(
    box.rcloneConf,
    `[down]\ntype = sftp\nhost = no-such-host.invalid\n[mute]\ntype = webdav\nurl = http://127.0.0.1:${port}\n`,
  );
  await box.configure({ ...kept, default: { destination: "down:x" } });
  const down = lines(await checked(box, 1)).join();
  assert.match(
    down,
    /^unreachable destination: destination: expected no-such-host\.invalid:22 to take/,
  );
  await box.configure({ ...kept, default: { destination: "mute:x" } });
  const events = { warn: () => {}, detail: () => {}, progress: () => {} };
  const found = await validate(
    { names: ["home"], configDir: box.config, set: [], rcloneConfig: undefined, limit: 2000 },
    {
      ...{ env: box.env, cwd: box.root, isRoot: false, now: () => new Date(), events },
      signal: new AbortController().signal,
    },
  );
  assert.equal(found.outcome, "failed");
  assert.deepEqual(
    found.backups[0]?.findings.map(({ level, text }) => `${level} ${text}`),
    ["unreachable destination: expected an answer within 2 s, found none"],
  );
});

test("the capabilities of a B2 key, and the store's clock", async (t) => {
  const box = await fine(t);
  const server = await startB2(t, { now: Date.now() });
  const all = ["listBuckets", "listFiles", "readFiles", "writeFiles", "deleteFiles"];
  const check = async (capabilities: string[], code: number, settings: Settings = {}) => {
    await box.configure({ default: { destination: `far:${server.bucket}/x` }, ...settings });
    const key = server.addKey({ capabilities });
    return lines(await checked(box, code, [], server.rcloneEnv("far", key))).join("\n");
  };
  assert.equal(await check(all, 0), "");
  const nightly = all.slice(0, -1);
  assert.match(
    await check(nightly, 0),
    /^warning key: application key .* deleteFiles .*without it$/,
  );
  assert.match(
    await check(nightly, 2, { history: { prune: "yes" } }),
    /^error key: application key .* the capability deleteFiles/,
  );
  assert.match(await check(["listBuckets", "listFiles"], 2), /^error key: .* capability readFiles/);
  server.clock.advance(3 * 3_600_000);
  assert.match(await check(all, 0), /^warning clock: .*found it .*3 h.* behind$/);
});

test("names that are too long once they are encrypted", async (t) => {
  const box = await fine(t);
  const long = `${"n".repeat(150)}.txt`;
  await box.write({ [`deep/${long}`]: "x", [`deep/${"ä".repeat(71)}`]: "fits" });
  const [only = "", ...more] = lines(await checked(box, 0));
  assert.deepEqual(more, []);
  assert.match(only, /^warning names: .*at most 143 bytes.*found 1 longer ones, such as deep\/nnn/);
});

test("--show prints what holds for one, and settings of the whole are checked too", async (t) => {
  const box = await fine(t);
  const shown = await suite(box, ["validate", "--show", "home", "--set", "guards.max_delete=7%"]);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /^max_delete = 7% +; --set$/m);
  const same = await box.backup(["--show-config", "--set", "guards.max_delete=7%", "home"]);
  assert.equal(shown.stdout, same.stdout);
  const two = await suite(box, ["validate", "--show"]);
  assert.equal(two.code, 2);
  const defaults = path.join(box.root, "defaults");
  await writeFile(defaults, "JOBS=many\nBEFORE_ALL='no-such-thing x'\n");
  const env = { RCLONE_BACKUPS_DEFAULTS: defaults };
  const [first] = (await checked(box, 2, [], env)).findings;
  assert.match(first?.text ?? "", /defaults:1: JOBS: /);
  await writeFile(defaults, "BEFORE_ALL='no-such-thing x'\nCANRY=x\n");
  const found = (await checked(box, 2, [], env)).findings.map(({ text }) => text).join("\n");
  assert.match(found, /^BEFORE_ALL: expected a program "no-such-thing"/m);
  assert.match(found, /did you mean CANARY/);
});
