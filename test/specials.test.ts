import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
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
import { archiveName, archiveSpecials } from "../lib/specials/archive.ts";
import type { SpecialsRequest, SpecialsResult } from "../lib/specials/archive.ts";
import { gzipComment } from "../lib/specials/gzip.ts";
import { rawFromBytes } from "../lib/units/rawpath.ts";
import { run } from "./helpers/command.ts";
import { newRclone, rclones } from "./helpers/rclones.ts";
import type { Rclone } from "./helpers/rclones.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

const now = new Date("2024-06-01T12:00:00Z");
const day = 86_400_000;

interface Place {
  readonly source: string;
  readonly archive: string;
  readonly scratch: string;
  /** Brings the archive up to date, with rclone's filters. */
  readonly update: (options?: Partial<SpecialsRequest>) => Promise<SpecialsResult>;
  /** The archive's members as tar lists them. */
  readonly members: () => Promise<string[]>;
}

async function place(t: TestContext, rules = "", rclone: Rclone = newRclone): Promise<Place> {
  const sandbox = await makeSandbox(t, rclone);
  const source = path.join(sandbox.root, `it's a "source" dir`);
  const scratch = path.join(sandbox.root, "scratch");
  const filter = path.join(sandbox.root, "filter");
  mkdirSync(source);
  writeFileSync(filter, rules, "latin1");
  const archive = path.join(source, archiveName);
  const lsf = ["lsf", "-R", "--files-only", "--filter-from", filter];
  return {
    source,
    archive,
    scratch,
    update: async (options) =>
      archiveSpecials({
        source,
        scratch,
        now,
        linksAreSpecial: true,
        dryRun: false,
        async *listIncluded(directory) {
          const { code, stdoutBytes, stderr } = await sandbox.runRclone([...lsf, directory]);
          assert.equal(code, 0, stderr);
          yield stdoutBytes.toString("latin1").split("\n").slice(0, -1).map(rawFromBytes);
        },
        ...options,
      }),
    members: async () => {
      const listed = await run("tar", ["--quoting-style=literal", "-tzf", archive]);
      assert.equal(listed.code, 0, listed.stderr);
      return listed.stdoutBytes.toString("latin1").split("\n").slice(0, -1);
    },
  };
}

async function fifo(file: string): Promise<void> {
  assert.equal((await run("mkfifo", [file])).code, 0);
}

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

test("a second run writes nothing, and a change does", async (t) => {
  const { source, archive, update, members } = await place(t);
  const link = path.join(source, "link");
  symlinkSync("one", link);
  lutimesSync(link, now, new Date(now.getTime() - day));
  assert.equal((await update()).state, "written");
  const before = statSync(archive, { bigint: true });
  assert.equal((await update()).state, "unchanged");
  const after = statSync(archive, { bigint: true });
  assert.deepEqual([after.ino, after.ctimeNs], [before.ino, before.ctimeNs]);

  lutimesSync(link, now, now);
  assert.equal((await update()).state, "written", "its time counts");
  rmSync(link);
  symlinkSync("two", link);
  lutimesSync(link, now, now);
  assert.equal((await update()).state, "written", "its target counts");
  await fifo(path.join(source, "fifo"));
  assert.equal((await update()).state, "written", "a new one counts");
  assert.equal((await update()).state, "unchanged");
  chmodSync(path.join(source, "fifo"), 0o600);
  assert.equal((await update()).state, "written", "its mode counts");
  assert.deepEqual(await members(), ["fifo", "link"]);
});

test("without special files there is no archive, and one of ours goes away", async (t) => {
  const { source, archive, update } = await place(t);
  assert.deepEqual(await update(), { state: "none", members: 0, warning: undefined });
  symlinkSync("x", path.join(source, "link"));
  await update();
  rmSync(path.join(source, "link"));
  assert.equal((await update({ dryRun: true })).state, "removed");
  assert.ok(statSync(archive).isFile());
  assert.deepEqual(await update(), { state: "removed", members: 0, warning: undefined });
  assert.deepEqual(readdirSync(source), []);
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

test("the archive has the time of its newest member that is not in the future", async (t) => {
  const { source, archive, update } = await place(t);
  const make = (name: string, time: number): void => {
    symlinkSync("x", path.join(source, name));
    lutimesSync(path.join(source, name), now, new Date(time));
  };
  make("future", now.getTime() + day);
  await update();
  assert.equal(statSync(archive).mtimeMs, now.getTime(), "all are in the future: now");
  make("old", now.getTime() - 9 * day);
  make("newer", now.getTime() - day + 5);
  await update();
  assert.equal(statSync(archive).mtimeMs, now.getTime() - day + 5);
});

test("equal special files give equal bytes", async (t) => {
  const places = [await place(t), await place(t)] as const;
  for (const [index, { source, update }] of places.entries()) {
    const names = ["b", "a", "dir"];
    for (const name of index === 0 ? names : names.toReversed()) {
      if (name === "dir") mkdirSync(path.join(source, name));
      const file = path.join(source, name === "dir" ? "dir/c" : name);
      symlinkSync("x", file);
      lutimesSync(file, new Date(index), new Date(now.getTime() - day + 7));
    }
    await update();
  }
  const [one, two] = places.map(({ archive }) => readFileSync(archive));
  assert.ok(one?.equals(two ?? Buffer.alloc(0)));
  assert.match(
    gzipComment(one ?? Buffer.alloc(0)) ?? "",
    /^rclone-backups special files 1 sha256=[0-9a-f]{64}$/,
  );
});

test("a file of the user's in the archive's place is left alone", async (t) => {
  const { source, archive, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  const intact = async (): Promise<void> => {
    const before = lstatSync(archive, { bigint: true });
    const result = await update();
    assert.equal(result.state, "foreign");
    assert.match(result.warning ?? "", /special-files\.tar\.gz was not made by this program/);
    const after = lstatSync(archive, { bigint: true });
    assert.deepEqual([after.ino, after.ctimeNs], [before.ino, before.ctimeNs]);
    rmSync(archive, { recursive: true });
  };
  writeFileSync(archive, "no gzip");
  await intact();
  writeFileSync(archive, "");
  await intact();
  assert.equal((await run("tar", ["-czf", archive, "-C", source, "link"])).code, 0);
  await intact();
  await run("sh", [
    "-c",
    'printf x > "$0" && gzip -N "$0" && mv "$0.gz" "$1"',
    `${source}/f`,
    archive,
  ]);
  await intact();
  symlinkSync("link", archive);
  await intact();
  await fifo(archive);
  await intact();
  mkdirSync(archive);
  await intact();
  assert.equal((await update()).state, "written");
});

test("a foreign file is no trouble where there is nothing to archive", async (t) => {
  const { archive, update } = await place(t);
  writeFileSync(archive, "mine");
  assert.deepEqual(await update(), { state: "none", members: 0, warning: undefined });
  assert.equal(readFileSync(archive, "utf8"), "mine");
});

test("a dry run says what would be and writes nothing to the source", async (t) => {
  const { source, archive, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  const stale = path.join(source, `.#${archiveName}`);
  writeFileSync(stale, "half");
  const before = statSync(source, { bigint: true });
  assert.deepEqual(await update({ dryRun: true }), {
    state: "written",
    members: 1,
    warning: undefined,
  });
  assert.equal(statSync(source, { bigint: true }).ctimeNs, before.ctimeNs);
  rmSync(stale);
  await update();
  assert.equal((await update({ dryRun: true })).state, "unchanged");
  writeFileSync(archive, "mine");
  assert.equal((await update({ dryRun: true })).state, "foreign");
});

test("links are left out where the backup follows them", async (t) => {
  const { source, update, members } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  assert.equal((await update({ linksAreSpecial: false })).state, "none");
  await fifo(path.join(source, "fifo"));
  await update({ linksAreSpecial: false });
  assert.deepEqual(await members(), ["fifo"]);
});

test("what a killed run left is replaced", async (t) => {
  const { source, scratch, update, members } = await place(t, "- lost\n");
  symlinkSync("x", path.join(source, "link"));
  symlinkSync("/etc/passwd", path.join(source, `.#${archiveName}`));
  mkdirSync(path.join(scratch, "specials-shadow/dir"), { recursive: true });
  writeFileSync(path.join(scratch, "specials-shadow/dir/lost"), "");
  await update();
  assert.deepEqual(await members(), ["link"]);
  assert.deepEqual(readdirSync(source).toSorted(), ["link", archiveName]);
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
