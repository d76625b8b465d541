import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ageCutoff, parseAge } from "../lib/units/age.ts";
import { parseBytes } from "../lib/units/bytes.ts";
import { parseCondition, parseConditions, splitConditions } from "../lib/units/condition.ts";
import { parseDuration } from "../lib/units/duration.ts";
import { parseLimit } from "../lib/units/limit.ts";
import { editDistance, suggest } from "../lib/units/suggest.ts";
import { Failure } from "../lib/errors.ts";

const usage = (error: unknown): boolean => error instanceof Failure && error.outcome === "usage";

function refuses(parse: (text: string) => unknown, texts: readonly string[]): void {
  for (const text of texts) assert.throws(() => parse(text), usage, JSON.stringify(text));
}

test("sizes: K is 1024, a bare number counts bytes", () => {
  const cases: Readonly<Record<string, number>> = {
    "0": 0,
    "512": 512,
    "10B": 10,
    "1K": 1024,
    "1k": 1024,
    "1.5G": 1.5 * 1024 ** 3,
    "10M": 10 * 1024 ** 2,
    "2Gi": 2 * 1024 ** 3,
    "2GiB": 2 * 1024 ** 3,
    "3T": 3 * 1024 ** 4,
    "7P": 7 * 1024 ** 5,
    "0.3K": 307,
    "1.5": 2,
  };
  for (const [text, bytes] of Object.entries(cases)) assert.equal(parseBytes(text), bytes, text);
  refuses(parseBytes, [
    "",
    "x",
    "-1",
    "1e3",
    ".5G",
    "5.G",
    "10GB",
    "10i",
    "10Bi",
    "1 G",
    " 1",
    "1G ",
    "10X",
    "8P",
    "9".repeat(400),
    "0x10",
    "١",
  ]);
});

test("limits", () => {
  assert.deepEqual(parseLimit("off"), { kind: "off" });
  assert.deepEqual(parseLimit("OFF"), { kind: "off" });
  assert.deepEqual(parseLimit("50%"), { kind: "percent", percent: 50 });
  assert.deepEqual(parseLimit("0.5%"), { kind: "percent", percent: 0.5 });
  assert.deepEqual(parseLimit("1000"), { kind: "files", files: 1000 });
  assert.deepEqual(parseLimit("0"), { kind: "files", files: 0 });
  assert.deepEqual(parseLimit("10G"), { kind: "bytes", bytes: 10 * 1024 ** 3 });
  assert.deepEqual(parseLimit("10B"), { kind: "bytes", bytes: 10 });
  refuses(parseLimit, ["", "%", "-1", "1.5", "101%", "50 %", "x", "10GB", "on", "9".repeat(30)]);
});

test("durations in seconds", () => {
  const cases: Readonly<Record<string, number>> = {
    "30": 30,
    "30s": 30,
    "5m": 300,
    "1h30m": 5400,
    "2d": 172_800,
    "1d1h1m1s": 90_061,
  };
  for (const [text, seconds] of Object.entries(cases))
    assert.equal(parseDuration(text), seconds, text);
  refuses(parseDuration, [
    "",
    "0",
    "0s",
    "-1",
    "1.5h",
    "30m1h",
    "1w",
    "5 m",
    "s",
    "m",
    "25d",
    "9".repeat(400),
  ]);
});

test("ages: rclone's units", () => {
  const cases: Readonly<Record<string, number>> = {
    "90m": 5400,
    "3M": 90 * 86_400,
    "1y": 365 * 86_400,
    "1.5d": 129_600,
    "1w": 604_800,
    "100ms": 0.1,
    "1000": 1000,
    "1h30m": 5400,
    "1d2h": 93_600,
    "0": 0,
  };
  for (const [text, seconds] of Object.entries(cases))
    assert.deepEqual(parseAge(text), { kind: "span", seconds }, text);
  refuses(parseAge, [
    "",
    "off",
    "-1d",
    "1D",
    "d",
    "1d 2h",
    "1e9",
    "99999y",
    "2024-02-30",
    "2024-13-01",
    "2024-00-10",
    "2024-1-1",
    "2024-01-01T25:00:00Z",
    "2024-01-01T00:60:00",
    "2024-01-01T",
    "2024-01-01Z",
    "24-01-01",
  ]);
});

function at(text: string): Date {
  return ageCutoff(parseAge(text), new Date(0));
}

test("ages: dates are local unless they name a zone", () => {
  assert.deepEqual(at("2024-02-29"), new Date(2024, 1, 29));
  assert.deepEqual(at("2024-02-29 10:11:12"), new Date(2024, 1, 29, 10, 11, 12));
  assert.deepEqual(at("2024-02-29T10:11:12"), new Date(2024, 1, 29, 10, 11, 12));
  assert.deepEqual(at("2024-02-29T10:11:12Z"), new Date("2024-02-29T10:11:12Z"));
  assert.deepEqual(at("2024-02-29T10:11:12.5+02:00"), new Date("2024-02-29T08:11:12.5Z"));
  assert.deepEqual(
    ageCutoff(parseAge("1d"), new Date("2024-03-01T00:00:00Z")),
    new Date("2024-02-29T00:00:00Z"),
  );
});

test("conditions: one", () => {
  assert.deepEqual(parseCondition("all"), { kind: "all" });
  assert.deepEqual(parseCondition("hash"), { kind: "hash" });
  assert.deepEqual(parseCondition("data=1G"), {
    kind: "data",
    limit: { kind: "bytes", bytes: 1024 ** 3 },
    hard: false,
  });
  assert.deepEqual(parseCondition("data=0"), {
    kind: "data",
    limit: { kind: "bytes", bytes: 0 },
    hard: false,
  });
  assert.deepEqual(parseCondition("data=<5%"), {
    kind: "data",
    limit: { kind: "percent", percent: 5 },
    hard: true,
  });
  assert.deepEqual(parseCondition("files=3"), {
    kind: "files",
    limit: { kind: "count", count: 3 },
  });
  assert.deepEqual(parseCondition("files=0.1%"), {
    kind: "files",
    limit: { kind: "percent", percent: 0.1 },
  });
  assert.deepEqual(parseCondition("age=1d2h"), { kind: "age", spec: "1d2h" });
  refuses(parseCondition, [
    "",
    "All",
    "all=1",
    "hash=",
    "data",
    "data=",
    "data=<",
    "data=x",
    "data=101%",
    "files",
    "files=",
    "files=<3",
    "files=1.5",
    "files=1K",
    "files=-1",
    "age",
    "age=",
    "age=x",
    "=1",
    "data =1",
  ]);
});

test("conditions: together", () => {
  const none = { all: false, hash: false, data: undefined, files: undefined, age: undefined };
  assert.deepEqual(parseConditions([]), none);
  assert.deepEqual(parseConditions(["all"]), { ...none, all: true });
  assert.deepEqual(parseConditions(["hash"]), { ...none, hash: true });
  const age = { kind: "age", spec: "7d" } as const;
  const files = { kind: "files", limit: { kind: "count", count: 3 } } as const;
  assert.deepEqual(parseConditions(["age=7d", "files=3"]), { ...none, age, files });
  for (const list of [
    ["all", "data=1G"],
    ["files=3", "all"],
    ["all", "age=7d"],
    ["all", "hash"],
    ["all", "all"],
    ["data=1", "data=2"],
    ["hash", "hash"],
  ]) {
    assert.throws(() => parseConditions(list), usage, list.join(" "));
  }
  assert.deepEqual(splitConditions(" data=1G, age=7d\thash,,"), ["data=1G", "age=7d", "hash"]);
  assert.deepEqual(splitConditions(" "), []);
});

test("any text ends in a value or a usage failure", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(...Array.from("0123456789.KMGTPiB%<=-:TZ smhdwMy+")) }),
    fc
      .tuple(fc.constantFrom("data=", "files=", "age=", "data=<"), fc.string())
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (each) => {
      for (const parse of [parseBytes, parseLimit, parseDuration, parseAge, parseCondition]) {
        try {
          const value = parse(each);
          if (typeof value === "number") assert.ok(Number.isSafeInteger(value) && value >= 0);
          if (parse === parseAge)
            assert.ok(!Number.isNaN(ageCutoff(parseAge(each), new Date(0)).getTime()));
        } catch (error) {
          if (!usage(error)) throw error;
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test("suggestions", () => {
  const known = ["source", "destination", "copy_links", "pre_command", "post_command"];
  assert.equal(suggest("sorce", known), "source");
  assert.equal(suggest("Source", known), "source");
  assert.equal(suggest("copy-links", known), "copy_links");
  assert.equal(suggest("postcommand", known), "post_command");
  assert.equal(suggest("suorce", known), "source");
  assert.equal(suggest("zzz", known), undefined);
  assert.equal(suggest("", known), undefined);
  assert.equal(suggest("x", ["n"]), undefined);
  assert.equal(suggest("s".repeat(100_000), known), undefined);
  assert.equal(suggest("x", []), undefined);
});

test("the edit distance is a metric, nearly", () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      assert.equal(editDistance(a, a), 0);
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.ok(editDistance(a, b) >= Math.abs(a.length - b.length));
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
    }),
  );
  assert.equal(editDistance("ab", "ba"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
});
