import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { allKeys } from "../lib/config/definition.ts";
import { environmentName } from "../lib/config/keys.ts";
import { parseText } from "../lib/config/parse.ts";
import { loadBackup } from "../lib/config/load.ts";
import { noticeEvents } from "../lib/units/noticeevent.ts";
import { failureOf, makeConfigDir, minimal } from "./helpers/config-dir.ts";

test("the smallest configuration gets every default", async (t) => {
  const { write, load, dir } = await makeConfigDir(t);
  await write({ "data.conf": minimal });
  const { backup } = await load("data");
  assert.deepEqual(backup, {
    name: "data",
    file: path.join(dir, "data.conf"),
    source: "/src",
    destination: "r:dst",
    archiveSpecials: true,
    copyLinks: false,
    hooks: { pre: undefined, post: undefined, failure: undefined, timeoutSeconds: undefined },
    filters: [],
    testFilters: [],
    guards: {
      requireMount: undefined,
      requireFile: undefined,
      maxDelete: { kind: "percent", percent: 50 },
      maxChange: { kind: "off" },
    },
    rclone: {
      program: "rclone",
      config: undefined,
      password: undefined,
      transfers: undefined,
      checkers: undefined,
      bwlimit: undefined,
      flags: [],
    },
    verify: { conditions: [], mend: true, budget: undefined, hashEverySeconds: undefined },
    history: { kind: "auto", dir: undefined, prune: false },
    schedule: {
      cron: undefined,
      timeZone: undefined,
      skipUnless: undefined,
      requireNetwork: false,
      requirePower: false,
      maxLoad: undefined,
      probe: true,
    },
    notify: {
      mail: [],
      mailFrom: undefined,
      smtp: undefined,
      webhook: undefined,
      webhookTemplate: undefined,
      ntfy: undefined,
      ping: undefined,
      command: undefined,
      on: noticeEvents.filter((event) => event !== "success"),
      remindSeconds: 7 * 86_400,
    },
    policies: new Map(),
    retention: [],
  });
});

test("every key is read", async (t) => {
  const { write, load, dir } = await makeConfigDir(t);
  const file = await write({
    "data.conf": `# a comment
[default]            ; another
source=/srv/data#1;x ; a directory
destination = "r:a ; b"  # quoted
archive_specials = NO
copy_links = 1
pre_command = echo "a ; b" \${HOME} it's ; gone
post_command = 'echo "\\n" # kept'
failure_command = "say \\"no\\""
timeout = 1h30m
[filters]
- [abc]*
# a comment
  ; another

+ /x ; part of the rule
[ test-filters ] ; a header
- /isos/**
[guards]
require_mount = /srv
require_file = .mark
max_delete = 10G
max_change = 1000
[rclone]
program = ./rclone
config = rclone.conf
password = p;w#
transfers = 8
checkers = 16
bwlimit = 08:00,512k 23:00,10M:off
flags = --buffer-size 32M --user-agent='a b' --fast-list
[verify]
conditions = data=<50%, age=30d
  hash = x
mend = no
budget = 1.5G
hash_every = 30d
[history]
kind = dir
dir = r:old ; versions
prune = yes
[policies]
weekly = 7 * 365 ; a comment
[retention]
/photos/** = forever
 # a comment
*.iso = weekly ; a comment
[schedule]
cron = 30  3 * * 1-5 ; on working days
time_zone = Europe/Berlin
skip_unless = test -e \${HOME}/ready
require_network = yes
require_power = TRUE
max_load = 0.75
probe = 0
[notify]
mail = me@example.org, root
mail_from = backup@example.org
smtp = smtps://me:hunter2@mail.example
webhook = file:webhook
webhook_template = template.json
ntfy = command:cat ntfy
ping = https://ping.example/1#2
command = 'logger # x'
on = missed failure,success
remind = 1d12h
`.replace("  hash = x\n", ""),
  });
  const { backup } = await load(file);
  assert.deepEqual(backup, {
    name: "data",
    file,
    source: "/srv/data#1;x",
    destination: "r:a ; b",
    archiveSpecials: false,
    copyLinks: true,
    hooks: {
      pre: 'echo "a ; b" ${HOME} it\'s',
      post: 'echo "\\n" # kept',
      failure: 'say "no"',
      timeoutSeconds: 5400,
    },
    filters: ["- [abc]*", "+ /x ; part of the rule"],
    testFilters: ["- /isos/**"],
    guards: {
      requireMount: "/srv",
      requireFile: ".mark",
      maxDelete: { kind: "bytes", bytes: 10 * 1024 ** 3 },
      maxChange: { kind: "files", files: 1000 },
    },
    rclone: {
      program: path.join(dir, "rclone"),
      config: path.join(dir, "rclone.conf"),
      password: "p;w#",
      transfers: 8,
      checkers: 16,
      bwlimit: "08:00,512k 23:00,10M:off",
      flags: ["--buffer-size=32M", "--user-agent=a b", "--fast-list"],
    },
    verify: {
      conditions: ["data=<50%", "age=30d"],
      mend: false,
      budget: 1.5 * 1024 ** 3,
      hashEverySeconds: 30 * 86_400,
    },
    history: { kind: "dir", dir: "r:old", prune: true },
    schedule: {
      cron: "30 3 * * 1-5",
      timeZone: "Europe/Berlin",
      skipUnless: "test -e ${HOME}/ready",
      requireNetwork: true,
      requirePower: true,
      maxLoad: 0.75,
      probe: false,
    },
    notify: {
      mail: ["me@example.org", "root"],
      mailFrom: "backup@example.org",
      smtp: "smtps://me:hunter2@mail.example",
      webhook: `file:${path.join(dir, "webhook")}`,
      webhookTemplate: path.join(dir, "template.json"),
      ntfy: "command:cat ntfy",
      ping: "https://ping.example/1#2",
      command: "logger # x",
      on: ["success", "failure", "missed"],
      remindSeconds: 1.5 * 86_400,
    },
    policies: new Map([
      [
        "weekly",
        {
          name: "weekly",
          keeps: "some",
          steps: [
            { days: 7, repeat: "always" },
            { days: 365, repeat: "no" },
          ],
        },
      ],
    ]),
    retention: [
      { pattern: "/photos/**", policy: "forever", origin: `${file}:44` },
      { pattern: "*.iso", policy: "weekly", origin: `${file}:46` },
    ],
  });
});

test("a byte order mark and CRLF make no difference", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const text = `${minimal}[filters]\n- a b \n+ c\n[verify]\nmend = no`;
  await write({ "a.conf": text, "b.conf": `\uFEFF${text.replaceAll("\n", "\r\n")}` });
  const [plain, windows] = [await load("a"), await load("b")];
  assert.deepEqual(windows.backup.filters, ["- a b ", "+ c"]);
  assert.deepEqual({ ...windows.backup, name: "a", file: plain.backup.file }, plain.backup);
});

test("every key of the definition reaches the backup, from a file, the environment and --set", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const secret = await write({
    secret: "hunter2\n",
    "common.conf": "[verify]\nconditions = hash\n",
  });
  await write({ "x.conf": minimal.replace("/src", "/other").replace("r:dst", "r:other") });
  const { backup: plain } = await load("x");
  for (const key of allKeys) {
    const value = key.kind.secret === true ? `file:${secret}` : key.example;
    const bySet = await load("x", { set: [`${key.id}=${value}`] });
    assert.notDeepEqual(bySet.backup, plain, key.id);
    const byEnvironment = await load("x", { env: { [environmentName(key)]: value } });
    assert.deepEqual(byEnvironment.backup, bySet.backup, key.id);
    if (key.required) continue;
    const header = key.section === "default" ? "" : `[${key.section}]\n`;
    const text = minimal.replace("/src", "/other").replace("r:dst", "r:other");
    await write({ "y.conf": `${text}${header}${key.name} = ${value}\n` });
    const { backup } = await load("y");
    assert.deepEqual({ ...backup, name: "x", file: plain.file }, bySet.backup, key.id);
  }
});

test("any bytes either load or end in a usage failure", async (t) => {
  const { write, dir } = await makeConfigDir(t);
  const line = fc.oneof(
    fc.constantFrom(
      "[default]",
      "[filters]",
      "[rclone]",
      "[guards]",
      "[verify]",
      "[",
      "[]",
      "source = /a",
      "destination=b:",
    ),
    fc
      .tuple(fc.constantFrom(...allKeys.map((key) => key.name)), fc.string({ unit: "binary" }))
      .map(([name, value]) => `${name} = ${value}`),
    fc.string({ unit: fc.constantFrom(...Array.from("+-!;#=\"'\\$} {[]ab\r\0é")) }),
  );
  const content = fc.oneof(
    fc.array(line, { maxLength: 8 }).map((lines) => Buffer.from(lines.join("\n"))),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(content, async (bytes) => {
      const file = await write({ "p.conf": bytes });
      const options = {
        configDir: dir,
        env: {},
        set: [],
        runCommand: async () => ({ code: 0, stdout: "s", timedOut: false }),
      };
      const loaded = loadBackup(file, options);
      if (
        await loaded.then(
          () => true,
          () => false,
        )
      )
        return;
      await failureOf(loaded);
    }),
    { numRuns: 500 },
  );
});

test("any overrides either load or end in a usage failure", async (t) => {
  const { write, dir } = await makeConfigDir(t);
  const file = await write({ "p.conf": minimal });
  const id = fc.oneof(fc.constantFrom(...allKeys.map((key) => key.id)), fc.string());
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("", "=", "file:", "file:x", "1", "50%"),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(id, text)),
      fc.dictionary(fc.string(), text),
      async (sets, names) => {
        const env = Object.fromEntries(
          Object.entries(names).map(([name, value]) => [`RCLONE_BACKUPS_${name}`, value]),
        );
        const options = { configDir: dir, env, set: sets.map(([key, value]) => `${key}=${value}`) };
        const loaded = loadBackup(file, {
          ...options,
          runCommand: async () => ({ code: 1, stdout: "", timedOut: false }),
        });
        if (
          await loaded.then(
            () => true,
            () => false,
          )
        )
          return;
        await failureOf(loaded);
      },
    ),
    { numRuns: 300 },
  );
});

test("filter rules come through byte for byte and in order", () => {
  const rule = fc
    .tuple(fc.constantFrom("- ", "+ "), fc.string({ unit: "binary", minLength: 1 }))
    .map(([sign, pattern]) => sign + pattern.replaceAll("\n", "").replace(/\r+$/, ""))
    .filter((text) => /^[+-] \s*\S/.test(text));
  fc.assert(
    fc.property(
      fc.array(rule),
      fc.array(rule),
      fc.constantFrom("\n", "\r\n"),
      (filters, tests, end) => {
        const text = [
          "[filters]",
          ...filters,
          "[test-filters]",
          ...tests,
          "[rclone]",
          "transfers = 3",
        ].join(end);
        const { rules, problems, entries } = parseText(text, "f");
        assert.deepEqual(problems, []);
        assert.deepEqual(
          rules.filter(({ section }) => section === "filters").map((each) => each.text),
          filters,
        );
        assert.deepEqual(
          rules.filter(({ section }) => section === "test-filters").map((each) => each.text),
          tests,
        );
        assert.equal(entries.size, 1);
      },
    ),
  );
});

test("the examples load, also with every line that is commented out", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const examples = path.resolve(import.meta.dirname, "../etc/rclone-backups.example");
  const text = await readFile(path.join(examples, "example.conf"), "utf8");
  const uncommented = text
    .replaceAll(/^; (?=\w+ = )/gm, "")
    .replace(/^password = .*/m, "password = file:rclone-password");
  assert.notEqual(uncommented, text);
  await write({
    "example.conf": text,
    "full.conf": uncommented,
    "common.conf": await readFile(path.join(examples, "common.conf")),
    "offsite.conf": await readFile(path.join(examples, "offsite.conf")),
    "rclone-password": "secret\r\nmore\n",
  });
  assert.equal((await load("example")).backup.destination, "secret:data");
  const full = await load("full");
  assert.deepEqual(
    new Set(full.provenance().filter(({ origin }) => origin === "default")),
    new Set(),
    "every key with a default stands in the example",
  );
  assert.equal(full.backup.rclone.password, "secret");
  assert.equal(full.backup.hooks.post, "echo 'quote a command that has ; or # in it' ; true");
  const offsite = (await load("offsite", { env: { DATA_DIR: "/d" } })).backup;
  assert.equal(offsite.source, "/d");
  assert.deepEqual(offsite.filters, ["- /videos/**", "- /cache/**", "- *.tmp"]);
  assert.equal(offsite.rclone.transfers, 2);
});
