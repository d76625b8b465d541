import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { RetentionLine } from "../lib/config/backup.ts";
import type { Retention } from "../lib/retention/match.ts";
import { makeRetention } from "../lib/retention/match.ts";
import { parsePolicy } from "../lib/units/policy.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { makeConfigDir, minimal } from "./helpers/config-dir.ts";

async function retentionOf(...lines: readonly string[]): Promise<Retention> {
  const retention = lines.map((line, index): RetentionLine => {
    const split = line.lastIndexOf(" = ");
    const [pattern, policy] = [line.slice(0, split), line.slice(split + 3)];
    return { pattern, policy, origin: `x.conf:${index + 1}` };
  });
  return makeRetention({ policies: new Map(), retention });
}

/** Which of these paths a pattern matches. */
async function matched(pattern: string, paths: readonly string[]): Promise<string[]> {
  const retention = await retentionOf(`${pattern} = none`);
  return paths.filter((path) => retention.choose(rawFromText(path)).line !== undefined);
}

test("a pattern without glob characters is a path and everything below it", async () => {
  const paths = ["docs", "docs/a", "docs/.b/c", "docsx", "x/docs", "Docs", "docs x"];
  assert.deepEqual(await matched("docs", paths), ["docs", "docs/a", "docs/.b/c"]);
  assert.deepEqual(await matched("/docs", paths), ["docs", "docs/a", "docs/.b/c"]);
  assert.deepEqual(await matched("docs/", paths), ["docs/a", "docs/.b/c"]);
  assert.deepEqual(await matched("/", paths), paths);
  for (const odd of ["#a", "!x", "foo(1)", "a = b", "a  b", " lead", "é", "it's", "a;b"]) {
    assert.deepEqual(await matched(odd, [odd, `${odd}/below`, "other"]), [odd, `${odd}/below`]);
    assert.deepEqual(await matched(`/${odd}/`, [odd, `${odd}/below`, "other"]), [`${odd}/below`]);
  }
  // Escapes make a path of a glob.
  assert.deepEqual(await matched("a\\[1\\]\\*", ["a[1]*", "a[1]*/x", "a1"]), ["a[1]*", "a[1]*/x"]);
  assert.deepEqual(await matched("end[ ]", ["end ", "end", "end /x"]), ["end ", "end /x"]);
});

test("* stays in a segment, ** goes across, and names with a dot are like any other", async () => {
  const paths = ["a.iso", ".iso", "d/a.iso", "d/.hidden/f", "d/e/f", "d/.f"];
  assert.deepEqual(await matched("*.iso", paths), ["a.iso", ".iso"]);
  assert.deepEqual(await matched("**/*.iso", paths), ["a.iso", ".iso", "d/a.iso"]);
  assert.deepEqual(await matched("d/*", paths), ["d/a.iso", "d/.f"]);
  assert.deepEqual(await matched("d/**", paths), ["d/a.iso", "d/.hidden/f", "d/e/f", "d/.f"]);
  assert.deepEqual(await matched("d/{e,x}/f", paths), ["d/e/f"]);
  assert.deepEqual(await matched("d/?/f", paths), ["d/e/f"]);
  assert.deepEqual(await matched("[!d]*", paths), ["a.iso", ".iso"]);
  assert.deepEqual(await matched("**", paths), paths);
});

test("a / at the end covers everything below, at the depth that the pattern says", async () => {
  const paths = [".git/config", "a/.git/config", "a/.git/x/y", "a/b/.git/z", "a/.git", "a/.gitx/f"];
  assert.deepEqual(await matched("*/.git/", paths), ["a/.git/config", "a/.git/x/y"]);
  assert.deepEqual(await matched("**/.git/", paths), [
    ".git/config",
    "a/.git/config",
    "a/.git/x/y",
    "a/b/.git/z",
  ]);
  assert.deepEqual(await matched("/*/", paths), paths);
  assert.deepEqual(await matched("**/", ["top", "a/b"]), ["top", "a/b"]);
});

test("the first line that matches decides, and default where none does", async () => {
  const retention = await retentionOf("/a/keep = forever", "/a = none", "**/*.tmp = one_week");
  const choose = (path: string): string[] => {
    const { policy, line } = retention.choose(rawFromText(path));
    return [policy.name, line?.origin ?? ""];
  };
  assert.deepEqual(choose("a/keep/x.tmp"), ["forever", "x.conf:1"]);
  assert.deepEqual(choose("a/x.tmp"), ["none", "x.conf:2"]);
  assert.deepEqual(choose("b/x.tmp"), ["one_week", "x.conf:3"]);
  assert.deepEqual(choose("b/x"), ["default", ""]);
});

test("the configuration's own policies are found, its default too", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const text = `${minimal}[policies]\nmine = 5\ndefault = 9\n[retention]\n/m = mine\n/b = one_week\n`;
  const { backup } = await load(await write({ "x.conf": text }));
  const retention = await makeRetention(backup);
  const days = ["m/x", "b/x", "c"].map((path) =>
    retention.choose(rawFromText(path)).policy.steps.map((step) => step.days),
  );
  assert.deepEqual(days, [[5], [1, 2, 3, 4, 5, 6, 7], [9]]);
  const broken = {
    policies: new Map([["mine", parsePolicy("5")]]),
    retention: [{ pattern: "/a", policy: "other", origin: "x.conf:1" }],
  };
  await assert.rejects(makeRetention(broken), /expected a known policy, found "other"/);
});

test("names that are not UTF-8 match the rules of their directories", async () => {
  const path = rawFromBytes("caf\xc3\xa9/\xff\xfe.jpg");
  const first = async (line: string): Promise<boolean> =>
    (await retentionOf(`${line} = none`)).choose(path).line !== undefined;
  assert.deepEqual(
    await Promise.all(
      ["café", "/café/", "caf?/", "**/*.jpg", "café/*", "cafe", "*/*.png"].map(first),
    ),
    [true, true, true, true, true, false, false],
  );
  const directory = rawFromBytes("\xff/f");
  assert.ok((await retentionOf("*/ = none")).choose(directory).line);
});

test("lines that never can match are told, and those that matched nothing in a run", async () => {
  const shadows = async (...lines: readonly string[]): Promise<string[]> =>
    (await retentionOf(...lines.map((line) => `${line} = none`))).shadowed.map(
      ({ line, by }) => `${line.pattern} < ${by.pattern}`,
    );
  assert.deepEqual(await shadows("/a", "a/b", "a/**/c", "ab", "a/", "/a"), [
    "a/b < /a",
    "a/**/c < /a",
    "a/ < /a",
    "/a < /a",
  ]);
  assert.deepEqual(await shadows("a/", "a", "a/*", "a/b"), ["a/* < a/", "a/b < a/"]);
  assert.deepEqual(await shadows("a/**", "a/x", "a"), ["a/x < a/**"]);
  assert.deepEqual(await shadows("**/*.c", "/**/*.c", "x/*.c", "**/*.c/"), ["/**/*.c < **/*.c"]);
  assert.deepEqual(await shadows("*", "a", "*/x", "[ab]"), []);
  assert.deepEqual(await shadows("/", "a", "**"), ["a < /", "** < /"]);
  assert.deepEqual(await shadows("**", "{a,b}/c", "/"), ["{a,b}/c < **", "/ < **"]);
  assert.deepEqual(await shadows("{a/b,c}/d", "a/b/d"), []);

  const retention = await retentionOf("/a = none", "a/b = none", "/c = none", "**/*.x = none");
  retention.choose(rawFromText("a/b"));
  assert.deepEqual(
    retention.idle().map(({ pattern }) => pattern),
    ["/c", "**/*.x"],
  );
  retention.choose(rawFromText("q/1.x"));
  assert.deepEqual(
    retention.idle().map(({ pattern }) => pattern),
    ["/c"],
  );
});

test("any path without glob characters matches itself, and no pattern ends in an error", async () => {
  const segment = fc
    .string({ unit: fc.constantFrom(...Array.from("ab.#!=~^$é ;,-_\u{1F600}")), minLength: 1 })
    .filter((text) => text !== "." && text !== "..");
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  await fc.assert(
    fc.asyncProperty(path, segment, async (text, below) => {
      assert.deepEqual(await matched(`/${text}`, [text, `${text}/${below}`, `${text}${below}`]), [
        text,
        `${text}/${below}`,
      ]);
    }),
    { numRuns: 300 },
  );
  const pattern = fc.string({ unit: fc.constantFrom(...Array.from("ab/*?[]{}()!+@,.\\^-|1")) });
  await fc.assert(
    fc.asyncProperty(fc.array(pattern, { maxLength: 4 }), path, async (patterns, text) => {
      const retention = await retentionOf(...patterns.map((each) => `${each} = none`));
      const { line } = retention.choose(rawFromText(text));
      // What is said to be shadowed must never be the line that decides.
      assert.ok(!retention.shadowed.some((shadowed) => shadowed.line === line));
    }),
    { numRuns: 1000 },
  );
});
