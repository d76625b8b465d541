import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { projectRoot } from "./helpers/command.ts";
import { makeConfigDir, minimal } from "./helpers/config-dir.ts";
import { checkJson, checkSteps, commandsOf, countBlocks } from "./helpers/pagechecks.ts";
import { makePageWorld } from "./helpers/pageworld.ts";
import { blocksOf, matches, readPage } from "./helpers/pages.ts";

/** How many blocks of each kind a page holds: one that is no longer seen must not go unnoticed. */
const pages: Readonly<
  Record<string, { console?: number; ini?: number; json?: number; sh?: number; text?: number }>
> = {
  "README.md": { sh: 2, console: 7 },
  "docs/quickstart.md": { sh: 1, console: 1 },
  "docs/rclone-backup.md": { console: 1 },
  "docs/exit-codes.md": { console: 1 },
  "docs/output.md": { console: 2 },
  "docs/guards.md": { ini: 1, console: 5 },
  "docs/hooks.md": { ini: 1, console: 1 },
  "docs/schedule.md": { ini: 1, console: 1 },
  "docs/manifest.md": { console: 2 },
  "docs/state.md": { console: 2 },
  "docs/history-dir.md": { console: 2 },
  "docs/rclone-du.md": { console: 4, json: 1 },
  "docs/rclone-restore.md": { console: 1 },
  "docs/rclone-backups.md": { console: 6, json: 1 },
  "docs/rclone-backups-init.md": { console: 2 },
  "docs/rclone-backups-units.md": { console: 2 },
  "docs/rclone-backups-validate.md": { console: 1 },
  "docs/json-output.md": { console: 9, json: 8 },
};

/** Their reader has not configured anything yet. */
const bare = new Set(["README.md", "docs/quickstart.md"]);

/** Commands in `sh` blocks are not run here but by the tests named. */
const runElsewhere: Readonly<Record<string, string>> = {
  "npm test": "itself",
  "npm run quickstart": "test/quickstart.test.ts",
  "npm run quickstart -- ~/Documents": "test/quickstart.test.ts",
  "npm pack": "scripts/smoke.sh",
  "npm install -g ./rclone-backups-*.tgz": "scripts/smoke.sh",
};

for (const [name, expected] of Object.entries(pages)) {
  test(`${name}: its blocks are there, and of a kind that is checked`, () => {
    assert.deepEqual(countBlocks(blocksOf(name)), expected);
    for (const { text } of blocksOf(name).filter(({ kind }) => kind === "sh"))
      for (const line of text.split("\n")) assert.ok(line in runElsewhere, line);
  });

  if (expected.console !== undefined) {
    test(`${name}: its commands do what it says`, async (t) => {
      const world = await makePageWorld(t, { bare: bare.has(name) });
      const blocks = blocksOf(name);
      const results = await world.runSteps(commandsOf(blocks));
      checkSteps(name, results);
      assert.equal(checkJson(name, blocks, results), expected.json ?? 0, "json blocks compared");
    });
  }

  if (expected.ini !== undefined) {
    test(`${name}: its configurations can be loaded`, async (t) => {
      const config = await makeConfigDir(t);
      let loaded = 0;
      for (const { kind, text, line } of blocksOf(name)) {
        if (kind !== "ini") continue;
        const file = await config.write({ "x.conf": text, "common.conf": minimal });
        const set = ["source = /s", "destination = r:d"]
          .filter((pair) => !new RegExp(`^${pair.split(" ")[0] ?? ""} *=`, "m").test(text))
          .map((pair) => `default.${pair.replaceAll(" ", "")}`);
        await assert.doesNotReject(config.load(file, { set }), `${name}:${line}`);
        loaded += 1;
      }
      assert.equal(loaded, expected.ini);
    });
  }
}

test("the comparison sees what differs", () => {
  assert.ok(matches(["a …", "…", "z"], "a b\nc\nd\nz\n"));
  assert.ok(matches([], ""));
  assert.ok(
    matches(
      ["at 2026-01-01T00:00:00Z 000001-20260101T000000Z"],
      "at 2027-02-03T04:05:06.789Z 000001-20270203T040506Z\n",
    ),
  );
  assert.ok(!matches(["at 2024-01-01T00:00:00Z"], "at 2024-02-03T04:05:06Z\n"));
  assert.ok(!matches(["000001-20260101T000000Z"], "000002-20260101T000000Z\n"));
  assert.ok(!matches(["a"], "a\nb\n"));
  assert.ok(!matches(["a", "b"], "a\n"));
  assert.ok(!matches(["a.c"], "abc\n"));
  assert.ok(!matches([], "a\n"));
});

test("every link to a file of the checkout leads to one", () => {
  const names = [
    "README.md",
    "cron/README.md",
    "exporters/README.md",
    ...readdirSync(path.join(projectRoot, "docs"))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ];
  let links = 0;
  for (const name of names) {
    for (const [, target = ""] of readPage(name).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      const file = path.join(projectRoot, path.dirname(name), target);
      assert.ok(existsSync(file), `${name} links to ${target}`);
      links += 1;
    }
  }
  assert.ok(names.length >= 16, `only ${names.length} pages`);
  assert.ok(links >= 40, `only ${links} links`);
});
