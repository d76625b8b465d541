import assert from "node:assert/strict";
import { chmod, cp, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test, type TestContext } from "node:test";
import { MongoClient } from "mongodb";
import { projectRoot, run } from "./helpers/command.ts";
import { startMongo } from "./helpers/ferretdb.ts";
import { blocksOf, matches, readPage, stepsOf } from "./helpers/pages.ts";
import { newRclone } from "./helpers/rclones.ts";
import { makeSandbox, type Sandbox } from "./helpers/sandbox.ts";
import { exporter } from "./helpers/splitting.ts";

/* What docs/mongo-export.md, docs/mongo-import.md and the example say is done here, on a real server. */

const exporters = ["mongo-export", "mongo-import"] as const;
const server = await startMongo({ after });

/** Does of `mongosh DATABASE --eval CODE` what the pages need. */
const shell = `
import { createRequire } from "node:module";
const { MongoClient } = createRequire(${JSON.stringify(path.join(projectRoot, "package.json"))})("mongodb");
const [database, , code] = process.argv.slice(2);
const client = new MongoClient(process.env.MONGOSH_URI);
const real = client.db(database);
const db = new Proxy({}, {
  get: (_, name) => name === "dropDatabase" ? () => real.dropDatabase() : real.collection(name),
});
const result = await new Function("db", "return " + code)(db);
if (typeof result === "number") console.log(result);
if (typeof result?.toArray === "function") await result.toArray();
await client.close();
`;

interface Machine extends Sandbox {
  readonly here: (text: string) => string;
}

/** A sandbox whose PATH has the exporters, and a database \`shop\`. */
async function makeMachine(t: TestContext): Promise<Machine> {
  // The new one: the old one's listing has no times to the nanosecond.
  const sandbox = await makeSandbox(t, newRclone);
  await mkdir(path.join(sandbox.root, "srv/dump"), { recursive: true });
  await writeFile(path.join(sandbox.root, "srv/mongo.uri"), server.uri, { mode: 0o600 });
  const programs = Object.fromEntries(exporters.map((name) => [name, exporter(name)]));
  const mongosh = path.join(sandbox.root, "mongosh.mjs");
  await writeFile(mongosh, shell);
  for (const [name, file] of Object.entries({ ...programs, mongosh })) {
    const command = path.join(sandbox.bin, name);
    await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${file}' "$@"\n`);
    await chmod(command, 0o755);
  }
  const client = new MongoClient(server.uri);
  for (const name of ["shop", "shop_check", "shop_drill"]) await client.db(name).dropDatabase();
  await client
    .db("shop")
    .collection<{ _id: string }>("customers")
    .insertMany(["anna", "bert", "carl"].map((_id) => ({ _id })));
  await client.close();
  const PATH = [sandbox.bin, process.env["PATH"] ?? "/usr/bin:/bin"].join(":");
  return {
    ...sandbox,
    env: { ...sandbox.env, PATH, MONGOSH_URI: server.uri },
    here: (text) => text.replaceAll(/(?<![\w.~/-])\/(?=srv\b)/g, `${sandbox.root}/`),
  };
}

test("the commands of the pages do what they say", async (t) => {
  // A server that is given has databases that the pages don't show.
  if (server.kind === "given") return;
  const { root, env, here } = await makeMachine(t);
  const steps = exporters.flatMap((name) =>
    blocksOf(`docs/${name}.md`)
      .filter(({ kind }) => kind === "console")
      .flatMap(stepsOf),
  );
  assert.equal(steps.length, 5);
  for (const { command, expected } of steps) {
    const { code, stdout, stderr } = await run("sh", ["-c", here(command)], { env, cwd: root });
    const told = `${stdout}${stderr}`.replaceAll(root, "");
    assert.equal(code, 0, `${command}\n${told}`);
    assert.ok(matches(expected, told), `${command}\n${told}`);
  }
});

test("the example: only what changed is uploaded; and the restore drill", async (t) => {
  if (server.kind === "given") return;
  const { root, env, here, writeConfig, backup, runRclone } = await makeMachine(t);
  const example = path.join(projectRoot, "etc/rclone-backups.example/mongo-export.conf");
  await writeConfig("mongo", here(await readFile(example, "utf8")));
  const uploaded = async (): Promise<string[]> => {
    const result = await backup(["-v", "mongo"], { env });
    assert.equal(result.code, 0, result.stderr);
    const times = ["--format=tp", "--time-format=unixnano"];
    const listed = await runRclone(["lsf", "-R", "--files-only", ...times, "secret:mongo"], {
      env,
    });
    return listed.stdout.trim().split("\n");
  };
  const first = await uploaded();
  assert.equal(first.length, 4, first.join("\n"));
  const client = new MongoClient(server.uri);
  t.after(async () => client.close());
  await client.db("shop").collection<{ _id: string }>("customers").insertOne({ _id: "dora" });
  const renewed = (await uploaded()).filter((line) => !first.includes(line));
  assert.deepEqual(
    renewed.map((line) => path.basename(line)),
    ["s-dora.bson"],
  );
  const [one = [], drill = []] = blocksOf("docs/mongo-import.md")
    .filter(({ kind }) => kind === "sh")
    .map(({ text }) => text.split("\n"));
  const held = path.join(root, "srv/dump/mongo/shop/customers");
  const alone = path.join(root, "srv/one/shop/customers");
  const [file = ""] = (await readdir(held, { recursive: true })).filter((name) =>
    name.endsWith("s-dora.bson"),
  );
  for (const name of ["metadata.bson", file])
    await cp(path.join(held, name), path.join(alone, name), { recursive: true });
  const customers = client.db("shop").collection<{ _id: string }>("customers");
  await customers.deleteOne({ _id: "dora" });
  assert.equal(one.length, 3);
  for (const command of one) {
    const result = await run("sh", ["-c", here(command)], { env, cwd: root });
    assert.equal(result.code, 0, `${command}\n${result.stderr}`);
  }
  assert.equal(await customers.countDocuments(), 4);
  assert.equal(drill.length, 4);
  assert.equal(drill[0], "rclone-restore mongo --to /srv/drill");
  await runRclone(["copy", "secret:mongo", path.join(root, "srv/drill")], { env });
  for (const command of drill.slice(1)) {
    const result = await run("sh", ["-c", here(command)], { env, cwd: root });
    assert.equal(result.code, 0, `${command}\n${result.stderr}`);
    if (command.includes("countDocuments")) assert.equal(result.stdout.trim(), "4");
  }
  // An export that fails is no backup.
  await writeFile(
    path.join(root, "srv/mongo.uri"),
    "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200",
  );
  const failing = await backup(["mongo"], { env });
  assert.equal(failing.code, 1);
});

test("the pages have the options of --help that are their own", async (t) => {
  const { env } = await makeMachine(t);
  for (const name of exporters) {
    const { stdout } = await run(name, ["--help"], { env });
    const own = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(
      ([, option = ""]) => option,
    );
    const at = own.indexOf("--set");
    assert.ok(at > 0, stdout);
    const documented = [...readPage(`docs/${name}.md`).matchAll(/^- `(?:-\w, )?(--[a-z-]+)/gm)];
    const listed = documented.map(([, option = ""]) => option);
    assert.deepEqual(listed.toSorted(), own.slice(0, at).toSorted());
    assert.ok(stdout.split("\n").every((line) => line.length <= 105));
  }
});
