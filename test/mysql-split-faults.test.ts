import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { run, start } from "./helpers/command.ts";
import { exporter, makeSplitting, mysqlDump, someRows } from "./helpers/splitting.ts";

/* A split that is cut off at any point leaves the old dump whole, or the next run makes the new one whole. */

const old = mysqlDump([
  { name: "orders", rows: someRows(5000) },
  { name: "users", rows: someRows(2000) },
]);
const fresh = mysqlDump([
  { name: "articles", rows: someRows(900) },
  { name: "orders", rows: someRows(5000).filter((_, at) => at % 1500 !== 7) },
]);

/** Ends the process with -9 before the n-th time that a file gets another name, or is removed. */
function killing(times: number): string {
  const script = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    let left = ${times};
    for (const name of ["rename", "unlink"]) {
      const real = fs.promises[name];
      fs.promises[name] = (...words) => {
        if (left-- === 0) process.kill(process.pid, "SIGKILL");
        return real(...words);
      };
    }
    syncBuiltinESMExports();`;
  return `data:text/javascript,${encodeURIComponent(script)}`;
}

test("kill -9 while the new files take their places: the next run completes it first", async (t) => {
  const { to, root, split, join, cat, splitText } = await makeSplitting(t);
  const file = path.join(root, "fresh.sql");
  await writeFile(file, fresh);
  const words = [exporter("mysql-split"), "--to", to, "--chunk-size", "64K", file];
  let seen = 0;
  for (let times = 0; ; times += 1) {
    await splitText(old);
    const killed = await run(process.execPath, ["--import", killing(times), ...words]);
    if (killed.code === 0) break;
    assert.equal(killed.signal, "SIGKILL", killed.stderr);
    const open = (await readdir(path.join(to, ".split"))).includes("journal");
    if (!open) {
      // Before it, the old dump is what is there; behind it, the new one.
      const there = (await cat()).toString();
      assert.ok(there === old || there === fresh);
      assert.equal((await join(["--verify"])).code, 0);
      continue;
    }
    seen += 1;
    const refused = await join([]);
    assert.deepEqual([refused.code, refused.stdout], [5, ""], refused.stderr);
    assert.match(refused.stderr, /a run was cut off from committing\n.*hint: split a dump/);
    const dry = await split(["-n", file]);
    assert.equal(dry.code, 5, dry.stderr);
    // It is completed even where the run after it has no dump.
    const failed = await split(["-v"], { input: fresh.slice(0, 5000) });
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /completed what a run that was cut off had begun/);
    assert.equal((await cat()).toString(), fresh);
    assert.equal((await join(["--verify"])).code, 0);
    assert.deepEqual(await readdir(path.join(to, ".split/staged")), []);
  }
  assert.ok(seen >= 10, `cut off ${seen} times in the middle`);
  assert.equal((await cat()).toString(), fresh);
});

test("kill -9 while files are staged leaves the old dump, and the next run cleans up", async (t) => {
  const { to, join, cat, splitText } = await makeSplitting(t);
  await splitText(old);
  const words = [exporter("mysql-split"), "--to", to, "--chunk-size", "64K"];
  const live = start(process.execPath, words, { typing: true });
  // It is killed before it has read all.
  live.child.stdin?.on("error", () => {});
  live.child.stdin?.write(fresh.slice(0, 300_000));
  const staged = path.join(to, ".split/staged");
  while ((await readdir(staged)).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 10));
  live.killGroup("SIGKILL");
  await live.done;
  assert.equal((await cat()).toString(), old);
  assert.equal((await join(["--verify"])).code, 0);
  assert.ok((await readdir(staged)).length > 0);
  const again = await splitText(old);
  assert.equal(again.unchanged, again.files);
  assert.deepEqual(await readdir(staged), []);
});

test("kill -9 in the first run: the next one begins anew", async (t) => {
  const { to, cat, join, splitText } = await makeSplitting(t);
  const words = [exporter("mysql-split"), "--to", to, "--chunk-size", "64K"];
  const live = start(process.execPath, words, { typing: true });
  live.child.stdin?.on("error", () => {});
  live.child.stdin?.write(fresh.slice(0, 300_000));
  const staged = path.join(to, ".split/staged");
  // Some are whole, and of one the beginning is there.
  while ((await readdir(staged).catch(() => [])).length < 3)
    await new Promise((resolve) => setTimeout(resolve, 10));
  live.killGroup("SIGKILL");
  await live.done;
  assert.equal((await join(["--verify"])).code, 5);
  const again = await splitText(fresh);
  assert.equal(again.unchanged, 0);
  assert.deepEqual(await readdir(staged), []);
  assert.equal((await cat()).toString(), fresh);
  assert.equal((await join(["--verify"])).code, 0);
});

test("a sync that fails is told with its path, and the old dump stays", async (t) => {
  const { to, root, join, cat, splitText } = await makeSplitting(t);
  await splitText(old);
  const file = path.join(root, "fresh.sql");
  await writeFile(file, fresh);
  const script = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const real = fs.promises.open;
    fs.promises.open = async (file, ...words) => {
      const handle = await real(file, ...words);
      if (file.endsWith("staged/00000002"))
        handle.sync = async () => {
          throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
        };
      return handle;
    };
    syncBuiltinESMExports();`;
  const module = `data:text/javascript,${encodeURIComponent(script)}`;
  const words = [exporter("mysql-split"), "--to", to, "--chunk-size", "64K", file];
  const result = await run(process.execPath, ["--import", module, ...words]);
  assert.equal(result.code, 1, result.stderr);
  assert.match(result.stderr, /cannot write .*\.split\/staged\/00000002 \(EIO\)/);
  assert.equal((await cat()).toString(), old);
  assert.equal((await join(["--verify"])).code, 0);
  assert.deepEqual(await readdir(path.join(to, ".split/staged")), []);
});

test("a disk that is full in the middle is told, and the old dump stays", async (t) => {
  const { root, to } = await makeSplitting(t);
  await writeFile(path.join(root, "old.sql"), mysqlDump([{ name: "a", rows: someRows(4000) }]));
  await writeFile(path.join(root, "fresh.sql"), mysqlDump([{ name: "b", rows: someRows(30_000) }]));
  const script = `
    mkdir "$1/split" && mount -t tmpfs -o size=2m none "$1/split" && cd "$1"
    "$2" "$3" --to split --chunk-size 64K old.sql || exit 9
    "$2" "$3" --to split --chunk-size 64K fresh.sql; echo "code $?"
    ls -A split/.split/staged
    cat split/* | cmp - old.sql && "$2" "$4" --verify split && echo whole`;
  const result = await run("unshare", [
    ...["-mr", "sh", "-c", script, "sh"],
    ...[root, process.execPath, exporter("mysql-split"), exporter("mysql-join")],
  ]);
  assert.equal(result.stdout, "code 1\nwhole\n", result.stderr);
  assert.match(
    result.stderr,
    /cannot write .*: the disk is full \(ENOSPC\)\n.*hint: the files of the dump before/,
  );
  assert.deepEqual(await readdir(to), []);
});

test("a dump program that fails leaves the old dump, whatever it wrote", async (t) => {
  const { root, split, splitText, cat } = await makeSplitting(t);
  await splitText(old);
  const program = path.join(root, "mysqldump");
  await writeFile(path.join(root, "fresh.sql"), fresh);
  const script = (end: string): string => `#!/bin/sh
case $1 in --version) echo "mysqldump  Ver 9.7.4 for Linux"; exit;; esac
printf '%s\\n' "$@" > "${root}/words"; env > "${root}/env"
${end}
`;
  for (const [end, message] of [
    [
      `cat "${root}/fresh.sql"; echo 'mysqldump: Got error: 2013' >&2; exit 2`,
      /exit code 2: mysqldump: Got error: 2013/,
    ],
    [`head -c 9999 "${root}/fresh.sql"; echo lost >&2; exit 3`, /exit code 3: lost/],
    [`head -c 9999 "${root}/fresh.sql"`, /cut off/],
    ["exit 0", /expected a dump, found nothing/],
  ] as const) {
    await writeFile(program, script(end), { mode: 0o755 });
    const result = await split(["--dump", "shop", "--program", program]);
    assert.equal(result.code, 1, result.stderr);
    assert.match(result.stderr, message);
    assert.equal((await cat()).toString(), old);
  }
  await writeFile(program, script(`cat "${root}/fresh.sql"`), { mode: 0o755 });
  const env = { PATH: `${root}:/usr/bin:/bin`, MYSQL_PWD: "a secret", OTHER: "kept back" };
  const words = ["--dump", "shop", "--defaults-file", "my.cnf", "--", "--no-tablespaces"];
  const good = await split(words, { env, cwd: root });
  assert.deepEqual([good.code, good.stderr], [0, ""]);
  assert.equal((await cat()).toString(), fresh);
  const given = (await readFile(path.join(root, "words"), "utf8")).trimEnd().split("\n");
  assert.equal(given[0], `--defaults-file=${path.join(root, "my.cnf")}`);
  assert.ok(given.includes("--no-tablespaces") && given.includes("--set-gtid-purged=OFF"));
  assert.deepEqual(given.slice(-1), ["shop"]);
  const environment = await readFile(path.join(root, "env"), "utf8");
  assert.ok(environment.includes("MYSQL_PWD=") && !environment.includes("OTHER="));
});
