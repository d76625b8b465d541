import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { safeParse, array, object, record, string } from "valibot";
import { projectRoot, run } from "./helpers/command.ts";

const Packed = array(object({ files: array(object({ path: string() })) }));
const Manifest = object({ bin: record(string(), string()), license: string() });

async function packedFiles(): Promise<string[]> {
  // dist/ was built for the tests and others are using it, so prepack must not build it again.
  const result = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: projectRoot,
    env: { HOME: process.env["HOME"] ?? "/nonexistent" },
  });
  assert.equal(result.code, 0, result.stderr);
  const packed = safeParse(Packed, JSON.parse(result.stdout));
  assert.ok(packed.success, result.stdout);
  return packed.output.flatMap(({ files }) => files.map((file) => file.path));
}

test("the tarball holds every command, the documents and nothing of the workshop", async () => {
  const files = await packedFiles();
  const manifest = safeParse(
    Manifest,
    JSON.parse(await readFile(path.join(projectRoot, "package.json"), "utf8")),
  );
  assert.ok(manifest.success);
  const commands = Object.entries(manifest.output.bin);
  assert.ok(commands.length >= 1);
  for (const [name, file] of commands) {
    assert.ok(files.includes(file), `${file} is missing`);
    const text = await readFile(path.join(projectRoot, file), "utf8");
    assert.match(text, /^#!\/usr\/bin\/env node\n/, `${name} has no first line for node`);
  }
  const own = ["dist/package.json", "dist/load.js"];
  for (const file of [...own, "package.json", "README.md", "CHANGELOG.md", "LICENSE"]) {
    assert.ok(files.includes(file), `${file} is missing`);
  }
  for (const folder of [
    ...["dist/bin/", "dist/chunks/", "dist/compiled/", "dist/man/", "dist/completions/"],
    ...["docs/", "etc/rclone-backups.example/"],
  ]) {
    assert.ok(
      files.some((file) => file.startsWith(folder)),
      `nothing of ${folder}`,
    );
  }
  const strange = files.filter((file) =>
    /^(test|scripts|lib|bin|\.ci)\/|(?<!\.d)\.ts$|node_modules|^\.|^dist\/(test|scripts)\//.test(
      file,
    ),
  );
  assert.deepEqual(strange, []);
});

test("every chunk is loaded by another file, so nothing removed is shipped", async () => {
  const compiled = (await packedFiles()).filter((file) => /^dist\/.*\.js$/.test(file));
  const texts = new Map<string, string>();
  for (const file of compiled) {
    texts.set(file, await readFile(path.join(projectRoot, file), "utf8"));
  }
  const chunks = compiled.filter((file) => file.startsWith("dist/chunks/"));
  assert.ok(chunks.length >= 5, `only ${chunks.length} chunks`);
  for (const chunk of chunks) {
    const name = path.basename(chunk);
    const loaded = [...texts].some(([file, text]) => file !== chunk && text.includes(`/${name}"`));
    assert.ok(loaded, `${chunk} is loaded by nothing`);
  }
});

test("the licences of the bundled packages are shipped", async () => {
  const text = await readFile(path.join(projectRoot, "dist/THIRD-PARTY-LICENSES.txt"), "utf8");
  for (const name of ["execa", "commander", "ini", "valibot"]) {
    assert.match(text, new RegExp(`^== ${name}$`, "m"));
  }
});
