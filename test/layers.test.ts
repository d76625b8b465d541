import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { projectRoot, run } from "./helpers/command.ts";

/** Each layer and the layers that it may import; every one of them stands above it. */
const layers: Readonly<Record<string, readonly string[]>> = {
  process: [],
  crypt: [],
  state: ["process"],
  rclone: ["process", "crypt", "state"],
  packages: ["process", "rclone"],
  config: ["process", "state"],
  hooks: ["process", "state", "config"],
  manifest: ["process", "state", "rclone", "config"],
  guard: ["process", "state", "rclone", "config", "manifest"],
  specials: ["process", "state", "rclone", "config", "manifest"],
  schedule: ["config"],
  service: ["config", "schedule"],
  suite: ["process", "state", "config"],
  verify: ["process", "state", "rclone", "config", "manifest", "guard"],
  chunks: ["process", "state"],
  dumps: ["process", "state", "chunks"],
  documents: ["process", "state", "config"],
  physical: ["process", "state"],
  stores: ["process", "crypt", "state", "rclone", "config", "manifest"],
  notices: ["process", "state", "config", "stores"],
  history: ["process", "crypt", "state", "rclone", "config", "manifest", "stores"],
  retention: ["process", "crypt", "state", "rclone", "config", "manifest", "stores", "history"],
  usage: ["process", "crypt", "state", "rclone", "manifest", "stores", "history"],
  restore: ["process", "crypt", "state", "rclone", "manifest", "stores", "history"],
};

const ground = ["errors", "units"];
const everyLayer = [...ground, ...Object.keys(layers)];

/** What files of each part may import, their own folder aside. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  units: ["errors"],
  ...Object.fromEntries(
    Object.entries(layers).map(([layer, lower]) => [layer, [...ground, ...lower]]),
  ),
  jobs: everyLayer,
  output: [...everyLayer, "jobs"],
  cli: [...everyLayer, "output"],
  commands: [...everyLayer, "jobs", "output", "cli"],
  bin: [...everyLayer, "jobs", "output", "cli", "commands"],
  exporters: [...everyLayer, "jobs", "output", "cli", "commands"],
};

interface Source {
  /** Relative to the top of the checkout. */
  readonly name: string;
  readonly text: string;
}

function sourcesBelow(...folders: readonly string[]): Source[] {
  return folders.flatMap((folder) =>
    readdirSync(path.join(projectRoot, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => path.join(folder, name))
      .map((name) => ({ name, text: readFileSync(path.join(projectRoot, name), "utf8") })),
  );
}

/** The part that a file belongs to: "bin", "jobs", "errors", … */
function partOf(name: string): string {
  const [top = "", second = ""] = name.split("/");
  return top === "lib" ? second.replace(/\.ts$/, "") : top;
}

/** Without comments. Strings stay, so that the // in them is no comment. */
function code(text: string): string {
  return text.replaceAll(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/.*|\/\*[\s\S]*?\*\//g,
    "$1",
  );
}

/** The files of the project that one imports, statically, dynamically or for a type. */
function importsOf(source: Source): string[] {
  const matches = code(source.text).matchAll(/\b(?:from|import)\s*\(?\s*["'](\.[^"']*)["']/g);
  return [...matches].map(([, specifier = ""]) => path.join(path.dirname(source.name), specifier));
}

function wrongImports(source: Source): string[] {
  const part = partOf(source.name);
  const lower = allowed[part];
  if (lower === undefined) return [`${source.name} belongs to no part that is known here`];
  // A command is a file of its own: bin and exporters don't import even each other.
  const own = part === "bin" || part === "exporters" ? [] : [part];
  return importsOf(source)
    .filter((target) => ![...own, ...lower].includes(partOf(target)))
    .map((target) => `${source.name} imports ${target}`);
}

/** The first circle of imports, as a path whose end is its beginning; empty where there is none. */
function circle(sources: readonly Source[]): readonly string[] {
  const imports = new Map(sources.map((source) => [source.name, importsOf(source)]));
  const done = new Set<string>();
  const walk = (name: string, above: readonly string[]): readonly string[] => {
    if (above.includes(name)) return [...above.slice(above.indexOf(name)), name];
    if (done.has(name)) return [];
    for (const target of imports.get(name) ?? []) {
      const found = walk(target, [...above, name]);
      if (found.length > 0) return found;
    }
    done.add(name);
    return [];
  };
  for (const name of imports.keys()) {
    const found = walk(name, []);
    if (found.length > 0) return found;
  }
  return [];
}

function terminalUses(source: Source): string[] {
  const matches = code(source.text).matchAll(
    /\bconsole\b|\bprocess\s*\.\s*(?:stdout|stderr|exit|exitCode|abort)\b/g,
  );
  return [...matches].map(([use]) => `${source.name} uses ${use}`);
}

test("the order of the layers has no circle", () => {
  const seen: string[] = [];
  for (const [layer, lower] of Object.entries(layers)) {
    for (const name of lower) assert.ok(seen.includes(name), `${layer} stands above ${name}`);
    seen.push(layer);
  }
});

test("imports point one way: bin, jobs and output, layers, units and errors", async () => {
  const sources = sourcesBelow("bin", "lib", "exporters");
  const found = await run("find", ["bin", "lib", "exporters", "-name", "*.ts"], {
    cwd: projectRoot,
  });
  assert.equal(sources.length, found.stdout.trimEnd().split("\n").length);
  assert.ok(sources.length >= 60, `only ${sources.length} files were seen`);
  assert.ok(sources.flatMap(importsOf).length >= 100, "too few imports were seen");
  assert.deepEqual(sources.flatMap(wrongImports), []);
});

function jobsFile(name: string, text: string): Source {
  return { name: `lib/jobs/${name}.ts`, text };
}

test("no file of the library imports itself by way of others, types included", () => {
  const sources = sourcesBelow("lib");
  assert.deepEqual(circle(sources), []);
  const seen = [
    jobsFile("a", 'import { b } from "./deep/b.ts";'),
    jobsFile("deep/b", 'import type { C } from "../c.ts";'),
    jobsFile("c", 'export type A = import("./a.ts").A;'),
  ];
  const [a = "", b = "", c = ""] = seen.map(({ name }) => name);
  assert.deepEqual(circle(seen), [a, b, c, a]);
  assert.deepEqual(circle(seen.slice(0, 2)), []);
  assert.deepEqual(circle([jobsFile("a", 'export * from "./a.ts";')]), [a, a]);
  const diamond = [jobsFile("d", 'import "./a.ts";\nimport "./c.ts";'), ...seen.slice(0, 2)];
  assert.deepEqual(circle([...diamond, jobsFile("c", "")]), []);
});

function wrong(name: string, text: string): number {
  return wrongImports({ name, text }).length;
}

test("what is wrong would be seen", () => {
  assert.equal(wrong("lib/guard/x.ts", 'import { a } from "../jobs/a.ts";'), 1);
  assert.equal(wrong("lib/guard/x.ts", 'import {\n  a,\n} from "../output/a.ts";'), 1);
  assert.equal(wrong("lib/rclone/x.ts", 'export * from "../manifest/a.ts";'), 1);
  assert.equal(wrong("lib/units/x.ts", 'const a = await import("../config/a.ts");'), 1);
  assert.equal(wrong("lib/jobs/x.ts", 'import type { A } from "../../bin/a.ts";'), 1);
  assert.equal(wrong("lib/jobs/x.ts", 'import "../cli.ts";'), 1);
  assert.equal(wrong("lib/other/x.ts", ""), 1);
  assert.equal(wrong("bin/x.ts", 'import { a } from "./a.ts";'), 1);
  assert.equal(wrong("bin/x.ts", 'import { a } from "../test/a.ts";'), 1);
  assert.equal(wrong("bin/x.ts", 'import { a } from "../lib/cli.ts"; // from "./a.ts"'), 0);
  assert.equal(wrong("lib/jobs/x.ts", 'import { a } from "../guard/a.ts";'), 0);
  assert.equal(
    terminalUses({ name: "x", text: "process.stdout.write(a); console.log(1)" }).length,
    2,
  );
  assert.equal(terminalUses({ name: "x", text: 'a("//"); process.exit(1)' }).length, 1);
  assert.equal(terminalUses({ name: "x", text: "// console\n/* process.exit() */" }).length, 0);
});

test("the library neither prints nor exits, lib/output and lib/cli.ts aside", () => {
  const library = sourcesBelow("lib");
  const silent = library.filter(({ name }) => !["output", "cli"].includes(partOf(name)));
  assert.ok(silent.length >= 50, `only ${silent.length} files were seen`);
  assert.deepEqual(silent.flatMap(terminalUses), []);
});

test("files stay small", () => {
  const long = sourcesBelow("bin", "lib", "exporters")
    .map(({ name, text }) => ({ name, lines: text.split("\n").length - 1 }))
    .filter(({ lines }) => lines > 300);
  assert.deepEqual(long, []);
});

test("every test file holds tests, and none of them is left out", () => {
  const tests = sourcesBelow("test").filter(({ name }) => name.endsWith(".test.ts"));
  assert.ok(tests.length >= 10, `only ${tests.length} test files were seen`);
  // npm test takes test/*.test.ts.
  assert.deepEqual(
    tests.filter(({ name }) => path.dirname(name) !== "test").map(({ name }) => name),
    [],
  );
  assert.deepEqual(
    tests
      .filter(({ text }) => !/\b(?:test|storeContract)\(/.test(code(text)))
      .map(({ name }) => name),
    [],
  );
  // What needs root may say so; scripts/test.sh names such tests at the end.
  const marked =
    /\b(?:test|t|it|describe)\.(?:skip|todo|only)\b|[{,]\s*(?:skip|todo|only)\s*:(?!\s*process\.getuid\?\.\(\) !== 0 && "only root )/;
  assert.deepEqual(
    tests
      .filter(({ name, text }) => name !== "test/layers.test.ts" && marked.test(code(text)))
      .map(({ name }) => name),
    [],
  );
});
