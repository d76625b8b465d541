import assert from "node:assert/strict";
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { projectRoot, run } from "./helpers/command.ts";
import type { Result } from "./helpers/command.ts";
import { eitherRclone, oldRclone } from "./helpers/rclones.ts";
import { makeSandbox } from "./helpers/sandbox.ts";
import type { Sandbox } from "./helpers/sandbox.ts";

/** Runs the quickstart as `npm run quickstart -- ARGS` does, with the sandbox's HOME and rclone. */
async function quickstart(
  sandbox: Sandbox,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Result> {
  const { PATH = "", HOME = "" } = sandbox.env;
  return run("sh", [path.join(projectRoot, "scripts/quickstart.sh"), "--yes", ...args], {
    cwd: sandbox.root,
    env: { PATH, HOME, TZ: "UTC", ...env },
  });
}

/** Everything below a directory with type, mode, size and time; a change of any shows. */
async function snapshot(root: string, leaveOut: readonly string[] = []): Promise<string[]> {
  const names = (await readdir(root, { recursive: true })).filter(
    (name) => !leaveOut.some((other) => name === other || name.startsWith(`${other}/`)),
  );
  const lines = names.map(async (name) => {
    const { mode, size, mtimeMs } = await lstat(path.join(root, name));
    return `${name} ${mode.toString(8)} ${size} ${mtimeMs}`;
  });
  return (await Promise.all(lines)).toSorted();
}

/** Copies what the quickstart's encrypted remote holds for a backup into a directory. */
async function restore(place: string, name: string, target: string): Promise<void> {
  const args = ["--config", path.join(place, "rclone.conf"), "copy", `quickstart:${name}`, target];
  const result = await run(oldRclone.path, args);
  assert.equal(result.code, 0, result.stderr);
}

async function namesBelow(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true })).toSorted();
}

for (const rclone of eitherRclone(import.meta.url)) {
  test(`the sample is backed up, verified, changed and backed up again (${rclone.version} rclone)`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    const place = path.join(sandbox.home, "rclone-backups-quickstart");
    const made = ["node_modules", "dist", ".git"];
    const checkout = await snapshot(projectRoot, made);
    const first = await quickstart(sandbox, []);
    assert.equal(first.code, 0, first.stdout + first.stderr);
    assert.deepEqual(await snapshot(projectRoot, made), checkout, "the checkout stays as it was");
    const ignored = (await readFile(path.join(projectRoot, ".gitignore"), "utf8")).split("\n");
    for (const folder of ["node_modules/", "dist/"]) assert.ok(ignored.includes(folder), folder);
    assert.match(first.stdout, /\n\$ node \S+\/dist\/bin\/rclone-backup\.js -v sample\n/);
    assert.match(first.stdout, /--verify all sample\n/);

    const password =
      (await readFile(path.join(place, "password.txt"), "utf8")).split("\n")[1] ?? "";
    assert.match(password, /^(?:[a-z2-9]{5}-){5}[a-z2-9]{5}$/);
    assert.ok(!(first.stdout + first.stderr).includes(password), "the password was shown");
    for (const file of ["password.txt", "rclone.conf"]) {
      assert.equal((await stat(path.join(place, file))).mode & 0o777, 0o600, file);
    }
    const stored = await namesBelow(path.join(place, "store"));
    assert.ok(stored.length >= 8, `only ${stored.length} names in the store`);
    assert.deepEqual(
      stored.filter((name) => /notes|diary|photos|sample/.test(name)),
      [],
    );

    await restore(place, "sample", path.join(sandbox.root, "one"));
    const same = await run("diff", [
      "-r",
      path.join(place, "sample"),
      path.join(sandbox.root, "one"),
    ]);
    // A name ending in ~ and a link are not copied as they are; all else is equal.
    assert.deepEqual(
      same.stdout
        .split("\n")
        .filter((line) => !/^$|: (scratch~|latest|special-files\.tar\.gz)$/.test(line)),
      [],
    );
    assert.ok(!same.stdout.includes("draft.txt"), "a deleted file is still there");
    const before = await namesBelow(path.join(place, "restored/notes"));
    assert.deepEqual(before, ["diary.txt", "draft.txt", "ideas.md"], "as it was before the change");

    const again = await quickstart(sandbox, []);
    assert.equal(again.code, 0, again.stdout + again.stderr);
    assert.match(await readFile(path.join(place, "password.txt"), "utf8"), new RegExp(password));
    await restore(place, "sample", path.join(sandbox.root, "two"));
    const diary = await readFile(path.join(sandbox.root, "two/notes/diary.txt"), "utf8");
    assert.equal(diary.trimEnd().split("\n").length, 3);

    await t.test(
      "lost passwords: the configuration is made again from password.txt, or the quickstart refuses",
      async () => {
        await rm(path.join(place, "rclone.conf"));
        const mended = await quickstart(sandbox, []);
        assert.equal(mended.code, 0, mended.stdout + mended.stderr);
        for (const file of ["rclone.conf", "password.txt"]) {
          await rename(path.join(place, file), path.join(sandbox.root, file));
        }
        const lost = await quickstart(sandbox, []);
        assert.equal(lost.code, 2, lost.stderr);
        assert.match(lost.stderr, /rclone\.conf and password\.txt are gone/);
      },
    );
  });
}

test("a directory of the user's own is backed up and left as it was", async (t) => {
  const sandbox = await makeSandbox(t);
  const own = path.join(sandbox.root, "my $HOME; it's #1");
  await mkdir(path.join(own, "deep/er"), { recursive: true });
  await writeFile(path.join(own, "deep/er/a file.txt"), "mine\n");
  await writeFile(path.join(own, "two"), "mine too\n");
  const before = await snapshot(own);
  const place = path.join(sandbox.root, "a place");
  const result = await quickstart(sandbox, ["--dir", place, own]);
  assert.equal(result.code, 0, result.stdout + result.stderr);
  assert.match(result.stdout, /holds 2 files/);
  assert.deepEqual(await snapshot(own), before);
  await restore(place, "my-HOME-it-s-1", path.join(sandbox.root, "restored"));
  assert.deepEqual(await namesBelow(path.join(sandbox.root, "restored")), await namesBelow(own));
});

test("two directories of one name, and one that holds the quickstart itself", async (t) => {
  const sandbox = await makeSandbox(t);
  const [one, two] = [path.join(sandbox.root, "one/data"), path.join(sandbox.root, "two/data")];
  for (const directory of [one, two]) {
    await mkdir(directory, { recursive: true });
    await writeFile(path.join(directory, "whose.txt"), directory);
  }
  await writeFile(path.join(sandbox.home, "mine.txt"), "mine");
  const place = path.join(sandbox.home, "quick [start]");
  for (const directory of [one, two, sandbox.home, one]) {
    const result = await quickstart(sandbox, ["--dir", place, directory]);
    assert.equal(result.code, 0, result.stdout + result.stderr);
  }
  for (const [name, directory] of [
    ["data", one],
    ["data-2", two],
  ] as const) {
    await restore(place, name, path.join(sandbox.root, name));
    assert.equal(await readFile(path.join(sandbox.root, name, "whose.txt"), "utf8"), directory);
  }
  await restore(place, "home", path.join(sandbox.root, "restored"));
  assert.deepEqual(await namesBelow(path.join(sandbox.root, "restored")), ["mine.txt"]);
});

test("what it prints can be typed", async (t) => {
  const sandbox = await makeSandbox(t);
  const place = path.join(sandbox.root, "it's here");
  const { code, stdout, stderr } = await quickstart(sandbox, ["--dir", place]);
  assert.equal(code, 0, stdout + stderr);
  const exported = /^\$ (export .*)$/m.exec(stdout)?.[1] ?? "";
  const [, last = ""] = stdout.split("Three commands to try next");
  const commands = last.split("\n").flatMap((line) => /^ {2}(.*)$/.exec(line)?.[1] ?? []);
  assert.equal(commands.length, 3, stdout);
  const { PATH = "", HOME = "" } = sandbox.env;
  for (const command of commands) {
    const result = await run("sh", ["-c", `${exported} && ${command}`], {
      env: { PATH, HOME },
      cwd: "/",
    });
    assert.equal(result.code, 0, `${command}\n${result.stderr}`);
  }
  assert.ok((await stat(path.join(place, "restored/notes/diary.txt"))).isFile());
});

test("a directory that isn't its own is refused and left alone", async (t) => {
  const sandbox = await makeSandbox(t);
  const place = path.join(sandbox.root, "place");
  await mkdir(place);
  await writeFile(path.join(place, "mine"), "mine");
  const before = await snapshot(place);
  for (const result of [
    await quickstart(sandbox, ["--dir", place]),
    await quickstart(sandbox, [], { RCLONE_BACKUPS_QUICKSTART: place }),
  ]) {
    assert.equal(result.code, 2, result.stderr);
    assert.match(result.stderr, /isn't empty/);
  }
  assert.deepEqual(await snapshot(place), before);
  const file = await quickstart(sandbox, ["--dir", path.join(place, "mine")]);
  assert.equal(file.code, 2, file.stderr);
  assert.match(file.stderr, /is not a directory/);
});

test("wrong usage is told and makes nothing", async (t) => {
  const sandbox = await makeSandbox(t);
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["--fast"], /unknown option: --fast/],
    [[sandbox.source, sandbox.store], /expected one directory, found two/],
    [["--dir"], /--dir needs a directory/],
    [[path.join(sandbox.root, "nothing")], /no such directory/],
    [["--dir", path.join(sandbox.root, "x "), sandbox.source], /space at its end/],
  ];
  for (const [args, message] of cases) {
    const result = await quickstart(sandbox, args);
    assert.equal(result.code, 2, result.stdout + result.stderr);
    assert.match(result.stderr, message);
  }
  const homeless = await quickstart(sandbox, [], { HOME: "" });
  assert.equal(homeless.code, 2);
  assert.match(homeless.stderr, /HOME is not set/);
  assert.deepEqual(await readdir(sandbox.home), []);
  assert.ok(!(await readdir(sandbox.root)).includes("x "));
});

test("a source inside the quickstart's own directory, or larger than the disk, is refused", async (t) => {
  const sandbox = await makeSandbox(t);
  const place = path.join(sandbox.root, "place");
  await mkdir(place);
  await mkdir(path.join(place, "store"));
  await writeFile(path.join(place, ".rclone-backups-quickstart"), "");
  const inside = await quickstart(sandbox, ["--dir", place, path.join(place, "store")]);
  assert.equal(inside.code, 2, inside.stderr);
  assert.match(inside.stderr, /lies in the quickstart's own directory/);

  await rm(path.join(sandbox.bin, "rclone"));
  await writeFile(
    path.join(sandbox.bin, "rclone"),
    `#!/bin/sh\necho '{"count":7,"bytes":1000000000000000000,"sizeless":0}'\n`,
  );
  await chmod(path.join(sandbox.bin, "rclone"), 0o755);
  const large = await quickstart(sandbox, [
    "--dir",
    path.join(sandbox.root, "new"),
    sandbox.source,
  ]);
  assert.equal(large.code, 2, large.stderr);
  assert.match(large.stderr, /7 files, .* do not fit on the disk/);
});
