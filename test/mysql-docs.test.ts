import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { projectRoot, run } from "./helpers/command.ts";
import { startMariadb } from "./helpers/mariadb.ts";
import type { MysqlServer } from "./helpers/mysqlserver.ts";
import { blocksOf, matches, readPage, stepsOf } from "./helpers/pages.ts";
import { newRclone } from "./helpers/rclones.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";
import { exporter } from "./helpers/splitting.ts";

/* What docs/mysql-split.md, docs/mysql-join.md and the example say is done here, on a real server. */

const exporters = ["mysql-split", "mysql-join"] as const;

interface Machine extends Sandbox {
  /** A text with the places of the pages as they are here. */
  readonly here: (text: string) => string;
}

/** A sandbox whose PATH has the exporters and /srv a place for dumps. */
async function makeMachine(t: TestContext, server?: MysqlServer): Promise<Machine> {
  const sandbox = await makeSandbox(t, newRclone);
  await mkdir(path.join(sandbox.root, "srv/dump"), { recursive: true });
  await mkdir(path.join(sandbox.root, "tmp"));
  for (const name of exporters) {
    const command = path.join(sandbox.bin, name);
    await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${exporter(name)}' "$@"\n`);
    await chmod(command, 0o755);
  }
  const folders = [sandbox.bin, server?.bin ?? "/bin", process.env["PATH"] ?? "/usr/bin:/bin"];
  if (server !== undefined) {
    await copyFile(server.defaultsFile, path.join(sandbox.root, "srv/backup.cnf"));
    await copyFile(server.defaultsFile, path.join(sandbox.home, ".my.cnf"));
    await server.sql(`drop database if exists shop; create database shop; use shop;
create table customers (id int primary key, name varchar(20));
insert into customers values (1, 'Anna'), (2, 'Bert'), (3, 'Carl');
create table orders (id int primary key, customer int references customers (id), amount decimal(9,2));
insert into orders values (1, 2, 12.50)`);
  }
  return {
    ...sandbox,
    env: { ...sandbox.env, PATH: folders.join(":") },
    here: (text) => text.replaceAll(/(?<![\w.~/-])\/(?=(?:srv|tmp)\b)/g, `${sandbox.root}/`),
  };
}

async function pagesHold({ root, env, here }: Machine): Promise<void> {
  const steps = exporters.flatMap((name) =>
    blocksOf(`docs/${name}.md`)
      .filter(({ kind }) => kind === "console")
      .flatMap(stepsOf),
  );
  assert.equal(steps.length, 14);
  for (const { command, expected } of steps) {
    const { code, stdout, stderr } = await run("sh", ["-c", here(command)], { env, cwd: root });
    const told = `${stdout}${stderr}`.replaceAll(root, "");
    assert.equal(code, 0, `${command}\n${told}`);
    assert.ok(matches(expected, told), `${command}\n${told}`);
  }
}

async function exampleWorks(server: MysqlServer, machine: Machine): Promise<void> {
  const { root, env, here, writeConfig, backup, runRclone } = machine;
  const example = path.join(projectRoot, "etc/rclone-backups.example/mysql-split.conf");
  await writeConfig("shop", here(await readFile(example, "utf8")));
  const uploaded = async (): Promise<string[]> => {
    const result = await backup(["-v", "shop"], { env });
    assert.equal(result.code, 0, result.stderr);
    const times = ["--format=tp", "--time-format=unixnano"];
    const listed = await runRclone(["lsf", "-R", "--files-only", ...times, "secret:shop"], { env });
    return listed.stdout.trim().split("\n");
  };
  const first = await uploaded();
  assert.ok(first.some((line) => line.endsWith(";.split/manifest")));
  await server.sql("insert into shop.customers values (4, 'Dora')");
  const renewed = (await uploaded()).filter((line) => !first.includes(line));
  assert.deepEqual(renewed.map((line) => line.replace(/^\d+;(?:[\d-]+-)?/, "")).toSorted(), [
    ".split/manifest",
    "shop.customers.data.sql",
  ]);
  const restored = path.join(root, "restored");
  await runRclone(["copy", "secret:shop", restored], { env });
  const joined = await run("mysql-join", [restored], { env });
  assert.equal(joined.code, 0, joined.stderr);
  assert.match(joined.stdout, /VALUES \(4,'Dora'\);/);
  // A dump that fails is no backup.
  await writeFile(path.join(root, "srv/backup.cnf"), "[client]\nport=1\nhost=127.0.0.1\n");
  const failing = await backup(["shop"], { env });
  assert.equal(failing.code, 1);
  assert.match(failing.stderr, /mariadb-dump.*error/i);
}

test("the pages and the example do what they say, on a server", async (t) => {
  const server = await startMariadb(t);
  await t.test("the commands of the pages, up to a database that was restored", async (s) =>
    pagesHold(await makeMachine(s, server)),
  );
  await t.test("the example: only what changed is uploaded", async (s) =>
    exampleWorks(server, await makeMachine(s, server)),
  );
});

test("the pages have the options of --help that are their own", async (t) => {
  const { env } = await makeMachine(t);
  for (const name of exporters) {
    const { stdout } = await run(name, ["--help"], { env });
    const own = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option);
    const first = own.indexOf("--set");
    assert.ok(first > 0, stdout);
    const documented = [...readPage(`docs/${name}.md`).matchAll(/^- `(?:-\w, )?(--[a-z-]+)/gm)];
    const listed = documented.map(([, option]) => option);
    assert.deepEqual(new Set(listed), new Set(own.slice(0, first)));
    assert.equal(listed.length, first);
    assert.ok(stdout.split("\n").every((line) => line.length <= 105));
  }
});
