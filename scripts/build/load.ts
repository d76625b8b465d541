/*
 * Becomes dist/load.js: what stands for `require` in the files of dist/. It loads them with the code that V8 compiled when they were
 * built, where that was this V8. From Node.js 22.8 on, module.enableCompileCache() does the like, with a cache that each user fills.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { compiledDirectory, moduleScript } from "./compiled.ts";

type Require = (id: string) => unknown;

const compiled = compiledDirectory(__dirname);
const directory = existsSync(compiled) ? compiled : undefined;
const modules = new Map<string, { exports: unknown }>();

/** Loads files by their path from `folder`, and everything else by `others`, Node's own. */
export function requireFrom(folder: string, others: Require): Require {
  return (id) => (id.startsWith(".") ? load(path.join(folder, id), others) : others(id));
}

function load(file: string, others: Require): unknown {
  const known = modules.get(file);
  if (known !== undefined) return known.exports;
  const module: { exports: unknown } = { exports: {} };
  modules.set(file, module);
  try {
    const folder = path.dirname(file);
    const source = readFileSync(file, "utf8");
    const run: unknown = moduleScript(file, source, directory).runInThisContext();
    if (typeof run !== "function") throw new TypeError(`${file}: expected a module`);
    Reflect.apply(run, module.exports, [
      module.exports,
      requireFrom(folder, others),
      module,
      file,
      folder,
    ]);
  } catch (error) {
    // Who asks for it again gets the error again, not half a module.
    modules.delete(file);
    throw error;
  }
  return module.exports;
}
