import assert from "node:assert/strict";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { projectRoot, run } from "./helpers/command.ts";
import { blocksOf, matches, readPage, stepsOf } from "./helpers/pages.ts";
import { startPostgres, type PostgresServer } from "./helpers/postgres.ts";
import { newRclone } from "./helpers/rclones.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";
import { exporter } from "./helpers/splitting.ts";

/* What docs/pg-split.md, docs/pg-join.md and the example say is done here, on a real server. */

const exporters = ["pg-split", "pg-join"] as const;

interface Machine extends Sandbox {
  readonly server: PostgresServer;
  /** The sandbox's environment, with what clients of the server need. */
  readonly env: Readonly<Record<string, string>>;
  /** A text with the places of the pages as they are here. */
  readonly here: (text: string) => string;
}

/** A machine with /srv and a database `shop`. */
async function makeMachine(t: TestContext): Promise<Machine> {
  const sandbox = await makeSandbox(t, newRclone);
  const server = await startPostgres(t, "new");
  await mkdir(path.join(sandbox.root, "srv/dump"), { recursive: true });
  await mkdir(path.join(sandbox.root, "tmp"));
  for (const name of exporters) {
    const command = path.join(sandbox.bin, name);
    await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${exporter(name)}' "$@"\n`);
    await chmod(command, 0o755);
  }
  await server.sql("CREATE DATABASE shop");
  await server.sql(
    `CREATE TABLE customers (id integer PRIMARY KEY, name text);
INSERT INTO customers VALUES (1, 'Anna'), (2, 'Bert'), (3, 'Carl');
CREATE TABLE orders (id serial PRIMARY KEY, customer integer REFERENCES customers (id), amount numeric(9,2));
INSERT INTO orders (customer, amount) VALUES (2, 12.50)`,
    "shop",
  );
  const PATH = [sandbox.bin, server.bin, process.env["PATH"] ?? "/usr/bin:/bin"].join(":");
  return {
    ...sandbox,
    server,
    env: { ...sandbox.env, ...server.environment, PATH },
    here: (text) => text.replaceAll(/(?<![\w.~/-])\/(?=(?:srv|tmp)\b)/g, `${sandbox.root}/`),
  };
}

test("the commands of the pages do what they say, up to a database that was restored", async (t) => {
  const { root, env, here } = await makeMachine(t);
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
});

test("the example is a backup that dumps before, and only what changed is uploaded", async (t) => {
  const { server, root, env, here, writeConfig, backup, runRclone } = await makeMachine(t);
  const example = path.join(projectRoot, "etc/rclone-backups.example/pg-split.conf");
  await writeConfig("shop", here(await readFile(example, "utf8")));
  const uploaded = async (): Promise<string[]> => {
    const result = await backup(["-v", "shop"], { env });
    assert.equal(result.code, 0, result.stderr);
    const listed = await runRclone(
      ["lsf", "-R", "--files-only", "--format=tp", "--time-format=unixnano", "secret:shop"],
      { env },
    );
    return listed.stdout.trim().split("\n");
  };
  const first = await uploaded();
  assert.ok(
    first.some((line) => line.endsWith(";.split/manifest")),
    first.join("\n"),
  );
  await server.sql("INSERT INTO customers VALUES (4, 'Dora')", "shop");
  const second = await uploaded();
  const renewed = second.filter((line) => !first.includes(line));
  assert.equal(renewed.length, 2, renewed.join("\n"));
  for (const ending of [/;\.split\/manifest$/, /customers.*\.data\.sql$/])
    assert.ok(
      renewed.some((line) => ending.test(line)),
      renewed.join("\n"),
    );
  const restored = path.join(root, "restored");
  await runRclone(["copy", "secret:shop", restored], { env });
  const joined = await run("pg-join", [restored], { env });
  assert.equal(joined.code, 0, joined.stderr);
  assert.match(joined.stdout, /^4\tDora$/m);
  // A dump that fails is no backup.
  const failing = await backup(["shop"], { env: { ...env, PGDATABASE: "x", PGPORT: "1" } });
  assert.equal(failing.code, 1);
  assert.match(failing.stderr, /pg_dump/);
});

test("the pages have the options of --help that are their own", async (t) => {
  const { env } = await makeMachine(t);
  for (const name of exporters) {
    const { stdout } = await run(name, ["--help"], { env });
    const own = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option);
    const first = own.indexOf("--set");
    assert.ok(first > 0, stdout);
    const documented = [...readPage(`docs/${name}.md`).matchAll(/^- `(?:-\w, )?(--[a-z-]+)/gm)];
    assert.deepEqual(
      documented.map(([, option]) => option),
      own.slice(0, first),
    );
    assert.ok(
      stdout.split("\n").every((line) => line.length <= 105),
      name,
    );
  }
});
