import path from "node:path";
import { build } from "esbuild";
import type { Place } from "./place.ts";

/**
 * Compiles one of the benchmark's own programs as the commands are compiled, so that starting it
 * costs as little, and returns the file.
 */
export async function bundle(place: Place, source: URL): Promise<string> {
  const outfile = path.join(place.root, "programs", path.basename(source.pathname, ".ts")) + ".js";
  await build({
    entryPoints: [source.pathname],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    logLevel: "warning",
    banner: {
      js: 'import { createRequire as bundledRequire } from "node:module"; const require = bundledRequire(import.meta.url);',
    },
  });
  return outfile;
}
