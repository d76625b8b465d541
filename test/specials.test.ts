import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { Failure } from "../lib/errors.ts";
import { archiveSpecials } from "../lib/specials/archive.ts";
import { rawFromBytes } from "../lib/units/rawpath.ts";
import { run } from "./helpers/command.ts";
import { rclones } from "./helpers/rclones.ts";
import { makeSandbox } from "./helpers/sandbox.ts";
import { fifo, now, place } from "./helpers/specials.ts";

async function listenOn(t: TestContext, file: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(file, resolve));
  t.after(() => server.close());
}

test("fifos and links are archived; files, directories and sockets are not", async (t) => {
  const { source, archive, update, members } = await place(t);
  mkdirSync(path.join(source, "dir"));
  writeFileSync(path.join(source, "file"), "x");
  symlinkSync("nowhere", path.join(source, "dir/link"));
  await fifo(path.join(source, "fifo"));
  // A socket's path must be short.
  const short = await makeSandbox(t);
  await listenOn(t, path.join(short.root, "s"));
  assert.equal((await run("mv", [path.join(short.root, "s"), path.join(source, "sock")])).code, 0);
  assert.ok(lstatSync(path.join(source, "sock")).isSocket());

  assert.deepEqual(await update(), { state: "written", members: 2, warning: undefined });
  assert.deepEqual(await members(), ["dir/link", "fifo"]);
  assert.equal((await run("gzip", ["-t", archive])).code, 0);
  assert.equal(statSync(archive).mode & 0o777, 0o600);

  const target = path.join(short.root, "restored");
  mkdirSync(target);
  const restored = await run("tar", ["-xzf", archive, "-C", target]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.ok(lstatSync(path.join(target, "fifo")).isFIFO());
  assert.ok(lstatSync(path.join(target, "dir/link")).isSymbolicLink());
});

for (const rclone of rclones) {
  test(`the filters decide as rclone ${rclone.version} does`, async (t) => {
    const rules = "- /cache/**\n+ *.keep\n- deep/**/no*\n- *.tmp\n- *a␊b*\n";
    const { source, scratch, update, members } = await place(
      t,
      Buffer.from(rules).toString("latin1"),
      rclone,
    );
    const make = (name: string): void => {
      const file = Buffer.from(`${Buffer.from(source).toString("latin1")}/${name}`, "latin1");
      mkdirSync(path.dirname(file.toString("latin1")), { recursive: true });
      symlinkSync("x", file);
    };
    const kept = [
      "a.keep",
      "deep/yes",
      "sub/cache/in",
      " lead",
      "trail ",
      "tab\there",
      "esc\x1b[1m",
      "-n",
      "back\\slash",
      "quote\"'",
      "glob*?[x]",
      "bytes\xff\xfe",
      Buffer.from("é␊").toString("latin1"),
      "y".repeat(255),
    ];
    const left = ["cache/in", "deep/b/none", "x.tmp", "a\nb"];
    for (const name of [...kept, ...left]) make(name);
    assert.deepEqual(await update(), {
      state: "written",
      members: kept.length,
      warning: undefined,
    });
    assert.deepEqual(await members(), kept.toSorted());
    assert.deepEqual(readdirSync(scratch), [], "nothing is left behind");
    assert.equal((await update()).state, "unchanged");
  });
}

test("a newline in a name comes through", async (t) => {
  const { source, archive, update } = await place(t);
  symlinkSync("to\nthere", path.join(source, "a\nb"));
  await update();
  const listed = await run("tar", ["--quoting-style=escape", "-tvzf", archive]);
  assert.match(listed.stdout, / a\\nb -> to\\nthere\n$/);
});

test("links are left out where the backup follows them", async (t) => {
  const { source, update, members } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  assert.equal((await update({ linksAreSpecial: false })).state, "none");
  await fifo(path.join(source, "fifo"));
  await update({ linksAreSpecial: false });
  assert.deepEqual(await members(), ["fifo"]);
});

test("directories to be pruned are not looked into", async (t) => {
  const { source, update, members } = await place(t);
  for (const name of ["pro[c]", "proc", "sub"]) {
    mkdirSync(path.join(source, name));
    symlinkSync("x", path.join(source, name, "link"));
  }
  await update({ prune: ["pro[c]", "sub"] });
  assert.deepEqual(await members(), ["proc/link"]);
});

test("hard links among special files are part of the content", async (t) => {
  const { source, update, members } = await place(t);
  const at = (name: string): string => path.join(source, name);
  await fifo(at("a"));
  utimesSync(at("a"), now, now);
  assert.equal((await run("ln", [at("a"), at("b")])).code, 0);
  await update();
  assert.equal((await update()).state, "unchanged");
  rmSync(at("b"));
  await fifo(at("b"));
  chmodSync(at("b"), statSync(at("a")).mode);
  utimesSync(at("b"), now, now);
  assert.equal((await update()).state, "written");
  assert.deepEqual(await members(), ["a", "b"]);
});

test("a missing source is left to others to report", async (t) => {
  const { source, update } = await place(t);
  rmSync(source, { recursive: true });
  assert.deepEqual(await update(), { state: "none", members: 0, warning: undefined });
});

test("a path too long for the filters to be asked is archived with a warning", async (t) => {
  const { source, scratch, update, members } = await place(t, "- *\n");
  const room = 4090 - source.length;
  const deep = Array.from({ length: Math.floor((room - 10) / 201) }, () => "d".repeat(200)).join(
    "/",
  );
  mkdirSync(path.join(source, deep), { recursive: true });
  symlinkSync("x", path.join(source, deep, "link"));
  const result = await update({ scratch: path.join(scratch, "s".repeat(250)) });
  assert.equal(result.state, "written");
  assert.equal(result.members, 1);
  assert.match(result.warning ?? "", /too long to ask the filters/);
  assert.deepEqual(await members(), [`${deep}/link`]);
});

test("a stop is obeyed", async (t) => {
  const { source, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  await assert.rejects(update({ signal: AbortSignal.abort() }), (error) => {
    assert.ok(error instanceof Failure);
    return error.outcome === "interrupted";
  });
  assert.deepEqual(readdirSync(source), ["link"]);
});

test("devices are found", async (t) => {
  const { root } = await makeSandbox(t);
  // Only root can make one, but every system has this one; the dry run writes nothing to /dev.
  const seen: string[] = [];
  const result = await archiveSpecials({
    source: "/dev",
    scratch: path.join(root, "scratch"),
    now,
    linksAreSpecial: false,
    dryRun: true,
    async *listIncluded(directory) {
      seen.push(...readdirSync(directory));
      rmSync(directory, { recursive: true });
      yield [rawFromBytes("null")];
    },
  });
  assert.equal(result.members, 1);
  assert.ok(seen.includes("null"));
});

test(
  "devices are archived",
  { skip: process.getuid?.() !== 0 && "only root makes devices" },
  async (t) => {
    const { source, archive, update } = await place(t);
    for (const [name, type] of [
      ["block", "b"],
      ["char", "c"],
    ] as const) {
      assert.equal((await run("mknod", [path.join(source, name), type, "7", "99"])).code, 0);
    }
    assert.equal((await update()).state, "written");
    const listed = await run("tar", ["-tvzf", archive]);
    assert.match(listed.stdout, /^b.* 7,99 .* block\nc.* 7,99 .* char\n$/);
    rmSync(path.join(source, "char"));
    await run("mknod", [path.join(source, "char"), "c", "7", "98"]);
    assert.equal((await update()).state, "written", "its number counts");
  },
);
