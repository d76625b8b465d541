import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { compiledDirectory, compileFiles, moduleScript } from "../scripts/build/compiled.ts";
import { compiled, projectRoot, run } from "./helpers/command.ts";

/* How the files of dist/ are loaded: with what V8 compiled when they were built, and right without it. */

const dist = path.join(projectRoot, "dist");

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-compiled-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A module, compiled into a directory beside it. */
async function compiledModule(t: TestContext): Promise<Record<"file" | "source" | "kept", string>> {
  const directory = await makeDirectory(t);
  const file = path.join(directory, "module.js");
  const source = "module.exports = { answer: () => 42 };";
  await writeFile(file, source);
  const kept = path.join(directory, "kept");
  compileFiles([file], kept);
  return { file, source, kept };
}

/** What the module's function answers. */
function answerOf(script: ReturnType<typeof moduleScript>): unknown {
  const module: { exports: { answer?: () => unknown } } = { exports: {} };
  const load: unknown = script.runInThisContext();
  assert.ok(typeof load === "function", "a script is no function");
  Reflect.apply(load, undefined, [module.exports, undefined, module, "", ""]);
  return module.exports.answer?.();
}

test("this Node.js takes the code of every chunk that was compiled when it was built", async () => {
  const kept = compiledDirectory(dist);
  const chunks = await readdir(path.join(dist, "chunks"));
  assert.equal((await readdir(kept)).length, chunks.length);
  for (const name of chunks) {
    const file = path.join(dist, "chunks", name);
    const script = moduleScript(file, await readFile(file, "utf8"), kept);
    assert.equal(script.cachedDataRejected, false, name);
  }
});

test("a module runs the same with compiled code, without, and with one that was damaged anywhere", async (t) => {
  const { file, source, kept } = await compiledModule(t);
  assert.equal(answerOf(moduleScript(file, source, undefined)), 42);
  const whole = moduleScript(file, source, kept);
  assert.equal(whole.cachedDataRejected, false);
  assert.equal(answerOf(whole), 42);

  const [name] = await readdir(kept);
  assert.ok(name !== undefined, "nothing was compiled");
  const code = path.join(kept, name);
  const good = await readFile(code);
  for (const at of [0, 31, 32, 40, 100, good.length >> 1, good.length - 1]) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 4;
    await writeFile(code, bad);
    const script = moduleScript(file, source, kept);
    assert.equal(script.cachedDataRejected, undefined, `damaged at ${at}, and taken`);
    assert.equal(answerOf(script), 42);
  }
  for (const length of [0, 10, 32, good.length - 1]) {
    await writeFile(code, good.subarray(0, length));
    const script = moduleScript(file, source, kept);
    assert.notEqual(script.cachedDataRejected, false, `cut to ${length} bytes, and taken`);
    assert.equal(answerOf(script), 42);
  }
});

test("a module that somebody edited is what it says now, though it is as long as before", async (t) => {
  const { file, source, kept } = await compiledModule(t);
  assert.equal(answerOf(moduleScript(file, source.replace("42", "43"), kept)), 43);
});

test("modules that need each other get what is there, and one that fails fails each time", async (t) => {
  const directory = await makeDirectory(t);
  const write = async (name: string, text: string): Promise<void> =>
    writeFile(path.join(directory, name), text);
  await write("a.js", 'exports.one = 1; exports.two = require("./b.js").one + 1;');
  await write("b.js", 'exports.one = require("./a.js").one;');
  await write("bad.js", 'exports.half = true; throw new Error("as it was meant");');
  await write(
    "main.cjs",
    `require = require(${JSON.stringify(path.join(dist, "load.js"))}).requireFrom(__dirname, require);
    const told = () => { try { return require("./bad.js"); } catch (error) { return error.message; } };
    console.log(JSON.stringify([require("./a.js"), require("./a.js") === require("./a.js"), told(), told(), require("node:path").sep]));`,
  );
  const { code, stdout, stderr } = await run(process.execPath, [path.join(directory, "main.cjs")]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), [
    { one: 1, two: 2 },
    true,
    "as it was meant",
    "as it was meant",
    "/",
  ]);
});

test("another V8, or one with other flags, compiles for itself", async () => {
  const flag = "--no-lazy-feedback-allocation";
  const { stdout } = await run(process.execPath, [flag, "-p", "v8.cachedDataVersionTag()"]);
  assert.notEqual(`${process.arch}-${stdout.trim()}`, path.basename(compiledDirectory(dist)));
  const result = await run(process.execPath, [flag, compiled("rclone-backup"), "--version"]);
  assert.deepEqual([result.code, result.stderr], [0, ""]);
});

test("a run that never comes to its end is a failure, not a success", async (t) => {
  const directory = await makeDirectory(t);
  const cli = JSON.stringify(path.join(projectRoot, "lib/cli.ts"));
  await writeFile(
    path.join(directory, "endless.ts"),
    `import { Command } from ${JSON.stringify(path.join(projectRoot, "node_modules/@commander-js/extra-typings/esm.mjs"))};
    import { parseCommand } from ${cli};
    parseCommand(new Command("endless").action(() => new Promise(() => {})));`,
  );
  const { code, stderr } = await run(process.execPath, [
    "--import",
    import.meta.resolve("tsx"),
    path.join(directory, "endless.ts"),
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /^endless: error: expected an end of the run, found none/);
});
