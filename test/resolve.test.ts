import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import * as fc from "fast-check";
import { reveal } from "../lib/crypt/obscure.ts";
import { parseLocation, redactLocation, safeLocation } from "../lib/rclone/location.ts";
import { parseLogLine } from "../lib/rclone/log.ts";
import { readRemotes } from "../lib/rclone/remotes.ts";
import { overlap, placeKey, resolveLocation } from "../lib/rclone/resolve.ts";
import type { Overlap, Place } from "../lib/rclone/resolve.ts";
import { realpathOfMissing } from "../lib/state/realpath.ts";
import { lines } from "./helpers/backups.ts";
import { run } from "./helpers/command.ts";
import { quickStart, rclones } from "./helpers/rclones.ts";
import type { Rclone } from "./helpers/rclones.ts";

// Where a location really is, told as the real rclone would act.

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-resolve-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function obscure(rclone: Rclone, text: string): Promise<string> {
  return (await run(rclone.path, ["obscure", "-"], { input: text })).stdout.trim();
}

for (const rclone of rclones) {
  const titled = (title: string): string => `${title} (${rclone.version} rclone)`;

  test(titled("passwords that rclone obscured are read"), async () => {
    for (const text of ["a", "correct horse", "Pässwörd ✓", "x".repeat(300), "-v --flag"])
      assert.equal(reveal(await obscure(rclone, text)), text);
    assert.throws(() => reveal("short"), /too short/);
  });

  test(
    titled("two locations overlap as told, by what rclone finds in one of the other"),
    async (t) => {
      const root = await scratch(t);
      const store = path.join(root, "store");
      await mkdir(path.join(store, "real"), { recursive: true });
      await symlink(path.join(store, "real"), path.join(root, "link"));
      const [one, two] = await Promise.all(
        ["one", "two"].map(async (text) => obscure(rclone, text)),
      );
      const again = await obscure(rclone, "one");
      assert.notEqual(one, again, "obscured anew, the same password looks different");
      const conf = path.join(root, "rclone.conf");
      const crypt = (name: string, password = "", more = ""): string =>
        `[${name}]\ntype = crypt\nremote = ${store}/crypt\npassword = ${password}\n${more}\n`;
      await writeFile(
        conf,
        [
          crypt("c1", one),
          crypt("c-1b", again),
          crypt("c2", two),
          crypt("off", one, "filename_encryption = off"),
          crypt("flat", one, "directory_name_encryption = false"),
          `[al]\ntype = alias\nremote = c1:a\n`,
          `[comb]\ntype = combine\nupstreams = up=c1:a "here=${store}/real"\n`,
          `[chunk]\ntype = chunker\nremote = ${store}/real/sub\n`,
        ].join("\n"),
      );
      const locations = [
        ...[
          `${store}/real`,
          `${store}/real/sub`,
          `${root}/link/sub`,
          `${store}/other`,
          `${store}/re`,
        ],
        ...[":local:STORE/real/sub", `:alias,remote='STORE/real':sub`].map((text) =>
          text.replace("STORE", store),
        ),
        ...["c1:", "c1:a", "c1:a/b", "c-1b:a/b", "c2:a/b", "off:a/b", "flat:a/b"],
        ...["al:b", "al:", "comb:up/b", "comb:here/sub", "chunk:", `${store}/crypt`],
        `:crypt,remote="${store}/crypt",password=${again}:a/b`,
      ];
      const config = {
        program: rclone.path,
        env: { PATH: "/usr/bin:/bin", HOME: root },
        common: ["--config", conf],
      };
      const { remotes } = await readRemotes(config);
      const places = locations.map((text) =>
        resolveLocation(text, { remotes, env: {}, realpath: realpathOfMissing, cwd: root }),
      );
      // Where each location's files are on the disk.
      const real: string[] = [];
      for (const [at, location] of locations.entries()) {
        const before = new Set(await filesBelow(store));
        const end = /[:/]$/.test(location) ? location : `${location}/`;
        const put = await run(rclone.path, ["rcat", `${end}mark-${at}`, "--config", conf], {
          env: { HOME: root, ...quickStart },
          input: "x",
        });
        assert.equal(put.code, 0, put.stderr);
        const fresh = (await filesBelow(store)).filter((file) => !before.has(file));
        assert.equal(fresh.length, 1);
        real.push(`${path.dirname(fresh[0] ?? "")}/`);
      }
      const seen = new Set<string>();
      for (const [at, first] of real.entries()) {
        for (const [other, second] of real.entries()) {
          const expected = relation(first, second);
          seen.add(expected);
          const words = `${locations[at]} and ${locations[other]}`;
          assert.equal(overlap(place(places, at), place(places, other)), expected, words);
          const sameKey = placeKey(place(places, at)) === placeKey(place(places, other));
          assert.equal(sameKey, expected === "equal", words);
        }
      }
      assert.equal(seen.size, 4, "every relation occurs");
    },
  );

  test(titled("log lines of a sync are understood"), async (t) => {
    const root = await scratch(t);
    await mkdir(path.join(root, "src"));
    await mkdir(path.join(root, "dst"));
    await writeFile(path.join(root, "src/new"), "new");
    await writeFile(path.join(root, "dst/gone"), "gone");
    const args = ["sync", "src", "dst", "--use-json-log", "--stats=1s", "-v", "--config", ""];
    const sync = async (...more: string[]): Promise<ReturnType<typeof parseLogLine>[]> => {
      const { stderr } = await run(rclone.path, [...args, ...more], { cwd: root });
      return lines(stderr).map(parseLogLine);
    };
    const dry = await sync("--dry-run");
    assert.deepEqual(
      dry
        .flatMap(({ skipped, object, size }) =>
          skipped === undefined ? [] : [`${skipped} ${object} ${size}`],
        )
        .toSorted(),
      ["copy new 3", "delete gone 4"],
    );
    const stopped = await sync("--max-delete=0");
    assert.ok(stopped.some(({ level }) => level === "error"));
    const real = await sync();
    assert.ok(
      real.some(
        ({ object, message, level }) =>
          object === "gone" && message === "Deleted" && level === "info",
      ),
    );
    const stats = real.map((record) => record.stats).findLast((found) => found !== undefined);
    assert.equal(stats?.errors, 0);
    assert.equal(stats?.checks, 2, "a pair, and the deleted file");
    await rm(path.join(root, "src"), { recursive: true });
    const failed = await sync("--retries=1");
    assert.ok(
      failed.some(({ level, message }) => level === "error" && /directory not found/.test(message)),
    );
  });
}

function relation(first: string, second: string): Overlap {
  if (first === second) return "equal";
  if (first.startsWith(second)) return "first-inside-second";
  return second.startsWith(first) ? "second-inside-first" : "none";
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

function place(places: readonly Place[], at: number): Place {
  const found = places[at];
  assert.ok(found !== undefined);
  return found;
}

const apart = (text: string): unknown => {
  const location = parseLocation(text);
  if (location.kind === "local") return location.path;
  return [location.name, location.onTheFly, Object.fromEntries(location.parameters), location.path];
};

test("locations come apart as rclone takes them apart", () => {
  assert.deepEqual(apart("r:a/b"), ["r", false, {}, "a/b"]);
  assert.deepEqual(apart("my remote-1:x:y"), ["my remote-1", false, {}, "x:y"]);
  assert.deepEqual(apart(":s3,provider=AWS,env_auth:b"), [
    "s3",
    true,
    { provider: "AWS", env_auth: "true" },
    "b",
  ]);
  assert.deepEqual(apart(`r,a="x:y,""z""",b='it''s':p`), [
    "r",
    false,
    { a: 'x:y,"z"', b: "it's" },
    "p",
  ]);
  for (const local of ["/a:b", "./r:a", "a/b:c", "plain", "a,b/c", "-x:y"])
    assert.equal(apart(local), local);
  assert.throws(
    () => parseLocation(":crypt,password=SECRET"),
    (error: unknown) => {
      assert.ok(error instanceof Error && !error.message.includes("SECRET"));
      return true;
    },
  );
});

test("what was meant to be a connection string is never taken for a directory", () => {
  for (const text of [
    ":s3!,secret_access_key=SECRET:bucket",
    ":-x,pass=SECRET:",
    ":,pass=SECRET:b",
    ":SECRET",
    ":SECRET/a:b",
    "s3!,secret_access_key=SECRET:bucket",
  ]) {
    assert.throws(
      () => safeLocation(text, "x"),
      ({ outcome, message }: { outcome?: unknown; message: string }) =>
        outcome === "usage" && !message.includes("SECRET"),
      text,
    );
    assert.ok(!redactLocation(text).includes("SECRET"), text);
  }
  assert.equal(safeLocation("./:s3!,a=b:c", "x").argument, "./:s3!,a=b:c");
});

test("no parameter's value survives redaction or reaches an argument", () => {
  const value = fc.string({ minLength: 6, maxLength: 20 }).map((text) => `S3CR3T${text}`);
  fc.assert(
    fc.property(value, fc.boolean(), fc.constantFrom("'", '"'), (secret, onTheFly, quote) => {
      const quoted = `${quote}${secret.replaceAll(quote, quote + quote)}${quote}`;
      const text = `${onTheFly ? ":" : ""}crypt,password=${quoted}:path`;
      const location = parseLocation(text);
      assert.ok(location.kind === "remote");
      assert.equal(location.parameters.get("password"), secret);
      assert.ok(!redactLocation(text).includes("S3CR3T"));
      const safe = safeLocation(text, "backup_destination");
      assert.ok(!safe.argument.includes("S3CR3T"));
      assert.ok(Object.values(safe.env).includes(secret));
    }),
  );
});

test("a relative or strange local path is never read as a flag or a remote", () => {
  for (const [text, argument] of [
    ["-x", "./-x"],
    ["a b", "./a b"],
    ["/a", "/a"],
    ["../a", "../a"],
  ] as const)
    assert.equal(safeLocation(text, "x").argument, argument);
});

const alias = (to: string): ReadonlyMap<string, string> =>
  new Map([
    ["type", "alias"],
    ["remote", to],
  ]);

test("remotes that refer to each other in a circle, and unknown ones, are told", () => {
  const remotes = new Map([
    ["a", alias("b:")],
    ["b", alias("a:x")],
  ]);
  const context = { remotes, env: {}, realpath: (text: string) => text, cwd: "/" };
  assert.throws(() => resolveLocation("a:", context), /in a circle/);
  assert.throws(
    () => resolveLocation("c:", context),
    /remote c: expected a remote of rclone's configuration/,
  );
});

test("options that would show or delete versions are found in every layer and in the environment", () => {
  const remotes = new Map([
    [
      "out-er",
      new Map([
        ["type", "crypt"],
        ["remote", "cloud:b"],
      ]),
    ],
    [
      "cloud",
      new Map([
        ["type", "s3"],
        ["versions", "true"],
        ["hard_delete", "false"],
      ]),
    ],
  ]);
  const env = {
    RCLONE_CONFIG_CLOUD_VERSION_AT: "2024-01-01",
    "RCLONE_CONFIG_OUT-ER_HARD_DELETE": "true",
  };
  const context = { remotes, env, realpath: (text: string) => text, cwd: "/" };
  assert.deepEqual(resolveLocation("out-er:x", context).hazards, [
    { remote: "out-er", option: "hard_delete" },
    { remote: "cloud", option: "versions" },
    { remote: "cloud", option: "version_at" },
  ]);
  assert.deepEqual(resolveLocation("cloud,versions=true:x", context).hazards[0], {
    remote: undefined,
    option: "versions",
  });
});
