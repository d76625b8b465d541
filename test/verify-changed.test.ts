import assert from "node:assert/strict";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { stateJson } from "./helpers/nightly.ts";
import { eitherRclone, rclones } from "./helpers/rclones.ts";
import { makeBacked, paths, writeOld } from "./helpers/verification.ts";

const files = { changed: "one", gone: "two", kept: "three", "sub/kept": "four" };
const edit = 'printf edited >"$SOURCE/kept"\n';

for (const rclone of rclones) {
  test(`without a manifest the destination's times tell a change (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await rm(backed.state, { recursive: true });
    await writeFile(path.join(backed.source, "changed"), "other");
    await rm(path.join(backed.source, "gone"));
    const { code, doc, stderr } = await backed.verify(["all"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(paths(doc.changed), ["changed"]);

    // Whether a file is new or was lost nobody can tell now: the worse is assumed.
    await writeFile(path.join(backed.source, "created"), "new");
    const unsure = await backed.verify(["all"]);
    assert.equal(unsure.code, 4);
    assert.deepEqual(paths(unsure.doc.differences), ["created"]);
  });

  test(`a file that vanishes during the verification is changed (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    const listed = path.join(backed.root, "listed");
    await backed.double(`case $1 in
  lsf) "$REAL" "$@" && touch '${listed}'; exit ;;
  check) until [ -e '${listed}' ]; do sleep 0.05; done; rm -f '${backed.source}/kept' ;;
esac
exec "$REAL" "$@"
`);
    for (const condition of ["all", "files=4"]) {
      await rm(listed, { force: true });
      await writeOld(path.join(backed.source, "kept"), "three");
      const { code, doc, stderr } = await backed.verify([condition]);
      assert.equal(code, 0, stderr);
      assert.deepEqual(paths(doc.changed), ["kept"]);
    }
  });

  test(`an rclone that can't compare at all is told with its words (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.double(`if [ "$1" = check ]; then
  echo 'Failed to check: the network is down' >&2
  exit 1
fi
exec "$REAL" "$@"
`);
    const { code, stderr } = await backed.backup(["--verify", "all", "b"]);
    assert.equal(code, 1);
    assert.match(stderr, /exit code 1: Failed to check: the network is down/);
  });

  test(`an unreadable directory is told and the rest verified (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    const locked = path.join(backed.source, "sub");
    await chmod(locked, 0o000);
    const { code, doc, stderr } = await backed.verify(["all"], { unprivileged: true });
    assert.equal(code, 3, stderr);
    assert.equal(doc.verified.files, 3);
    assert.deepEqual(
      doc.errors.map(({ path: name, problem }) => [name, problem]),
      [["sub", "error"]],
    );
    assert.match(stderr, /^ {2}sub: could not be compared \(.*permission denied/m);
    assert.doesNotMatch(JSON.stringify(stateJson(backed, "coverage.json")), /complete/);
  });

  test(`an unreadable file is told and the rest verified (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await chmod(path.join(backed.source, "kept"), 0o000);
    const { code, doc } = await backed.verify(["all"], { unprivileged: true });
    assert.equal(code, 3);
    assert.deepEqual(paths(doc.errors), ["kept"]);
    assert.equal(doc.verified.files, 3);
  });

  // What follows is decided here, whatever the version of rclone is.
  if (!eitherRclone(import.meta.url).includes(rclone)) continue;

  test(`what changed since the backup is not called damaged (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await writeFile(path.join(backed.source, "changed"), "other");
    await writeFile(path.join(backed.source, "created"), "new");
    await rm(path.join(backed.source, "gone"));
    const { code, doc, stderr } = await backed.verify(["all"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(paths(doc.changed), ["changed", "created"]);
    assert.deepEqual([doc.differences, doc.errors], [[], []]);
    assert.equal(doc.verified.files, 2);
    const { stdout } = await backed.backup(["--verify", "all", "b"]);
    assert.match(stdout, /^2 changed since the last backup and could not be compared$/m);
  });

  test(`a filter that was dropped since does not make files missing (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files, more: "[filters]\n- /sub/**\n" });
    await backed.writeConfig(
      "b",
      `[default]\nsource = ${backed.source}\ndestination = secret:data\n`,
    );
    const { code, doc, stderr } = await backed.verify(["all"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(paths(doc.changed), ["sub/kept"]);
  });

  test(`a file that changes during the verification is changed (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.double(
      `SOURCE='${backed.source}'\n[ "$1" != check ] || ${edit}exec "$REAL" "$@"\n`,
    );
    const { code, doc, stderr } = await backed.verify(["all"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(paths(doc.changed), ["kept"]);
    assert.equal(doc.verified.files, 3);
  });

  test(`a file that rclone says nothing of is an error, though it ends well (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await backed.double(`for arg; do
  case $last in --combined) answers=$arg;; esac
  last=$arg
done
"$REAL" "$@" || exit
[ -z "$answers" ] || sed -i '/^= kept$/d' "$answers"
exit 0
`);
    const { code, doc, stderr } = await backed.verify(["all"]);
    assert.equal(code, 3);
    assert.deepEqual(
      doc.errors.map(({ path: name, problem }) => [name, problem]),
      [["kept", "unanswered"]],
    );
    assert.match(stderr, /^ {2}kept: could not be compared, rclone gave no answer$/m);
    assert.deepEqual(doc.differences, [], "no answer proves nothing wrong");
    assert.equal(doc.verified.files, 3);
    await backed.double('[ "$1" = check ] || exec "$REAL" "$@"\n');
    const silent = await backed.verify(["all"]);
    assert.equal(silent.code, 3);
    assert.equal(silent.doc.errors.length, 4);
  });

  test(`a missing source is a failure, not a verification (${rclone.version} rclone)`, async (t) => {
    const backed = await makeBacked(t, { rclone, files });
    await rm(backed.source, { recursive: true });
    const gone = await backed.backup(["--verify", "all", "b"]);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /source: expected a directory/);
    await mkdir(backed.source);
    const empty = await backed.verify(["all"]);
    assert.deepEqual(empty.doc.verified, { files: 0, bytes: 0 });
  });
}
