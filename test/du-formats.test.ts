import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile, link } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { Failure } from "../lib/errors.ts";
import { rawFromSystem } from "../lib/units/encoding.ts";
import { rawFromText, textFromRaw } from "../lib/units/rawpath.ts";
import { detectFormat, type Format } from "../lib/usage/formats.ts";
import { readListing, type ReadListing } from "../lib/usage/listing.ts";
import { run } from "./helpers/command.ts";
import { newRclone, rclones } from "./helpers/rclones.ts";

async function* inPieces(text: string | Buffer, length: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function read(
  text: string | Buffer,
  options: { format?: Format; files?: boolean; pieces?: number } = {},
): Promise<ReadListing> {
  return readListing(inPieces(text, options.pieces ?? 65_536), {
    format: options.format,
    files: options.files ?? true,
  });
}

/** Sizes of all nodes by path, as text. */
function sums({ tree }: ReadListing): Map<string, number> {
  const found = new Map<string, number>();
  for (let node = 0; node < tree.length; node += 1) {
    const name = textFromRaw(tree.path(node)) + (tree.isFile(node) ? "" : "/");
    found.set(name, tree.bytes(node, "current"));
  }
  return found;
}

/** The same of a list of files, added up the slow way. */
function expectedSums(files: ReadonlyMap<string, number>): Map<string, number> {
  const found = new Map<string, number>([["./", 0]]);
  const add = (key: string, size: number): unknown => found.set(key, (found.get(key) ?? 0) + size);
  for (const [name, size] of files) {
    const shown = textFromRaw(rawFromSystem(rawFromText(name)));
    add("./", size);
    for (let at = shown.indexOf("/"); at >= 0; at = shown.indexOf("/", at + 1))
      add(`${shown.slice(0, at)}/`, size);
    add(shown, size);
  }
  return found;
}

const here = { cwd: process.cwd(), LC_ALL: "C.UTF-8", TZ: "UTC" };

async function output(directory: string, command: string): Promise<Buffer> {
  const { code, stdoutBytes, stderr } = await run("sh", ["-c", command], {
    cwd: directory,
    env: { LC_ALL: here.LC_ALL, TZ: here.TZ, HOME: directory, RCLONE_CONFIG: "/dev/null" },
  });
  assert.equal(code, 0, `${command}: ${stderr}`);
  return stdoutBytes;
}

async function makeTree(files: ReadonlyMap<string, number>): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-du-"));
  for (const [name, size] of files) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, "x".repeat(size));
  }
  return root;
}

/** Commands whose output is read, and what they should be taken for. */
const commands: readonly (readonly [string, Format])[] = [
  ["ls -lR", "ls"],
  ["ls -lRA .", "ls"],
  ["ls -lR --full-time", "ls"],
  ["ls -lR --time-style=long-iso", "ls"],
  ["ls -lR --time-style=iso", "ls"],
  ["ls -lRgo", "ls"],
  ["ls -lRis", "ls"],
  ["ls -lRsh", "ls"],
  ["tar -cf - . | tar -tvf -", "tar"],
  ["tar -cf - . | tar -tv --full-time", "tar"],
  ["tar -cf - --owner='a b' --numeric-owner . | LC_ALL=C tar -tvf -", "tar"],
  ...rclones.flatMap(({ path: rclone }): [string, Format][] => [
    [`'${rclone}' ls --skip-links .`, "rclone-ls"],
    [`'${rclone}' lsjson -R --skip-links .`, "lsjson"],
    [`'${rclone}' lsf -R --files-only --skip-links --format sp --separator ' ' .`, "plain"],
  ]),
];

const nasty = new Map([
  ["plain", 11],
  ["dir/one", 5],
  ["dir/two words", 3],
  ["dir/deeper/  leading", 2],
  ["dir/trailing /f ", 7],
  ["quotes'\"`/it's", 13],
  ["new\nline/a\nb", 17],
  ["total 1\nof 2/b 3\nc", 61],
  ["arrow -> target", 19],
  ["a link to b", 23],
  ["back\\slash\\n", 29],
  ["tab\there", 31],
  ["12 34 56", 37],
  ["-rw-r--r-- 1 root root 5 Nov 21 06:36 liar", 41],
  ["Jan 1 2024 x", 43],
  ["[x]/{y}", 47],
  ["\u001b[31mred", 53],
  ["ünïcode ␊/‛", 59],
  ["empty", 0],
]);

for (const [command, format] of commands) {
  test(`nasty names in ${rclones.reduce((text, { path: file, version }) => text.replace(`'${file}'`, `rclone (${version})`), command)}`, async (t) => {
    const root = await makeTree(nasty);
    t.after(async () => rm(root, { recursive: true }));
    await symlink("plain", path.join(root, "symlink -> odd"));
    await symlink("dir", path.join(root, "dir/symlink"));
    const text = await output(root, command);
    const listing = await read(text);
    assert.equal(listing.format, format);
    assert.deepEqual(listing.unread, { count: 0, first: 0, text: "" });
    assert.deepEqual(sums(listing), expectedSums(nasty));
    // However the pieces are cut.
    for (const pieces of [1, 7, 100])
      assert.deepEqual(sums(await read(text, { pieces, format })), expectedSums(nasty));
  });
}

const name = fc
  .array(
    fc.constantFrom("a", "b", " ", "'", '"', "\\", "é", "\n", "-", "> ", "1", ":", "日", "*", "["),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => `${parts.join("").replaceAll(/[:\n]*\n+/g, "\n")}e`);
const randomTree = fc
  .uniqueArray(fc.tuple(fc.array(name, { minLength: 1, maxLength: 3 }), fc.nat(2000)), {
    maxLength: 12,
    minLength: 1,
    selector: ([segments]) => segments.join("/"),
  })
  .map((list) => new Map(list.map(([segments, size]) => [`d${segments.join("/d")}.`, size])));

test("random trees come to the same in every format", async () => {
  await fc.assert(
    fc.asyncProperty(randomTree, async (files) => {
      const root = await makeTree(files);
      try {
        const expected = expectedSums(files);
        for (const command of [
          "ls -lR",
          "tar -cf - . | tar -tvf -",
          `'${newRclone.path}' ls .`,
          `'${newRclone.path}' lsjson -R .`,
        ])
          assert.deepEqual(sums(await read(await output(root, command))), expected, command);
      } finally {
        await rm(root, { recursive: true });
      }
    }),
    { numRuns: 12 },
  );
});

test("bytes that are not UTF-8 stay in ls, tar and rclone ls", async (t) => {
  const root = await makeTree(new Map([["d/a", 1]]));
  t.after(async () => rm(root, { recursive: true }));
  await writeFile(Buffer.concat([Buffer.from(`${root}/d/`), Buffer.from([0x66, 0xff])]), "22");
  for (const command of ["ls -lR", "tar -cf - d | tar -tvf -", `'${newRclone.path}' ls .`]) {
    const { tree } = await read(await output(root, command));
    const names = Array.from({ length: tree.length }, (_, node) => String(tree.path(node)));
    assert.ok(names.includes("d/f\xff"), command);
  }
});

test("the content of hard links counts once in tar, and links of ls don't count", async (t) => {
  const root = await makeTree(new Map([["a", 100]]));
  t.after(async () => rm(root, { recursive: true }));
  await link(path.join(root, "a"), path.join(root, "b"));
  const tar = await read(await output(root, "tar -cf - . | tar -tvf -"));
  assert.equal(tar.tree.bytes(0, "current"), 100);
  const ls = await read(await output(root, "ls -lR"));
  assert.equal(ls.tree.bytes(0, "current"), 200);
});

/** Outputs of programs that are not on every machine, as they were. */
const recorded: Readonly<Record<string, readonly [Format, string]>> = {
  "bsdtar 3.6": [
    "tar",
    `drwxr-xr-x  0 root   root        0 Nov 21 06:47 ./
drwxr-xr-x  0 root   root        0 Nov 21 06:47 ./a b/
-rw-r--r--  0 root   root        6 Jan  2  2024 ./a b/ -> f\\nx
hrw-r--r--  0 root   root        0 Nov 21 06:47 ./again link to ./a b/ -> f\\nx
lrwxrwxrwx  0 root   root        0 Nov 21 06:47 ./l -> a b
-rw-r--r--  0 root   root        3 Nov 21 06:47 ./\\303\\244
`,
  ],
  "busybox ls": [
    "ls",
    `.:
total 8
drwxr-xr-x    3 root     root          4096 Nov 21 06:47 a b
lrwxrwxrwx    1 root     root             3 Nov 21 06:47 l -> a b

./a b:
total 4
-rw-r--r--    1 root     root             6 Jan  2  2024  -> f
x

.:
total 4
-rw-r--r--    1 root     root             3 Nov 21 06:47 ä
`,
  ],
  "macOS ls -lRT@": [
    "ls",
    `total 16
drwxr-xr-x@ 3 me  staff  96 Nov 21 06:47:01 2026 a b
-rw-r--r--+ 1 me  staff   3 Nov 21 06:47:01 2026 ä

./a b:
total 8
-rw-r--r--  1 me  domain users   6 Nov 21 06:47:01 2026  -> f
x
`,
  ],
  "ls -lRh in German": [
    "ls",
    `.:
insgesamt 4,0K
-rw-r--r-- 1 root root 3 21. Nov 06:47 ä

'./a b':
insgesamt 4,0K
`,
  ],
};

for (const [program, [format, text]] of Object.entries(recorded)) {
  test(`what ${program} writes is read`, async () => {
    const listing = await read(text);
    assert.equal(listing.format, format);
    assert.equal(listing.unread.count, 0);
    const found = sums(listing);
    assert.equal(found.get("ä"), 3);
    if (!program.includes("German")) assert.equal(found.get("a b/ -> f␊x"), 6);
    assert.equal(found.get("./"), program.includes("German") ? 3 : 9);
  });
}

test("plain lines: human sizes, tabs, sizes that are not known", async () => {
  const listing = await read("5 a/b\n3 c\n");
  assert.deepEqual([...sums(listing)].slice(0, 2), [
    ["./", 8],
    ["a/", 5],
  ]);
  const mixed = await read("1.5K\ta\n  2Ki b\n-1 c\n\n3   d\n");
  assert.deepEqual(
    [...sums(mixed)],
    [
      ["./", 1536 + 2048 + 3],
      ["a", 1536],
      ["b", 2048],
      ["c", 0],
      ["  d", 3],
    ],
  );
});

test("JSON however it is laid out, and our own lists", async () => {
  const files = [
    { Path: 'a/"q" {x}\\', Name: "x", Size: 5, IsDir: false },
    { Path: "a", Name: "a", Size: -1, IsDir: true },
    { Path: "c\n", Size: 3, IsDir: false, Metadata: { mode: "}" } },
    { Path: "unknown", Size: -1, IsDir: false },
  ];
  for (const text of [
    JSON.stringify(files),
    JSON.stringify(files, undefined, 2),
    files.map((file) => `${JSON.stringify(file)}\n`).join(""),
    `[\n${files.map((file) => JSON.stringify(file)).join(",\n")}\n]\n`,
  ]) {
    for (const pieces of [1, 10, 65_536]) {
      const listing = await read(text, { pieces });
      assert.equal(listing.format, "lsjson");
      assert.deepEqual(
        [...sums(listing)],
        [
          ["./", 8],
          ["a/", 5],
          ['a/"q" {x}\\', 5],
          ["c\n", 3],
          ["unknown", 0],
        ],
      );
    }
  }
  const own = await read('{"path":"d/\uFFFD","path_base64":"ZC//","size":4}\n');
  assert.equal(String(own.tree.path(2)), "d/\xff");
});

test("what can't be read is counted, and the first is told", async () => {
  const plain = await read("5 a\nhello\n\n7\n3 b\n");
  assert.deepEqual(plain.unread, { count: 2, first: 2, text: "hello" });
  assert.equal(plain.tree.bytes(0, "current"), 8);
  const json = await read('[{"Path":"a","Size":1},{"Path":3},{"Size"', { format: "lsjson" });
  assert.deepEqual(json.unread, { count: 2, first: 2, text: '{"Path":3}' });
  const tar = await read(
    "-rw-r--r-- a/b x 2024-01-01 00:00 a\n-rw-r--r-- a/b 5 2024-01-01 00:00 a\n",
    {
      format: "tar",
    },
  );
  assert.equal(tar.unread.first, 1);
  assert.equal(tar.tree.bytes(0, "current"), 5);
});

test("ls: what stands where no name can be is told, and the files behind it are counted", async () => {
  const first = "-rw-r--r-- 1 me me 5 Nov 21 06:47 a\n";
  const second = "-rw-r--r-- 1 me me 3 Nov 21 06:47 b\n";
  const stray = "ls: cannot access 'x': No such file or directory\n";
  const afterTotal = await read(`total 8\n${stray}${first}${second}\n./sub:\ntotal 4\n${first}`);
  assert.deepEqual([afterTotal.unread.count, afterTotal.unread.first], [1, 2]);
  const sizes = { "./": 13, a: 5, b: 3, "sub/": 5, "sub/a": 5 };
  assert.deepEqual(Object.fromEntries(sums(afterTotal)), sizes);
  const joined = await read(`./sub:\ntotal 4\n${first}\ntotal 4\n${second}`);
  assert.deepEqual([joined.unread.count, sums(joined).get("b")], [0, 3]);
  const headless = await read(`${first}\n${stray}${stray}\n./sub:\ntotal 4\n${second}`);
  assert.deepEqual(
    [headless.unread.count, headless.unread.first, sums(headless).get("./")],
    [2, 3, 8],
  );
});

async function failure(work: Promise<unknown>): Promise<Failure> {
  const error: unknown = await work.then(() => undefined).catch((reason: unknown) => reason);
  assert.ok(error instanceof Failure, String(error));
  assert.equal(error.outcome, "failed");
  return error;
}

test("what is no listing is refused, and an empty one is empty", async () => {
  const unknown = await failure(read("hello\nworld\n"));
  assert.match(unknown.message, /expected ls -lR, tar tv, .*, found "hello"/);
  assert.equal((await read("")).tree.bytes(0, "current"), 0);
  assert.equal(detectFormat(Buffer.from("\n\n5 a\n")), "plain");
  const long = await failure(read(`5 a\n${"x".repeat(3_000_000)}`));
  assert.match(long.message, /found one of more than 1 MiB/);
});

test("a format that is forced wins", async () => {
  const text = '5 {"Path":"a"}\n';
  assert.equal((await read(text)).format, "plain");
  assert.equal((await read(text, { format: "lsjson" })).unread.count, 1);
});
