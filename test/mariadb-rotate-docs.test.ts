// The page and the example: what a reader types does what it says, the restore drill too.
import assert from "node:assert/strict";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { projectRoot, run } from "./helpers/command.ts";
import { mariadbPrograms } from "./helpers/mariadb.ts";
import { blocksOf, matches, stepsOf } from "./helpers/pages.ts";
import { makeRotating, sharedServer, type Rotating } from "./helpers/rotating.ts";

const server = await sharedServer();
const page = "docs/mariadb-rotate.md";

interface Machine extends Rotating {
  /** A text with the places of the page as they are here. */
  readonly here: (text: string) => string;
}

/** A machine with /srv, /etc and /var/lib, and the programs of the page. */
async function makeMachine(t: TestContext): Promise<Machine> {
  const box = await makeRotating(t, server);
  for (const place of ["srv/backup", "etc/rclone-backups", "var/lib"])
    await mkdir(path.join(box.root, place), { recursive: true });
  const put = async (name: string, line: string): Promise<void> => {
    await writeFile(path.join(box.bin, name), `#!/bin/sh\n${line}\n`);
    await chmod(path.join(box.bin, name), 0o755);
  };
  const program = path.join(projectRoot, "dist/exporters/mariadb-rotate.js");
  await put("mariadb-rotate", `exec '${process.execPath}' '${program}' "$@"`);
  // There is no user mysql here, and the server isn't where it was built for.
  await put("chown", "exit 0");
  const { server: real } = mariadbPrograms();
  const base = path.resolve(path.dirname(real), "..");
  await put(
    "mariadbd",
    `shift 2; exec '${real}' --no-defaults --basedir='${base}' --user="$(id -un)" "$@"`,
  );
  await writeFile(
    path.join(box.root, "etc/rclone-backups/mariadb.cnf"),
    await readFile(server.defaultsFile),
    { mode: 0o600 },
  );
  const here = (text: string): string =>
    text.replaceAll(/(?<![\w.~/-])\/(?=(?:srv|etc|var\/lib)\b)/g, `${box.root}/`);
  return { ...box, here };
}

test("the commands of the page do what it says, up to a server on what was restored", async (t) => {
  await server.sql(
    "create database shop; create table shop.orders (id int primary key); insert into shop.orders values (1), (2), (3)",
  );
  const { root, env, here } = await makeMachine(t);
  const steps = blocksOf(page)
    .filter(({ kind }) => kind === "console")
    .flatMap(stepsOf);
  assert.equal(steps.length, 11);
  const script = steps
    .map(
      ({ command }, at) =>
        `{ ${here(command)}\n} >"$OUT/${at}" 2>&1 || echo "ended with $?" >>"$OUT/${at}"`,
    )
    .join("\n");
  const out = path.join(root, "out");
  await mkdir(out);
  const ran = await run("sh", ["-c", `${script}\nwait`], { cwd: root, env: { ...env, OUT: out } });
  assert.equal(ran.code, 0, ran.stderr);
  for (const [at, { command, expected }] of steps.entries()) {
    const text = (await readFile(path.join(out, String(at)), "utf8")).replaceAll(root, "");
    const told = text.replaceAll("\t", " ");
    assert.ok(matches(expected, told), `${command}\n${told}`);
  }
});

test("the example is a backup that rotates, and stores what was rotated", async (t) => {
  const { root, env, here, writeConfig, backup, store } = await makeMachine(t);
  const example = path.join(projectRoot, "etc/rclone-backups.example/mariadb-rotate.conf");
  await writeConfig("mariadb", here(await readFile(example, "utf8")));
  for (let nth = 0; nth < 2; nth += 1) {
    const result = await backup(["-v", "mariadb"], { env });
    assert.equal(result.code, 0, result.stderr);
  }
  const check = await run(
    "rclone",
    [
      "check",
      "--download",
      "--exclude",
      "/.mariadb-rotate/**",
      path.join(root, "srv/backup/mariadb"),
      "secret:mariadb",
    ],
    { env },
  );
  assert.equal(check.code, 0, check.stderr);
  const listed = await run("rclone", ["lsf", "secret:mariadb"], { env });
  assert.match(listed.stdout, /^\d{8}T\d{6}Z-full\/\n\d{8}T\d{6}Z-incremental\/\n$/, store);
});
