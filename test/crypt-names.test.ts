import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { cryptNames } from "../lib/crypt/cryptnames.ts";
import type { Names } from "../lib/crypt/names.ts";
import { standardSegments } from "../lib/crypt/segments.ts";
import { base32 } from "../lib/crypt/textencoding.ts";
import { rawFromSystem, systemFromRaw } from "../lib/units/encoding.ts";
import { rawFromBytes, rawFromText } from "../lib/units/rawpath.ts";
import { listRawFiles, writeRawFiles } from "./helpers/rawfiles.ts";
import { rclones } from "./helpers/rclones.ts";
import { makeSandbox, obscuredPassword } from "./helpers/sandbox.ts";

/*
 * Names are encrypted and decrypted here just as rclone does it: what rclone stores is read here,
 * and what is written here rclone lists.
 */

const mark = "-v2024-01-02-030405-678";
const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** Paths on a disk, the bytes of each in a Latin-1 string. */
const nasty = [
  ...[
    "a",
    "dir/a",
    "dir/deeper/still deeper/a.b.c",
    " lead and tail ",
    "~",
    "...",
    ".hidden",
    "tail.",
    "new\nline/tab\t",
    "\x01\x1f\x7f",
    "back\\slash",
    "glob*?[x]{y}",
    "quote\"'`",
    "#x;y&z$(z)",
    "!bang!!.!",
    "!.",
    "0.!",
    "é\u0301 NFD",
    "é NFC",
    "ÿ\u00a0",
    "字字字",
    "😀 emoji 👩‍👩‍👧",
    "\u0416\u0417",
    "\ufffd",
    `foo${mark}.txt`,
    `foo${mark}`,
    `.foo${mark}`,
    `only/${mark}`,
    `a.b${mark}`,
    `.${mark}.x`,
    `a${mark}${mark}.x`,
    `a${mark}.tar.gz`,
    `a.tar${mark}.gz`,
    "a-v2024-13-02-030405-678.txt",
    "a-v2023-02-29-030405-678.txt",
    "a-v2024-02-29-030405-678.txt",
    "a-v2024-01-02-240405-678.txt",
    "x.bin",
    ".bin",
    "123.abc",
    "fifteen bytes .",
    "sixteen bytes ..",
    "l".repeat(143),
  ].map(latin1),
  "not utf-8 \xff\xfe",
  "cut \xe5\xad",
  "\xc3/\x80",
];

const unit = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(..."abzAZ019 .-_!~".split("")) },
  { weight: 3, arbitrary: fc.constantFrom("é", "ÿ", "¡", "字", "Ж", "😀", "␊x", "\n").map(latin1) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 255 }).map((byte) => String.fromCharCode(byte)),
  },
);
const segment = fc
  .string({ unit, minLength: 1, maxLength: 24 })
  .filter((name) => !name.includes("/") && !/^\.{1,2}$/.test(name));
const diskPaths = fc.array(
  fc
    .tuple(
      fc.array(segment, { maxLength: 2 }),
      segment,
      fc.constantFrom("", "", "", mark, `${mark}.x`),
    )
    .map(([directories, name, end]) => [...directories, name + end].join("/")),
  { minLength: 40, maxLength: 40 },
);

/** What can lie on one disk: no path is a file here and a directory there. */
function together(paths: readonly string[]): string[] {
  const files = new Set(paths);
  return [...files].filter((file) => {
    const isDirectory = paths.some((other) => other.startsWith(`${file}/`));
    // A directory that is named like a version breaks rclone itself.
    return !isDirectory && !/-v\d{4}[^/]*\//.test(file);
  });
}

type Options = Readonly<Record<string, string>>;

const kinds: readonly Options[] = [
  { filename_encryption: "standard", filename_encoding: "base32" },
  { filename_encryption: "standard", filename_encoding: "base64" },
  { filename_encryption: "standard", filename_encoding: "base32768" },
  { filename_encryption: "obfuscate" },
  { filename_encryption: "off" },
].flatMap((kind) => [kind, { ...kind, directory_name_encryption: "false" }]);

function namesOf(options: Options): Names {
  return cryptNames(new Map(Object.entries(options)));
}

async function passwords(): Promise<Options> {
  const password = obscuredPassword;
  return { password, password2: password };
}

const sorted = (paths: readonly string[]): string[] => paths.toSorted();

for (const rclone of rclones) {
  test(`names are stored and listed as rclone does it (${rclone.version})`, async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    const secrets = await passwords();
    const suffixed =
      rclone.version === "old"
        ? []
        : ["none", ".enc", "dotless"].map((suffix) => ({ filename_encryption: "off", suffix }));
    const ways: readonly Options[] = [
      ...kinds.map((kind) => ({ ...kind, ...secrets })),
      { filename_encryption: "Standard", password: secrets["password"] ?? "" },
      ...suffixed.map((kind) => ({ ...kind, ...secrets })),
    ];
    const check = async (samples: readonly string[]): Promise<void> => {
      const onDisk = together([...nasty, ...samples]);
      await rm(sandbox.source, { recursive: true, force: true });
      await mkdir(sandbox.source);
      await writeRawFiles(sandbox.source, onDisk);
      const plain = onDisk.map(rawFromSystem);
      for (const options of ways) {
        const told = JSON.stringify({ ...options, password: "", password2: "" });
        const names = namesOf(options);
        const store = path.join(sandbox.root, "crypt");
        const env = Object.fromEntries(
          Object.entries({ type: "crypt", remote: store, ...options }).map(([key, value]) => [
            `RCLONE_CONFIG_C_${key.toUpperCase()}`,
            value,
          ]),
        );
        const copy = await sandbox.runRclone(
          ["copy", "--no-unicode-normalization", sandbox.source, "C:"],
          { env },
        );
        assert.equal(copy.code, 0, `${told} ${copy.stderr}`);
        const stored = (await listRawFiles(store)).map(rawFromSystem);
        assert.deepEqual(
          sorted(names.decode(stored).map((name) => name ?? "?")),
          sorted(plain),
          told,
        );
        const encoded = plain.map((name) => names.encode(name, "file"));
        assert.deepEqual(sorted(encoded), sorted(stored), told);
        await removeAll(store);

        await writeRawFiles(store, encoded.map(systemFromRaw));
        const list = await sandbox.runRclone(["lsf", "-R", "--files-only", "C:"], { env });
        const listed = list.stdoutBytes.toString("latin1").split("\n").slice(0, -1);
        assert.deepEqual(sorted(listed), sorted(plain), `${told} ${list.stderr}`);
        await removeAll(store);
      }
    };
    await fc.assert(fc.asyncProperty(diskPaths, check), {
      numRuns: 1,
      endOnFailure: true,
      includeErrorInReport: true,
    });
  });
}

async function removeAll(directory: string): Promise<void> {
  await rm(Buffer.from(directory), { recursive: true, force: true });
}

test("what is encoded decodes to itself, in any company", async () => {
  const secrets = await passwords();
  const paths = fc.array(fc.array(segment, { minLength: 1, maxLength: 4 }), { maxLength: 30 });
  for (const kind of kinds) {
    const names = namesOf({ ...kind, ...secrets });
    fc.assert(
      fc.property(paths, (samples) => {
        const plain = samples.map((parts) => rawFromSystem(parts.join("/")));
        const stored = plain.map((name) => names.encode(name, "file"));
        const mixed = stored.flatMap((name) => [name, rawFromBytes(`${name}/`), rawFromBytes("")]);
        assert.deepEqual(
          names.decode(mixed),
          plain.flatMap((name) => [name, undefined, undefined]),
        );
      }),
      { numRuns: 20 },
    );
  }
});

test("keys of zeros for an empty password, and known names", () => {
  const names = namesOf({});
  const known: readonly (readonly [string, string])[] = [
    ["1", "p0e52nreeaj0a5ea7s64m4j72s"],
    ["12", "l42g6771hnv3an9cgc8cr2n1ng"],
    ["1/12", "p0e52nreeaj0a5ea7s64m4j72s/l42g6771hnv3an9cgc8cr2n1ng"],
  ];
  for (const [plain, stored] of known) {
    assert.equal(names.encode(rawFromText(plain), "file"), stored);
    assert.deepEqual(names.decode([rawFromText(stored.toUpperCase())]), [plain]);
  }
});

test("with another password no name is one of ours", async () => {
  const secrets = await passwords();
  const plain = nasty.map(rawFromSystem).filter((name) => !name.endsWith(`/${mark}`));
  for (const kind of kinds) {
    if (kind["filename_encryption"] === "off") continue;
    const ours = namesOf({ ...kind, ...secrets });
    const stored = plain.map((name) => ours.encode(name, "file"));
    const other = namesOf({ ...kind, password: secrets["password"] ?? "" });
    // What obfuscate can't rotate, it shows.
    const hidden = stored.filter(
      (name) =>
        !/(?:^|\/)!\./.test(name) && /[0-9A-Za-z\x80-\xff]/.test(name.replace(/^\d+\./, "")),
    );
    assert.ok(hidden.length > 30);
    assert.deepEqual(
      other.decode(hidden).filter((name) => name !== undefined),
      [],
      JSON.stringify(kind),
    );
  }
});

test("what no crypt remote stored is not ours, and harms no neighbour", async () => {
  const secrets = await passwords();
  const foreign = [
    "",
    "/",
    "a",
    "README.md",
    "p0e52nreeaj0a5ea7s64m4j72",
    "p0e52nreeaj0a5ea7s64m4j72s0",
    "p0e52nreeaj0a5ea7s64m4j72t",
    "=======",
    "../x",
    "x/../y",
    ".",
    "..",
    "\n",
    "a".repeat(5000),
    "v".repeat(100_000),
    "256.a",
    // What obfuscate would make of . and .., in any place.
    "46..",
    "92...",
    "92.../46..",
    "10.\n",
    "-1.a",
    "01.a",
    "1.",
    "!.",
    "!.valid",
    ".",
    "12",
    ".bin",
    "x/.bin",
    "/a.bin",
    "a//b.bin",
    "../a.bin",
    `${mark}.bin`,
    "\u0180\u0180",
    "字",
    "\u0240",
  ].map(rawFromText);
  for (const kind of kinds) {
    const names = namesOf({ ...kind, ...secrets });
    const ours = names.encode(rawFromText("ours"), "file");
    const decoded = names.decode(foreign.flatMap((name) => [name, ours]));
    const wrong = foreign.filter((_, at) => decoded[2 * at] !== undefined);
    assert.deepEqual(wrong, [], JSON.stringify(kind));
    assert.ok(foreign.every((_, at) => decoded[2 * at + 1] === "ours"));
  }
});

test("names that lead out of their directory are not decrypted, though they were encrypted", () => {
  const { encode } = standard();
  const names = namesOf({});
  for (const evil of [".", "..", "a/b", "../../etc/passwd", "a\0b", "a\nb"])
    assert.deepEqual(names.decode([rawFromBytes(encode(evil))]), [undefined], evil);
  assert.deepEqual(names.decode([rawFromBytes(encode("fine"))]), ["fine"]);
});

test("a path that can't be stored is refused", () => {
  for (const kind of kinds) {
    const names = namesOf(kind);
    for (const bad of ["", ".", "..", "a//b", "/a", "a/", "a/../b", "a\nb", "a\0b"])
      assert.throws(() => names.encode(rawFromText(bad), "file"), /expected/, bad);
    assert.equal(names.encode(rawFromText(""), "directory"), "");
  }
  const names = namesOf({});
  assert.equal(
    names.decode([names.encode(rawFromBytes("x".repeat(2047)), "file")])[0]?.length,
    2047,
  );
  assert.throws(() => names.encode(rawFromBytes("x".repeat(2048)), "file"), /fewer than 2048/);
  assert.throws(() => names.encode(rawFromText(`${mark}.txt`), "file"), /give back/);
});

test("a name that is nothing but the mark of a version is stored as it is, where rclone finds it", () => {
  for (const kind of kinds) {
    const names = namesOf(kind);
    const alone = rawFromText(mark);
    if (kind["filename_encryption"] === "off")
      assert.throws(() => names.encode(alone, "file"), /give back/);
    else {
      assert.equal(names.encode(alone, "file"), mark);
      assert.deepEqual(names.decode([alone]), [mark]);
    }
  }
});

test("a directory is stored under the name that its files have in front", async () => {
  const secrets = await passwords();
  for (const kind of kinds) {
    const names = namesOf({ ...kind, ...secrets });
    for (const directory of ["d", "d/e f/g", `d${mark}`, "d.bin"]) {
      const stored = names.encode(rawFromText(directory), "directory");
      const file = names.encode(rawFromText(`${directory}/file`), "file");
      assert.equal(file.slice(0, file.lastIndexOf("/")), stored);
      assert.deepEqual(names.decode([file]), [`${directory}/file`]);
    }
  }
});

test("an unknown way to store names is a wrong configuration", () => {
  for (const options of [{ filename_encryption: "rot13" }, { filename_encoding: "base58" }])
    assert.throws(
      () => namesOf(options),
      (error: unknown) => error instanceof Error && "outcome" in error && error.outcome === "usage",
    );
});

/** Encrypts segments with keys of zeros, whatever they are. */
function standard(): { encode: (plain: string) => string } {
  return standardSegments({ name: new Uint8Array(32), tweak: new Uint8Array(16) }, base32);
}
