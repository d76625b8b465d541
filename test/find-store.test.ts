import assert from "node:assert/strict";
import { test } from "node:test";
import { findStore } from "../lib/stores/find.ts";
import { rawFromText, textFromRaw } from "../lib/units/rawpath.ts";
import { run } from "./helpers/command.ts";
import { rclones } from "./helpers/rclones.ts";
import { obscuredPassword } from "./helpers/sandbox.ts";

async function remotes(): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const password = obscuredPassword;
  const all = {
    cloud: { type: "b2", account: "id", key: "k" },
    below: { type: "alias", remote: "cloud:bucket/dir" },
    twice: { type: "alias", remote: "below:deeper/" },
    secret: { type: "crypt", remote: "twice:store", password },
    inner: { type: "crypt", remote: "secret:in", password, filename_encryption: "off" },
    sides: { type: "combine", upstreams: "left=secret:l right=below:r" },
    hashed: { type: "hasher", remote: "secret:h" },
    cut: { type: "chunker", remote: "cloud:bucket" },
    ring: { type: "alias", remote: "round:" },
    round: { type: "alias", remote: "ring:" },
    lost: { type: "crypt", password },
    disk: { type: "alias", remote: "/srv/backup" },
  };
  return new Map(
    Object.entries(all).map(([name, options]) => [name, new Map(Object.entries(options))]),
  );
}

async function found(location: string): Promise<ReturnType<typeof findStore>> {
  return findStore(location, { remotes: await remotes(), env: {} });
}

test("the store is found below aliases and paths", async () => {
  for (const [location, type, path] of [
    ["cloud:bucket/x", "b2", "bucket/x"],
    ["cloud:bucket//x/", "b2", "bucket/x"],
    ["below:", "b2", "bucket/dir"],
    ["twice:a/b", "b2", "bucket/dir/deeper/a/b"],
    ["sides:right/c", "b2", "bucket/dir/r/c"],
    ["disk:x", "local", "/srv/backup/x"],
    ["/srv/data/", "local", "/srv/data"],
    [":b2,account=id,key=k:bucket/x", "b2", "bucket/x"],
    ["cloud,hard_delete=true:bucket", "b2", "bucket"],
  ] as const) {
    const { type: foundType, path: foundPath, crypts } = await found(location);
    assert.deepEqual([foundType, textFromRaw(foundPath), crypts.length], [type, path, 0], location);
  }
});

test("through crypt the path is what rclone stores", async () => {
  const password = obscuredPassword;
  for (const rclone of rclones) {
    const env = {
      RCLONE_CONFIG_SECRET_TYPE: "crypt",
      RCLONE_CONFIG_SECRET_REMOTE: "/nonexistent",
      RCLONE_CONFIG_SECRET_PASSWORD: password,
      PATH: process.env["PATH"] ?? "",
      RCLONE_CONFIG: "/dev/null",
    };
    const encode = async (plain: string): Promise<string> => {
      const { stdout } = await run(rclone.path, ["cryptdecode", "--reverse", "secret:", plain], {
        env,
      });
      return stdout.trim().split("\t").at(-1)?.trim() ?? "";
    };
    const { path, names } = await found("secret:some where/data");
    const expected = await encode("some where/data");
    assert.equal(path, `bucket/dir/deeper/store/${expected}`);
    assert.equal(names.encode(rawFromText("a/b"), "file"), await encode("a/b"));
    for (const location of ["sides:left/some where", "hashed:some where"]) {
      const { path: other, crypts } = await found(location);
      const first = location.startsWith("sides") ? "l" : "h";
      assert.equal(other, `bucket/dir/deeper/store/${await encode(`${first}/some where`)}`);
      assert.equal(crypts.length, 1);
    }
  }
});

test("crypt over crypt: names go through both", async () => {
  const outer = await found("inner:x");
  const inner = await found("secret:in/x");
  assert.equal(outer.crypts.length, 2);
  assert.equal(outer.path, inner.path);
  const plain = rawFromText("a/file");
  const stored = outer.names.encode(plain, "file");
  assert.equal(stored, inner.names.encode(rawFromText("a/file.bin"), "file"));
  assert.deepEqual(outer.names.decode([stored]), [plain]);
});

test("what can't be seen through is named", async () => {
  for (const [location, pattern] of [
    ["cut:x", /remote cut: expected .* found chunker: it cuts files/],
    ["sides:", /remote sides: .* found combine: it is several stores/],
    ["ring:", /refer to each other in a circle/],
    ["lost:x", /remote lost: expected a remote below this crypt remote, found none/],
    ["nothing:x", /nothing/],
  ] as const)
    await assert.rejects(found(location), pattern, location);
});
