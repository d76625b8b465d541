import assert from "node:assert/strict";
import { test } from "node:test";
import { configJson, showConfig } from "../lib/config/show.ts";
import { builtInPolicies } from "../lib/units/policy.ts";
import { makeConfigDir, minimal } from "./helpers/config-dir.ts";

const neverHint =
  "write none to keep no old version, or forever to keep all of them: never could mean either";
const example = "such as 1 2 3 7 * 30 ?";
const expectedLine = "expected PATTERN = POLICY in [retention]";
const wholeDays = "expected an age in whole days (1 or more), * or ?";

/** Text after the minimal configuration (3 lines), and the message and hint it must lead to. */
const mistakes: Readonly<Record<string, readonly [text: string, message: string, hint?: string]>> =
  {
    "an unknown kind of history": [
      "[history]\nkind = dirs",
      '5:8: expected auto, none, b2, s3 or dir, found "dirs"',
      "did you mean dir?",
    ],
    "an empty kind of history": [
      "[history]\nkind =",
      "5:7: expected auto, none, b2, s3 or dir, found nothing",
    ],
    "a policy without numbers": [
      "[policies]\nmine = ; nothing",
      `5:8: expected ages in days, ${example}, found nothing`,
      "to keep no old version, use the policy none",
    ],
    "a policy that begins with *": [
      "[policies]\nmine = * 7",
      "5:8: expected a number of days first, found *",
      example,
    ],
    "a policy that begins with ?": [
      "[policies]\nmine = ?",
      "5:8: expected a number of days first, found ?",
      example,
    ],
    "two * in a row": [
      "[policies]\nmine = 1 * * 7",
      "5:12: expected a number of days or the end, found *",
      example,
    ],
    "? behind *": [
      "[policies]\nmine = 1 * ?",
      "5:12: expected a number of days or the end, found ?",
      example,
    ],
    "numbers out of order": [
      "[policies]\nmine = 1 7 3",
      "5:12: expected a number greater than 7, found 3",
      "ages in days, the smallest first",
    ],
    "a number twice": [
      '[policies]\nmine = "1  1"',
      "5:12: expected a number greater than 1, found 1",
      "ages in days, the smallest first",
    ],
    "a negative number": ["[policies]\nmine = 1 -7", `5:10: ${wholeDays}, found "-7"`],
    zero: ["[policies]\nmine = 0 1", `5:8: ${wholeDays}, found "0"`],
    "half a day": ["[policies]\nmine = 1.5", `5:8: ${wholeDays}, found "1.5"`],
    "a word": ["[policies]\nmine = 1 week", `5:10: ${wholeDays}, found "week"`],
    "a number too large": ["[policies]\nmine = 1000000", `5:8: ${wholeDays}, found "1000000"`],
    commas: [
      "[policies]\nmine = 1, 2",
      `5:8: ${wholeDays}, found "1,"`,
      `put spaces between them, ${example}`,
    ],
    "no space before *": [
      "[policies]\nmine = 1 7*",
      `5:10: ${wholeDays}, found "7*"`,
      `put spaces between them, ${example}`,
    ],
    "a variable in a policy": ["[policies]\nmine = ${X}", `5:8: ${wholeDays}, found "\${X}"`],
    "a policy called never": [
      "[policies]\nnever = 1",
      "5:1: expected another name, found never",
      neverHint,
    ],
    "a built-in policy defined anew": [
      "[policies]\n  one_week = 1",
      "5:3: expected a new name, found the built-in policy one_week",
      "give yours another name; only default may be defined anew",
    ],
    "a bad name of a policy": [
      "[policies]\nMine = 1",
      '5:1: expected a name of lower-case letters, digits, _ and -, found "Mine"',
      "weekly = 7 * 365",
    ],
    "a policy without =": [
      "[policies]\nmine 1 2",
      "5:1: expected NAME = DAYS … in [policies], found a line without =",
      "weekly = 7 * 365",
    ],
    "a policy twice": [
      "[policies]\nmine = 1\nmine = 2",
      "6:1: expected each policy once, found mine again",
      "it is defined at line 5",
    ],
    "a key among the policies": [
      "[policies]\nprune = yes",
      "5:1: expected the name of a policy, found the key prune",
      "prune belongs in [history]",
    ],
    "an open quote in a policy": [
      '[policies]\nmine = "1',
      '5:8: expected a closing ", found the end of the line',
      "quote the whole value with the other kind of quote to keep one",
    ],
    "an unknown policy": [
      "[policies]\nmonthly = 30\n[retention]\né = é = montly",
      '7:9: expected a known policy, found "montly"',
      "did you mean monthly?",
    ],
    "a policy near none": [
      "[retention]\n/docs/** = zzzzzzzz ; why",
      '5:12: expected a known policy, found "zzzzzzzz"',
      `known policies: ${Object.keys(builtInPolicies).join(", ")}`,
    ],
    "the policy never": [
      "[retention]\n/docs = never",
      '5:9: expected a known policy, found "never"',
      neverHint,
    ],
    "a name of all objects": [
      "[retention]\n/docs = constructor",
      '5:9: expected a known policy, found "constructor"',
      `known policies: ${Object.keys(builtInPolicies).join(", ")}`,
    ],
    "a pattern alone": [
      "[retention]\n/docs/**",
      `5:1: ${expectedLine}, found no = with a space on each side`,
      "/photos/** = forever",
    ],
    "no spaces around =": [
      "[retention]\n/docs=none",
      `5:1: ${expectedLine}, found no = with a space on each side`,
      "/photos/** = forever",
    ],
    "a pattern without a policy": [
      "[retention]\n/docs =",
      `5:1: ${expectedLine}, found no policy`,
      "/photos/** = forever",
    ],
    "a pattern with a comment for a policy": [
      "[retention]\n/docs = ; later",
      `5:9: ${expectedLine}, found no policy`,
      "/photos/** = forever",
    ],
    "a pattern behind space": [
      "[retention]\n /docs = none",
      `5:2: ${expectedLine}, found space before it`,
      "patterns begin in the first column; for a name that begins with space, write / first",
    ],
    "aligned columns": [
      "[retention]\n/docs   = none",
      `5:6: ${expectedLine}, found more space before the =`,
      "write one space before the =; a name that ends with a space is NAME[ ]",
    ],
    "a comment that holds a =": [
      "[retention]\n/docs = forever ; was = none",
      `5:6: ${expectedLine}, found two =, one of them in a comment`,
      "the last = counts, so a comment behind a line can't hold one: put it on a line above",
    ],
    "a pattern that leaves the backup": [
      "[retention]\n/a/../b = none",
      `5:4: ${expectedLine}, found the segment ..`,
      "paths are those of files, from the top of the backup",
    ],
    "a pattern from here": [
      "[retention]\n./a = none",
      `5:1: ${expectedLine}, found the segment .`,
      "paths are those of files, from the top of the backup",
    ],
    "a pattern with //": [
      "[retention]\na//b = none",
      `5:3: ${expectedLine}, found an empty segment`,
      "paths are those of files, from the top of the backup",
    ],
    "a pattern too long": [
      `[retention]\n${"a".repeat(4097)} = none`,
      `5:1: ${expectedLine}, found 4097 characters`,
      "shorten it",
    ],
  };

for (const [what, [text, message, hint]] of Object.entries(mistakes)) {
  test(`${what} is an error with its place`, async (t) => {
    const { fail } = await makeConfigDir(t);
    assert.deepEqual(await fail(minimal + text), { message: `DIR/x.conf:${message}`, hint });
  });
}

test("patterns keep their bytes and their order, and split at the last ` = `", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const patterns = [
    "[ab]*.c",
    "/#a",
    "!x",
    "a = b",
    "/ leading",
    "a  b\tc",
    "x ; y",
    'it\'s "q"',
    "${HOME}/é\\*",
    "**/.git/",
    "/",
    "z=1",
  ];
  const lines = patterns.map((pattern) => `${pattern} = forever\t`);
  const file = await write({
    "x.conf": `${minimal}[retention]\n; # = none\n${lines.join("\r\n")}\n\n# x = y\n`,
  });
  const { backup } = await load(file);
  assert.deepEqual(
    backup.retention.map(({ pattern }) => pattern),
    patterns,
  );
  assert.deepEqual(new Set(backup.retention.map(({ policy }) => policy)), new Set(["forever"]));
  assert.deepEqual(
    backup.retention.map(({ origin }) => origin),
    patterns.map((_, index) => `${file}:${index + 6}`),
  );
});

test("extends: the child's lines come first, and its policy of the same name wins", async (t) => {
  const { write, load, dir } = await makeConfigDir(t);
  await write({
    "child.conf": `${minimal}extends = base\n[policies]\nmine = 7\n[retention]\n/a = mine\n/b = theirs\n`,
    "base.conf":
      "[history]\nprune = yes\nkind = dir\n[policies]\nmine = 30 bad\ntheirs = 365 ?\n[retention]\n/a = theirs\n/c = mine\n",
  });
  const loaded = await load("child");
  assert.deepEqual(loaded.backup.retention, [
    { pattern: "/a", policy: "mine", origin: `${dir}/child.conf:8` },
    { pattern: "/b", policy: "theirs", origin: `${dir}/child.conf:9` },
    { pattern: "/a", policy: "theirs", origin: `${dir}/base.conf:8` },
    { pattern: "/c", policy: "mine", origin: `${dir}/base.conf:9` },
  ]);
  assert.deepEqual(loaded.backup.policies.get("mine")?.steps, [{ days: 7, repeat: "no" }]);
  assert.deepEqual(loaded.backup.policies.get("theirs")?.steps, [{ days: 365, repeat: "exists" }]);
  assert.deepEqual(loaded.backup.history, { kind: "dir", dir: undefined, prune: true });
  const shown = showConfig(loaded).replaceAll(dir, "DIR");
  assert.equal(
    shown.slice(shown.indexOf("[history]"), shown.indexOf("\n[schedule]")),
    `[history]
kind = dir   ; DIR/base.conf:3
prune = yes  ; DIR/base.conf:2

[policies]
mine = 7        ; DIR/child.conf:6
theirs = 365 ?  ; DIR/base.conf:6

[retention]
; from DIR/child.conf:8 on
/a = mine
/b = theirs
; from DIR/base.conf:8 on
/a = theirs
/c = mine
`,
  );
  const json = configJson(loaded);
  assert.deepEqual(json.config["policies"], { mine: "7", theirs: "365 ?" });
  assert.deepEqual(json.config["retention"], [
    "/a = mine",
    "/b = theirs",
    "/a = theirs",
    "/c = mine",
  ]);
  await write({ "again.conf": showConfig(loaded) });
  const again = await load("again");
  assert.deepEqual(again.backup.policies, loaded.backup.policies);
  assert.deepEqual(
    again.backup.retention.map(({ pattern, policy }) => [pattern, policy]),
    loaded.backup.retention.map(({ pattern, policy }) => [pattern, policy]),
  );
});

test("a mistake in the parent is told with the parent's place", async (t) => {
  const { fail, write } = await makeConfigDir(t);
  await write({ "base.conf": "[policies]\nmine = 1  x\n[retention]\na = nope\nb = mine\n" });
  assert.deepEqual((await fail(`${minimal}extends = base\n`)).message.split("\n"), [
    `DIR/base.conf:2:11: ${wholeDays}, found "x"`,
    `DIR/base.conf:4:5: expected a known policy, found "nope" (did you mean none?)`,
  ]);
});

test("policies can be set from outside, lines of [retention] can't", async (t) => {
  const { write, load, fail } = await makeConfigDir(t);
  const file = await write({
    "x.conf": `${minimal}[policies]\nmine = 7\nown = 1\n[retention]\na = mine\nb = added\n`,
  });
  const env = {
    RCLONE_BACKUPS_POLICIES_OWN: "2 3",
    RCLONE_BACKUPS_POLICIES_ADDED: "4 *",
    RCLONE_BACKUPS_HISTORY_KIND: "none",
  };
  const set = ["policies.mine= 5  * 30", "policies.added=6", "history.prune=yes"];
  const { backup, provenance } = await load(file, { env, set });
  assert.deepEqual(
    [...backup.policies].map(([name, { steps }]) => [name, steps.map(({ days }) => days)]),
    [
      ["mine", [5, 30]],
      ["own", [2, 3]],
      ["added", [6]],
    ],
  );
  assert.deepEqual([backup.history.kind, backup.history.prune], ["none", true]);
  assert.deepEqual(
    provenance()
      .filter(({ section }) => section === "policies")
      .map(({ key, value, origin }) => [key, value, origin]),
    [
      ["mine", "5 * 30", "--set"],
      ["own", "2 3", "environment RCLONE_BACKUPS_POLICIES_OWN"],
      ["added", "6", "--set"],
    ],
  );
  const text = `${minimal}[retention]\na = none\n`;
  assert.deepEqual(await fail(text, { set: ["retention.a=none"] }), {
    message: '--set: expected section.key=value with a known key, found "retention.a"',
    hint: "the lines of [retention] are in the file and can't be set",
  });
  assert.deepEqual(await fail(text, { env: { RCLONE_BACKUPS_RETENTION_A: "none" } }), {
    message:
      "environment RCLONE_BACKUPS_RETENTION_A: expected RCLONE_BACKUPS_SECTION_KEY with a known section and key, found another name",
    hint: "the lines of [retention] are in the file and can't be set",
  });
  assert.deepEqual(await fail(text, { set: ["policies.mine=1 x"] }), {
    message: `--set policies.mine: ${wholeDays}, found "x"`,
    hint: undefined,
  });
  assert.deepEqual(await fail(text, { env: { RCLONE_BACKUPS_POLICIES_NEVER: "1" } }), {
    message: "environment RCLONE_BACKUPS_POLICIES_NEVER: expected another name, found never",
    hint: neverHint,
  });
  assert.equal(
    (await fail(text, { set: ["policies.forever=1"] })).message,
    "--set policies.forever: expected a new name, found the built-in policy forever",
  );
});

test("no message of these sections holds a secret", async (t) => {
  const { fail } = await makeConfigDir(t);
  for (const section of ["policies", "retention"]) {
    for (const line of ["password = hunter2", "password=hunter2", "  hunter2==", "hunter2"]) {
      const { message, hint } = await fail(`${minimal}[${section}]\n${line}\n`);
      assert.ok(!`${message} ${hint}`.includes("hunter2"), `${section}: ${message}`);
    }
  }
});

test("a configuration without these sections means what it always meant", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const { backup } = await load(await write({ "x.conf": minimal }));
  assert.deepEqual(backup.history, { kind: "auto", dir: undefined, prune: false });
  assert.equal(backup.policies.size, 0);
  assert.deepEqual(backup.retention, []);
});
