/*
 * Makes dist/: the commands, each bundled with what it imports, split so that a command loads only what its run
 * needs, as CommonJS, and compiled by this machine's V8; man pages and shell completions. docs/decisions.md says what each of that gains.
 */
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as v from "valibot";
import { build, transform } from "esbuild";
import { compiledDirectory, compileFiles } from "./build/compiled.ts";
import { writeManual } from "./manual.ts";

const dist = "dist";
const fresh = `${dist}.new`;
const target = "node20.19";

const entryPoints = ["bin", "exporters"].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name)),
);
await rm(fresh, { recursive: true, force: true });
const { metafile, outputFiles } = await build({
  entryPoints,
  outbase: ".",
  outdir: fresh,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  // The only format that esbuild splits.
  format: "esm",
  platform: "node",
  target,
  metafile: true,
  write: false,
  // Its CommonJS build, which would be taken, loses its named exports.
  alias: { "hash-wasm": "hash-wasm/dist/index.esm.js" },
  logLevel: "warning",
});
for (const { path, text } of outputFiles) {
  const isCommand = basename(dirname(path)) !== "chunks";
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await commonjs(text, isCommand));
  if (isCommand) await chmod(path, 0o755);
}
await build({
  entryPoints: ["scripts/build/load.ts"],
  outfile: join(fresh, "load.js"),
  bundle: true,
  format: "cjs",
  platform: "node",
  target,
});
await writeFile(join(fresh, "package.json"), '{ "type": "commonjs" }\n');
const chunks = outputFiles
  .map(({ path }) => path)
  .filter((path) => basename(dirname(path)) === "chunks");
compileFiles(chunks, compiledDirectory(fresh));
await writeFile(join(fresh, "THIRD-PARTY-LICENSES.txt"), licenses(Object.keys(metafile.inputs)));
await writeManual(fresh);
await rm(dist, { recursive: true, force: true });
await rename(fresh, dist);

/** A module as a CommonJS one, strict as it was. The modules of a command are loaded by load.js. */
async function commonjs(text: string, isCommand: boolean): Promise<string> {
  const ownUrl = "ownUrl";
  const banner = [
    '"use strict";',
    ...(text.includes("import.meta.url")
      ? [`const ${ownUrl} = require("node:url").pathToFileURL(__filename).href;`]
      : []),
    ...(isCommand ? ['require = require("../load.js").requireFrom(__dirname, require);'] : []),
  ];
  const { code } = await transform(text, {
    format: "cjs",
    platform: "node",
    target,
    banner: banner.join(" "),
    define: { "import.meta.url": ownUrl },
    supported: { "dynamic-import": false },
  });
  return code;
}

/** The licences of the packages that are bundled, as they demand. */
function licenses(inputs: readonly string[]): string {
  const packages = new Set(
    inputs.flatMap((input) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []),
  );
  return [...packages].toSorted().map(licenseOf).join("\n");
}

function licenseOf(name: string): string {
  const folder = join("node_modules", name);
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  const text = file === undefined ? iscText(name) : readFileSync(join(folder, file), "utf8");
  return `== ${name}\n\n${text.trim()}\n`;
}

/** A package without a file of its licence that names it, and its author, in package.json. */
function iscText(name: string): string {
  const about = readFileSync(join("node_modules", name, "package.json"), "utf8");
  const manifest = v.safeParse(
    v.object({ license: v.literal("ISC"), author: v.string() }),
    JSON.parse(about),
  );
  if (!manifest.success) throw new Error(`${name}: expected a licence file, found none`);
  const { author } = manifest.output;
  return `ISC License

Copyright (c) ${author}

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is
hereby granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE
INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR
ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF
USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF
OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.`;
}
