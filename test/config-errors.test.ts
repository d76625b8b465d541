import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, symlink } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { failureOf, makeConfigDir, minimal } from "./helpers/config-dir.ts";

/** Text after the minimal configuration (3 lines), and the message and hint it must lead to. */
const mistakes: Readonly<Record<string, readonly [text: string, message: string, hint?: string]>> =
  {
    "an unknown section": [
      "[rclon]\nx = 1",
      "4:1: expected a known section, found [rclon]",
      "did you mean [rclone]?",
    ],
    "a section far from any": [
      "[zzzzzz]",
      "4:1: expected a known section, found [zzzzzz]",
      "known sections: default, filters, test-filters, guards, rclone, verify, history, policies, retention, schedule, notify",
    ],
    "an unknown section below filters": [
      "[filters]\n- a\n[Guards]\nmax_delete = 1",
      "6:1: expected a known section, found [Guards]",
      "did you mean [guards]?",
    ],
    "an unknown key": [
      "[guards]\nmax-delet = 3",
      '5:1: expected a key of [guards], found "max-delet"',
      "did you mean max_delete?",
    ],
    "an unknown key near none": [
      "[verify]\nzzzzzz = 3",
      '5:1: expected a key of [verify], found "zzzzzz"',
      "known keys: conditions, mend, budget, hash_every",
    ],
    "a key of another section": [
      "[guards]\n  transfers = 3",
      '5:3: expected a key of [guards], found "transfers"',
      "transfers belongs in [rclone]",
    ],
    "a filter without a sign": [
      "[filters]\n- ok\n/cache/**",
      '6:1: expected "- PATTERN" or "+ PATTERN" in [filters], found "/cache/**"',
      'write "- /cache/**"',
    ],
    "a filter without a space": [
      "[test-filters]\n+a",
      '5:1: expected "- PATTERN" or "+ PATTERN" in [test-filters], found "+a"',
      'write "+ a"',
    ],
    "a filter without a pattern": [
      "[filters]\n-  ",
      '5:1: expected "- PATTERN" or "+ PATTERN" in [filters], found no pattern',
      "- /cache/**",
    ],
    "a filter behind space": [
      "[filters]\n - a",
      '5:2: expected "- PATTERN" or "+ PATTERN" in [filters], found space before it',
      "rules begin in the first column",
    ],
    "a filter that clears the others": [
      "[filters]\n!",
      '5:1: expected "- PATTERN" or "+ PATTERN" in [filters], found "!"',
      "! would clear the built-in rules as well; leave it out, and write rules that should win above the others",
    ],
    "a key among the filters": [
      "[filters]\npassword = hunter2",
      '5:1: expected "- PATTERN" or "+ PATTERN" in [filters], found the key password',
      "password belongs in [rclone]",
    ],
    "an unknown key among the filters": [
      "[filters]\npasswd=hunter2",
      '5:1: expected "- PATTERN" or "+ PATTERN" in [filters], found "passwd" and =',
      "is a [section] missing above it?",
    ],
    "a duplicate key": [
      "[rclone]\ntransfers = 3\n\ntransfers = 4",
      '7:1: expected each key once, found "transfers" again',
      "it is set at line 5",
    ],
    "a duplicate section": [
      "[rclone]\n[verify]\n[rclone] ; again",
      "6:1: expected each section once, found [rclone] again",
      "it begins at line 4; put both together",
    ],
    "a bad header": [
      "[rclone\ntransfers = 3",
      "4:1: expected [section], found a line that begins with [",
      "close it with ], and put comments behind ;",
    ],
    "a line without =": [
      "[rclone]\ntransfer 4",
      "5:1: expected key = value, found a line without =",
      "transfers = …",
    ],
    "a bad boolean": [
      "[verify]\nmend = on",
      '5:8: expected true, yes, 1, false, no or 0, found "on"',
    ],
    "an empty boolean": [
      "[verify]\nmend =  ; none",
      "5:9: expected true, yes or 1; false, no or 0; in any case, found nothing",
    ],
    "a bad size": [
      "[guards]\nmax_delete = 10X",
      '5:14: expected a limit such as 50%, 1000 (files), 10G or off, found "10X"',
    ],
    "a bad percentage": [
      "[guards]\nmax_delete = 101%",
      '5:14: expected a percentage from 0% to 100%, found "101%"',
    ],
    "a bad age": [
      "[verify]\nconditions = age=1D",
      '5:14: expected an age such as 90m, 7d, 3M or 2024-01-31, found "1D"',
      "units are ms, s, m (minutes), h, d, w, M (months) and y",
    ],
    "a bad condition": [
      "[verify]\nconditions = hash, dta=3",
      '5:14: expected a condition (all, data=1G, data=<10%, files=20, age=7d or hash), found "dta=3"',
      "did you mean data?",
    ],
    "a bad count": [
      "[rclone]\ntransfers = 0",
      '5:13: expected a whole number from 1 to 1000, found "0"',
    ],
    "a bad schedule": [
      "[schedule]\ncron = 30 25 * * *",
      '5:8: expected hour as *, 0-23, ranges, steps such as */2, or a list of them, found "25"',
    ],
    "a schedule with seconds": [
      "[schedule]\ncron = 0 30 3 * * *",
      '5:8: expected five fields, found 6 in "0 30 3 * * *"',
      "without seconds: minute, hour, day of month, month, day of week, such as 30 3 * * *",
    ],
    "a schedule by nickname": [
      "[schedule]\ncron = @daily",
      "5:8: expected five fields, found @daily",
      "write 0 0 * * *",
    ],
    "an unknown time zone": [
      "[schedule]\ntime_zone = Europe/Berln",
      '5:13: expected the name of a time zone, found "Europe/Berln"',
      "did you mean Europe/Berlin?",
    ],
    "a city as time zone": [
      "[schedule]\ntime_zone = New_York",
      '5:13: expected the name of a time zone, found "New_York"',
      "did you mean America/New_York?",
    ],
    "an offset as time zone": [
      "[schedule]\ntime_zone = +02:00",
      '5:13: expected the name of a time zone, found "+02:00"',
      "such as Europe/Berlin or UTC",
    ],
    "a bad load": [
      "[schedule]\nmax_load = 80%",
      '5:12: expected a number from 0.01 to 1000, found "80%"',
    ],
    "a bad budget": [
      "[verify]\nbudget = 1GB",
      '5:10: expected a size such as 10G, found "1GB"',
      "write 1G (1024 based)",
    ],
    "a bad interval": [
      "[verify]\nhash_every = monthly",
      '5:14: expected a duration such as 30s, 5m or 1h30m, found "monthly"',
      "numbers with d, h, m or s, the largest first; a bare number counts seconds",
    ],
    "an interval for ever": [
      "[notify]\nremind = 4000d",
      '5:10: expected a duration of at most 3660d, found "4000d"',
    ],
    "an unknown event": [
      "[notify]\non = failure, mised",
      '5:6: expected an event (success, warning, failure, refused, difference, skipped, missed, suppressed, coverage), found "mised"',
      "did you mean missed?",
    ],
    "all events and another": [
      "[notify]\non = all, missed",
      '5:6: expected all or none alone, found "all, missed"',
    ],
    "a bad address": [
      "[notify]\nmail = me@example.org, me.example.org",
      '5:8: expected a mail address, found "me.example.org"',
      "such as me@example.org, or root for a user of this machine",
    ],
    "an address that would be an option": [
      "[notify]\nmail_from = -f@example.org",
      '5:13: expected a mail address, found "-f@example.org"',
      "such as me@example.org, or root for a user of this machine",
    ],
    "a secret that is no URL": [
      "[notify]\nntfy = hunter2",
      "5:8: expected https://… or http://…, found something else",
      "a secret's value is not shown here",
    ],
    "a secret URL of another scheme": [
      "[notify]\nsmtp = https://me:hunter2@host",
      "5:8: expected smtps://… or smtp://…, found something else",
      "a secret's value is not shown here",
    ],
    "a bad bandwidth": [
      "[rclone]\nbwlimit = fast",
      '5:11: expected a speed such as 10M or a timetable such as 08:00,512k 23:00,off, found "fast"',
    ],
    "a relative mount": [
      "[guards]\nrequire_mount = srv",
      '5:17: expected a path that begins with /, found "srv"',
    ],
    "a home directory": [
      "[rclone]\nconfig = ~/rclone.conf",
      "5:10: expected a path, found one that begins with ~",
      "write ${HOME} instead of ~",
    ],
    "an unset variable": [
      "[rclone]\nconfig = /a/é/${NOPE}",
      "5:15: expected the environment variable NOPE to be set, found it unset",
      "set it, or give a default: ${NOPE:-…}",
    ],
    "a quote that stays open": [
      '[rclone]\nconfig = "a',
      '5:10: expected a closing ", found the end of the line',
      "quote the whole value with the other kind of quote to keep one",
    ],
    "a bad escape": [
      '[rclone]\nconfig = "a\\x"',
      '5:10: expected \\\\, \\", \\n or another escape of JSON in the double quotes, found a bad one',
      "write \\\\ for a backslash, or use single quotes, which keep everything",
    ],
    "a NUL character": [
      '[rclone]\nconfig = "a\\u0000"',
      "5:11: expected text, found a NUL character",
    ],
  };

for (const [what, [text, message, hint]] of Object.entries(mistakes)) {
  test(`${what} is an error with its place`, async (t) => {
    const { fail } = await makeConfigDir(t);
    assert.deepEqual(await fail(minimal + text), { message: `DIR/x.conf:${message}`, hint });
  });
}

test("a duration that is none is an error", async (t) => {
  const { fail } = await makeConfigDir(t);
  const { message } = await fail(`${minimal}timeout = 5 minutes`);
  assert.equal(
    message,
    'DIR/x.conf:4:11: expected a duration such as 30s, 5m or 1h30m, found "5 minutes"',
  );
});

test("a key outside a section is an error", async (t) => {
  const { fail } = await makeConfigDir(t);
  assert.deepEqual(await fail(`transfers = 4\n${minimal}`), {
    message: 'DIR/x.conf:1:1: expected a [section] before the first key, found "transfers"',
    hint: "write [rclone] above it",
  });
});

test("a missing source or destination is an error", async (t) => {
  const { fail } = await makeConfigDir(t);
  assert.deepEqual(await fail("; x\n[default]\ndestination = r:"), {
    message: "DIR/x.conf:2:1: expected source in [default], found none",
    hint: "source = /srv/data",
  });
  assert.deepEqual(await fail("[default]\nsource = /src\ndestination = ; later"), {
    message: "DIR/x.conf:3:15: expected destination in [default], found none",
    hint: "destination = secret:data",
  });
  const { message } = await fail("");
  assert.equal(
    message,
    "DIR/x.conf:1:1: expected source in [default], found none (source = /srv/data)\n" +
      "DIR/x.conf:1:1: expected destination in [default], found none (destination = secret:data)",
  );
});

test("all mistakes are reported at once, and only real ones", async (t) => {
  const { fail } = await makeConfigDir(t);
  const text =
    "[defalt]\nsource = /src\n[guards]\nmax_delete = x\nmaxchange = 3\n[filters]\ncache\n";
  const { message, hint } = await fail(text);
  assert.deepEqual(
    message.split("\n").map((line) => line.split(": ")[0]),
    ["DIR/x.conf:1:1", "DIR/x.conf:5:1", "DIR/x.conf:7:1", "DIR/x.conf:4:14"],
  );
  assert.equal(hint, "correct these 4 places");
});

test("what can't be read as text is an error", async (t) => {
  const { fail, dir, load, write } = await makeConfigDir(t);
  const bytes = Buffer.concat([
    Buffer.from("\uFEFF[default]\r\n; é "),
    Buffer.from([0xe9, 0x20]),
    Buffer.from("\n"),
  ]);
  assert.equal((await fail(bytes)).message, "DIR/x.conf:2:5: expected UTF-8, found the byte 0xe9");
  const binary = await fail(Buffer.from("\x7fELF\n\0"));
  assert.equal(binary.message, "DIR/x.conf:2:1: expected a text file, found a NUL byte");
  const utf16 = await fail(Buffer.from(`\uFEFF${minimal}`, "utf16le"));
  assert.match(utf16.message, /:1:\d: expected a text file, found a NUL byte$/);
  await mkdir(path.join(dir, "d.conf"));
  assert.equal(
    (await failureOf(load("d"))).message,
    `${dir}/d.conf: expected a configuration file, found a directory`,
  );
  const none = `${dir}/none.conf`;
  assert.equal(
    (await failureOf(load(none))).message,
    `${none}: expected a configuration file, found none`,
  );
  assert.match((await failureOf(load("/dev/zero"))).message, /found something else$/);
  await symlink("loop.conf", path.join(dir, "loop.conf"));
  assert.match(
    (await failureOf(load(`${dir}/loop.conf`))).message,
    /symbolic links that go in a circle$/,
  );
  const large = await write({ "large.conf": Buffer.alloc(17 * 1024 * 1024, "\n") });
  assert.match((await failureOf(load(large))).message, /found one of more than 16 MiB$/);
});

test("a configuration that may not be read is an error", async (t) => {
  const { dir, write } = await makeConfigDir(t);
  const file = await write({ "x.conf": minimal });
  await chmod(dir, 0o755);
  await chmod(file, 0);
  const program = `import { loadBackup } from ${JSON.stringify(new URL("../lib/config/load.ts", import.meta.url).href)};
    await loadBackup(${JSON.stringify(file)}, { env: {}, set: [] }).catch((error) => console.log(error.outcome, error.message));`;
  const node = [process.execPath, "--import", "tsx", "--input-type=module", "-e", program];
  const root = process.getuid?.() === 0;
  const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--securebits=+noroot"];
  const [command = "", ...args] = root ? [...drop, ...node] : node;
  const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  assert.equal(
    stdout,
    `usage ${file}: expected a configuration file, found one that may not be read (permission denied)\n`,
    stderr,
  );
});

test("no message holds a secret", async (t) => {
  const { fail } = await makeConfigDir(t);
  const secret = "hunter2hunter2";
  const texts = [
    `[rclone]\npasword = ${secret}`,
    `[rclone]\npassword =\n  ${secret}`,
    `[rclone]\npassword =\n  ${secret}==`,
    `[rclone]\npassword = "${secret}`,
    `[rclone]\npassword = "\\x${secret}"`,
    `[rclone]\npassword = a\npassword = ${secret}`,
    `[rclone]\npassword = file:/nonexistent/x\nconfig = ~`,
    `[rclone]\npassword = \${UNSET} ${secret}`,
    `[rclone]\npassword = command:echo ${secret} >&2; exit 3`,
    `[rclone]\nflags = --b2-key=${secret}`,
    `[rclone]\nflags = --b2-key ${secret}`,
    `[rclone]\nflags = ${secret}`,
    `[filters]\npassword = ${secret}`,
    `[default]\nsource = ~/:sftp,pass=${secret}:`,
    `password = ${secret}`,
  ];
  for (const text of texts) {
    const { message, hint } = await fail(minimal + text);
    assert.ok(!`${message} ${hint}`.includes(secret), `${text}\n${message}\n${hint}`);
  }
  for (const set of [
    secret,
    `rclone.pasword=${secret}`,
    `rclone.password=${secret}`,
    `x=${secret}`,
  ]) {
    const { message, hint } = await fail(minimal, { set: [set] });
    assert.ok(!`${message} ${hint}`.includes(secret), set);
  }
});
