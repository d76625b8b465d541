import assert from "node:assert/strict";
import { test } from "node:test";
import { checkJson, checkSteps, commandsOf, countBlocks } from "./helpers/pagechecks.ts";
import { blocksOf } from "./helpers/pages.ts";
import { makePageWorld } from "./helpers/pageworld.ts";

/** How many blocks of each kind a page holds: one that is no longer seen must not go unnoticed. */
const pages: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "docs/rclone-prune.md": { console: 2, json: 1 },
  "docs/rclone-recover.md": { console: 3, json: 1 },
  "docs/rclone-cleanup.md": { console: 2, json: 1 },
};

for (const [name, expected] of Object.entries(pages)) {
  test(`${name}: its commands do what it says`, async (t) => {
    const blocks = blocksOf(name);
    assert.deepEqual(countBlocks(blocks), expected);
    const world = await makePageWorld(t, { bare: false });
    const results = await world.runSteps(commandsOf(blocks));
    checkSteps(name, results);
    assert.equal(checkJson(name, blocks, results), expected["json"] ?? 0, "json blocks compared");
  });
}
