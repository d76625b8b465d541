import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cachedDataVersionTag, setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

/** Bytes of SHA-256 in front of compiled code. */
const digestLength = 32;

/**
 * Below dist/, the directory of what this V8, with the flags and the processor that it has now, has compiled. V8 refuses what
 * another one made, but takes anything that only begins as it should, so the rest is checked here.
 */
export function compiledDirectory(dist: string): string {
  return path.join(dist, "compiled", `${process.arch}-${cachedDataVersionTag()}`);
}

/** A source of `file` as a script whose value is the function of a CommonJS module; compiled before, if `directory` has that. */
export function moduleScript(file: string, source: string, directory: string | undefined): Script {
  const cachedData = directory === undefined ? undefined : readCompiled(directory, source);
  return new Script(
    `(function (exports, require, module, __filename, __dirname) { ${source}\n})`,
    cachedData === undefined ? { filename: file } : { filename: file, cachedData },
  );
}

/** Compiles each of the files whole, every function of it, and keeps that in `directory`. */
export function compileFiles(files: readonly string[], directory: string): void {
  mkdirSync(directory, { recursive: true });
  setFlagsFromString("--no-lazy");
  const compiled = files.map((file) => {
    const source = readFileSync(file, "utf8");
    return { source, script: moduleScript(file, source, undefined) };
  });
  // The flags of a run are part of what V8 compares.
  setFlagsFromString("--lazy");
  for (const { source, script } of compiled) {
    const data = script.createCachedData();
    writeFileSync(
      path.join(directory, digest(source).toString("hex")),
      Buffer.concat([digest(data), data]),
    );
  }
}

/** By the digest of its source, so that a file somebody edited is compiled anew. */
function readCompiled(directory: string, source: string): Buffer | undefined {
  const file = path.join(directory, digest(source).toString("hex"));
  let kept: Buffer;
  try {
    kept = readFileSync(file);
  } catch {
    return undefined;
  }
  const data = kept.subarray(digestLength);
  return digest(data).equals(kept.subarray(0, digestLength)) ? data : undefined;
}

function digest(content: string | Buffer): Buffer {
  return createHash("sha256").update(content).digest();
}
