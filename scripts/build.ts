/*
 * Makes dist/: the commands, compiled and each bundled with what it imports, split so that a command
 * loads only what its run needs; man pages and shell completions. Loading a hundred small files would cost every run 0.1 s.
 */
import { readdirSync, readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { build } from "esbuild";
import { writeManual } from "./manual.ts";

const target = "dist";
const fresh = `${target}.new`;

const entryPoints = ["bin", "exporters"].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name)),
);
await rm(fresh, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints,
  outbase: ".",
  outdir: fresh,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  metafile: true,
  // Its CommonJS build, which would be taken, loses its named exports.
  alias: { "hash-wasm": "hash-wasm/dist/index.esm.js" },
  logLevel: "warning",
  // Bundled CommonJS packages ask for Node's own modules by require.
  banner: {
    js: 'import { createRequire as bundledRequire } from "node:module"; const require = bundledRequire(import.meta.url);',
  },
});
await writeFile(join(fresh, "THIRD-PARTY-LICENSES.txt"), licenses(Object.keys(metafile.inputs)));
await writeManual(fresh);
await rm(target, { recursive: true, force: true });
await rename(fresh, target);

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
