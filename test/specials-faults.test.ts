import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import * as v from "valibot";
import { archiveName } from "../lib/specials/archive.ts";
import { run } from "./helpers/command.ts";
import type { RunOptions } from "./helpers/command.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/** Archives $1 with all names included and prints the result, or the error, as JSON. */
const script = `
  const { readdirSync } = await import("node:fs");
  const { archiveSpecials } = await import(${JSON.stringify(import.meta.resolve("../lib/specials/archive.ts"))});
  const [source, scratch, dryRun] = process.argv.slice(1);
  const request = { source, scratch, now: new Date("2024-06-01T12:00:00Z"), linksAreSpecial: true,
    dryRun: dryRun === "dry", listIncluded: async function* (directory) { yield readdirSync(directory); } };
  try { console.log(JSON.stringify(await archiveSpecials(request))); }
  catch (error) { console.log(JSON.stringify({ outcome: error.outcome, message: error.message, hint: error.hint })); }`;

const toldSchema = v.strictObject({
  state: v.optional(v.string()),
  members: v.optional(v.number()),
  warning: v.optional(v.string()),
  outcome: v.optional(v.string()),
  message: v.optional(v.string()),
  hint: v.optional(v.string()),
});
type Told = v.InferOutput<typeof toldSchema>;

interface Place {
  readonly source: string;
  readonly archive: string;
  readonly bin: string;
  readonly command: string[];
  readonly update: (options?: RunOptions, mode?: "dry") => Promise<Told>;
}

async function place(t: TestContext): Promise<Place> {
  const { root, source, bin } = await makeSandbox(t);
  const scratch = path.join(root, "scratch");
  const command = [
    process.execPath,
    ...["--import", "tsx", "--input-type=module", "-e", script, source, scratch],
  ];
  return {
    source,
    archive: path.join(source, archiveName),
    bin,
    command,
    update: async (options, mode) => {
      const [program = "", ...args] = command;
      const result = await run(program, mode === undefined ? args : [...args, mode], options);
      return told(result.stdout, result.stderr);
    },
  };
}

function told(stdout: string, stderr: string): Told {
  assert.notEqual(stdout, "", stderr);
  return v.parse(toldSchema, JSON.parse(stdout));
}

/** Puts a program of the test's before the real one of the same name. */
function instead(bin: string, name: string, text: string): RunOptions {
  writeFileSync(path.join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return { env: { PATH: `${bin}:${process.env["PATH"] ?? ""}` } };
}

test("a source that may not be written to is a warning", async (t) => {
  const { source, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  chmodSync(source, 0o555);
  for (const mode of [undefined, "dry"] as const) {
    assert.deepEqual(await update({ unprivileged: true }, mode), {
      state: "unwritable",
      members: 1,
      warning:
        "special-files.tar.gz was not written: the source may not be written to; " +
        "1 special file is not in the backup",
    });
  }
});

test("a source that may not be written to and has no special files is no trouble", async (t) => {
  const { source, update } = await place(t);
  chmodSync(source, 0o555);
  const { state, warning } = await update({ unprivileged: true });
  assert.deepEqual([state, warning], ["none", undefined]);
});

test("an outdated archive that can't be removed is a warning", async (t) => {
  const { source, archive, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  await update();
  assert.equal((await run("rm", [path.join(source, "link")])).code, 0);
  chmodSync(source, 0o555);
  const { state, warning } = await update({ unprivileged: true });
  assert.equal(state, "unwritable");
  assert.match(warning ?? "", /outdated special-files.tar.gz was not removed/);
  assert.ok(statSync(archive).isFile());
});

test("an archive that is up to date needs no write access", async (t) => {
  const { source, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  await update();
  chmodSync(source, 0o555);
  assert.equal((await update({ unprivileged: true })).state, "unchanged");
});

test("a read-only file system is a warning", async (t) => {
  const { source, command } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  const mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
  const result = await run("unshare", ["-mr", "sh", "-c", mount, source, ...command]);
  const { state, warning } = told(result.stdout, result.stderr);
  assert.equal(state, "unwritable");
  assert.match(warning ?? "", /the source is on a read-only file system/);
});

test("a full disk is a warning, and the old archive stays", async (t) => {
  const { source, command } = await place(t);
  const fill = `mount -t tmpfs -o size=64k none "$0" && ln -s x "$0/link" && "$@" &&
    cp "$0/${archiveName}" "$0/../old" && ln -s x "$0/link2" &&
    { head -c 80k /dev/zero >"$0/full" 2>/dev/null; "$@"; } &&
    ls -A "$0" && cmp "$0/${archiveName}" "$0/../old" && echo same`;
  const result = await run("unshare", [...["-mr", "sh", "-c"], fill, source, ...command]);
  const [first = "", second = "", ...rest] = result.stdout.split("\n");
  assert.equal(told(first, result.stderr).state, "written");
  assert.deepEqual(told(second, result.stderr), {
    state: "unwritable",
    members: 2,
    warning:
      "special-files.tar.gz was not written: the source's disk is full; " +
      "2 special files are not in the backup",
  });
  assert.deepEqual(rest, ["full", "link", "link2", archiveName, "same", ""]);
});

test("a tar that is not GNU's is named", async (t) => {
  const { source, bin, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  const options = instead(bin, "tar", "echo bsdtar 3.7.4");
  instead(bin, "gtar", "exit 127");
  const { outcome, message, hint } = await update(options);
  assert.equal(outcome, "failed");
  assert.equal(message, "expected GNU tar as tar or gtar, found bsdtar 3.7.4");
  assert.match(hint ?? "", /install GNU tar/);
  assert.deepEqual(readdirSync(source), ["link"]);
});

test("GNU tar is found as gtar, and TAR_OPTIONS does not reach it", async (t) => {
  const { source, archive, bin, update } = await place(t);
  symlinkSync("x", path.join(source, "link"));
  const real = (await run("sh", ["-c", "command -v tar"])).stdout.trim();
  const options = instead(bin, "tar", "echo bsdtar");
  instead(bin, "gtar", `exec ${real} "$@"`);
  const env = { ...options.env, TAR_OPTIONS: "--bogus" };
  assert.equal((await update({ env })).state, "written");
  assert.equal((await run(real, ["-tzf", archive])).stdout, "link\n");
});

test("without special files no tar is needed", async (t) => {
  const { bin, update } = await place(t);
  assert.equal((await update(instead(bin, "tar", "exit 1"))).state, "none");
});

test("a missing find is named", async (t) => {
  const { bin, update } = await place(t);
  const { outcome, message } = await update({ env: { PATH: bin } });
  assert.equal(outcome, "failed");
  assert.match(message ?? "", /cannot run find/);
});

test("a member that goes away while tar runs is left out", async (t) => {
  const { source, archive, bin, update } = await place(t);
  symlinkSync("x", path.join(source, "gone"));
  symlinkSync("x", path.join(source, "link"));
  const real = (await run("sh", ["-c", "command -v tar"])).stdout.trim();
  const gone = `rm -f '${path.join(source, "gone")}'`;
  const result = await update(
    instead(bin, "tar", `[ "$1" = --version ] || ${gone}; exec ${real} "$@"`),
  );
  assert.deepEqual([result.state, result.members], ["written", 1]);
  assert.equal((await run(real, ["-tzf", archive])).stdout, "link\n");
});

test("members that all go away while tar runs leave no archive", async (t) => {
  const { source, bin, update } = await place(t);
  symlinkSync("x", path.join(source, "gone"));
  const real = (await run("sh", ["-c", "command -v tar"])).stdout.trim();
  const gone = `rm -f '${path.join(source, "gone")}'`;
  const options = instead(bin, "tar", `[ "$1" = --version ] || ${gone}; exec ${real} "$@"`);
  assert.deepEqual(await update(options), { state: "none", members: 0 });
  assert.deepEqual(readdirSync(source), []);
});

for (const [what, text, reason] of [
  ["fails", "echo tar: no luck >&2; exit 2", /tar failed: tar: no luck/],
  ["writes nothing", "exit 0", /it ended too early/],
  ["is killed", "echo half; kill -9 $$", /it ended too early/],
] as const) {
  test(`a tar that ${what} is a warning, and the old archive stays`, async (t) => {
    const { source, archive, bin, update } = await place(t);
    symlinkSync("x", path.join(source, "one"));
    await update();
    const before = readFileSync(archive);
    symlinkSync("x", path.join(source, "two"));
    const version = '[ "$1" = --version ] && echo "tar (GNU tar) 1.35" && exit';
    const { state, warning } = await update(instead(bin, "tar", `${version}\n${text}`));
    assert.equal(state, "unwritable");
    assert.match(warning ?? "", reason);
    assert.match(warning ?? "", /2 special files are not in the backup/);
    assert.ok(readFileSync(archive).equals(before));
    assert.deepEqual(readdirSync(source).toSorted(), ["one", archiveName, "two"]);
  });
}

test("kill -9 while tar runs leaves the old archive, and the next run succeeds", async (t) => {
  const { source, archive, bin, command, update } = await place(t);
  symlinkSync("x", path.join(source, "one"));
  await update();
  const before = readFileSync(archive);
  symlinkSync("x", path.join(source, "two"));
  const version = '[ "$1" = --version ] && echo "tar (GNU tar) 1.35" && exit';
  const options = instead(bin, "tar", `${version}\nkill -9 $PPID`);
  const [program = "", ...args] = command;
  assert.equal((await run(program, args, options)).signal, "SIGKILL");
  assert.ok(readFileSync(archive).equals(before));
  assert.ok(readdirSync(source).includes(`.#${archiveName}`));
  assert.equal((await update()).state, "written");
  assert.deepEqual(readdirSync(source).toSorted(), ["one", archiveName, "two"]);
});

test("an unreadable directory is passed over", async (t) => {
  const { source, update } = await place(t);
  const closed = path.join(source, "closed");
  mkdirSync(closed);
  symlinkSync("x", path.join(closed, "hidden"));
  symlinkSync("x", path.join(source, "link"));
  utimesSync(source, new Date(), new Date());
  chmodSync(closed, 0);
  const { state, members } = await update({ unprivileged: true });
  assert.deepEqual([state, members], ["written", 1]);
});
