import assert from "node:assert/strict";
import { test } from "node:test";
import { dig, historyWorld, type HistoryWorld } from "./helpers/historyworld.ts";
import { eitherRclone } from "./helpers/rclones.ts";

/** One file a version of which is long gone, another deleted yesterday, a third that is live. */
async function someHistory(world: HistoryWorld): Promise<void> {
  const { past, write, remove } = world;
  await past(700, async () => {
    await write("old/kept until yesterday", "700 days");
    await write("live", "1");
    await write("gone/long ago", "long ago");
  });
  await past(699, async () => write("live", "22"));
  await past(698.9, async () => write("live", "333"));
  await past(698.8, async () => write("live", "4444"));
  await past(698.7, async () => write("live", "55555"));
  await past(690, async () => remove("gone/long ago"));
  await past(1, async () => remove("old/kept until yesterday"));
  world.present();
}

for (const rclone of eitherRclone(import.meta.url)) {
  for (const kind of ["crypt", "bucket"] as const) {
    test(`what no policy keeps goes, as the dry run said (${rclone.version}, ${kind})`, async (t) => {
      const world = await historyWorld(t, { rclone, kind });
      await someHistory(world);
      const before = world.versions();
      assert.deepEqual(before, [
        "gone/long ago hide",
        "gone/long ago upload 8",
        "live upload 5",
        "live upload 4",
        "live upload 3",
        "live upload 2",
        "live upload 1",
        "old/kept until yesterday hide",
        "old/kept until yesterday upload 8",
      ]);
      if (kind !== "bucket")
        for (const at of [1, 2])
          world.server.put("some where else/data/live", "of somebody else", { at });
      await world.configure(
        "[retention]\ngone/ = one_year\nlive = 100 * 1000\n".replace("100 * 1000", "hundreds") +
          "[policies]\nhundreds = 100 *\n",
      );
      const dry = await world.expect(0, "prune", ["-n", "home"]);
      const told = await world.json("prune", ["-n", "home"]);
      assert.deepEqual(world.versions(), before);
      const done = await world.json("prune", ["home"]);
      assert.deepEqual(
        told.slice(0, -1).map((line) => [line["path"], line["is"], line["id"]]),
        done.slice(0, -1).map((line) => [line["path"], line["is"], line["id"]]),
      );
      // Oldest first: the content before the marker on top of it.
      assert.deepEqual(
        done
          .slice(0, -1)
          .map((line) => `${String(line["path"])} ${String(line["is"])}`)
          .toSorted(),
        ["gone/long ago file", "gone/long ago marker", "live file", "live file"],
      );
      assert.match(
        dry.stdout,
        /^remove .* gone\/long ago {2}\(one_year, .*home\.conf:5: more than 365 days old\)$/m,
      );
      assert.match(dry.stdout, /^would remove 4 versions .* of 9 versions of 3 files$/m);
      assert.deepEqual(world.versions(), [
        "live upload 5",
        "live upload 4",
        "live upload 1",
        "old/kept until yesterday hide",
        "old/kept until yesterday upload 8",
      ]);
      assert.equal(dig(done.at(-1), "removed", "versions"), 4);
      // A second run finds nothing more.
      const again = await world.expect(0, "prune", ["home"]);
      assert.equal(again.stdout, "");
      assert.match(again.stderr, /^\S+ warning: \S+home\.conf:5: gone\/ matches no stored file\n$/);
      const others = world.server
        .versions()
        .filter(({ fileName }) => fileName.startsWith("some where else/"));
      assert.equal(others.length, kind === "bucket" ? 0 : 2);
    });
  }
}
