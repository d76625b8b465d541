import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { failureOf, makeConfigDir, minimal } from "./helpers/config-dir.ts";

test("extends: the child's keys win and its filters come first, along the chain", async (t) => {
  const { write, load, dir } = await makeConfigDir(t);
  const file = await write({
    "child.conf":
      "[default]\nextends = shared/mid.conf\ndestination = r:child\n[filters]\n- child\n[test-filters]\n- tc\n",
    "shared/mid.conf":
      "[default]\nextends = base\ndestination = r:mid\npre_command = \n[filters]\n- mid\n[rclone]\nconfig = rclone.conf\ntransfers = 2\n",
    "shared/base.conf":
      "[default]\nsource = /base\npre_command = base\npost_command = base\n[filters]\n- base\n[test-filters]\n- tb\n[rclone]\ntransfers = 9\n",
  });
  const { backup } = await load(file);
  assert.equal(backup.source, "/base");
  assert.equal(backup.destination, "r:child");
  assert.deepEqual(backup.filters, ["- child", "- mid", "- base"]);
  assert.deepEqual(backup.testFilters, ["- tc", "- tb"]);
  assert.equal(backup.hooks.pre, undefined);
  assert.equal(backup.hooks.post, "base");
  assert.equal(backup.rclone.transfers, 2);
  assert.equal(backup.rclone.config, path.join(dir, "shared/rclone.conf"));
});

test("extends: a name is looked for beside the file, then in the configuration directories", async (t) => {
  const { write, load, dir } = await makeConfigDir(t);
  await write({
    "common.conf": "[rclone]\ntransfers = 3\n",
    "sub/x.conf": `${minimal}extends = common.conf\n`,
  });
  const { backup } = await load(`${dir}/sub/x.conf`);
  assert.equal(backup.rclone.transfers, 3);
  await write({ "sub/common.conf": "[rclone]\ntransfers = 4\n" });
  assert.equal((await load(`${dir}/sub/x.conf`)).backup.rclone.transfers, 4);
  const other = await load(`${dir}/sub/x.conf`, { set: ["default.extends=../common.conf"] });
  assert.equal(other.backup.rclone.transfers, 3);
  const none = await load(`${dir}/sub/x.conf`, { set: ["default.extends="] });
  assert.equal(none.backup.rclone.transfers, undefined);
});

test("extends: a circle, a missing parent and a bad one are told with their place", async (t) => {
  const { write, load, dir, fail } = await makeConfigDir(t);
  const short = (text: string): string => text.replaceAll(dir, "DIR");
  await write({
    "a.conf": `${minimal}extends = b`,
    "b.conf": "[default]\nextends = ./c.conf",
    "c.conf": "[default]\nextends = ${NAME:-a}\n",
  });
  assert.equal(
    short((await failureOf(load("a"))).message),
    "DIR/c.conf:2:11: expected extends to come to an end, found a circle: DIR/a.conf → DIR/b.conf → DIR/c.conf → DIR/a.conf",
  );
  assert.match(
    (await fail(`${minimal}extends = x`)).message,
    /^DIR\/x\.conf:4:11: expected extends to come to an end/,
  );
  assert.equal(
    (await fail(`${minimal}extends = ./none.conf`)).message,
    "DIR/x.conf:4:11: expected a configuration to extend, found none at DIR/none.conf",
  );
  assert.equal(
    (await fail(`${minimal}extends = ./`)).message,
    'DIR/x.conf:4:11: can\'t extend "./": DIR: expected a configuration file, found a directory',
  );
  await write({ "bad.conf": "[guards]\nmax_delete = x\nmax = 3\n" });
  assert.match(
    (await fail(`${minimal}extends = bad`)).message,
    /^DIR\/bad\.conf:3:1: expected a key.*\nDIR\/bad\.conf:2:14: expected a limit/,
  );
});

test("interpolation: variables, defaults and escapes, but not in hooks and filters", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const file = await write({
    "x.conf": `[default]
source = \${ROOT}/a/\${EMPTY:-b}\${EMPTY}/\${NONE:-c d}/$\${ROOT}/$HOME ; x
destination = "\${QUOTED}"
post_command = echo \${NONE}
[filters]
- \${ROOT}
`,
  });
  const { backup } = await load(file, {
    env: { ROOT: "/r", EMPTY: "", QUOTED: 'a ; "b" ${ROOT}' },
  });
  assert.equal(backup.source, "/r/a/b/c d/${ROOT}/$HOME");
  assert.equal(backup.destination, 'a ; "b" ${ROOT}');
  assert.equal(backup.hooks.post, "echo ${NONE}");
  assert.deepEqual(backup.filters, ["- ${ROOT}"]);
});

test("interpolation: what is wrong is told with its place, only for values that hold", async (t) => {
  const { fail, write, load } = await makeConfigDir(t);
  const text = "[default]\nsource = /a/${ROOT}/${}\ndestination = r:${X\n";
  assert.deepEqual((await fail(text, { env: { ROOTS: "x" } })).message.split("\n"), [
    "DIR/x.conf:2:13: expected the environment variable ROOT to be set, found it unset (did you mean ROOTS?)",
    "DIR/x.conf:2:21: expected ${NAME} or ${NAME:-default}, found something else between the braces (write $${ for ${ itself)",
    "DIR/x.conf:3:17: expected a } after ${, found the end of the value (write $${ for ${ itself)",
  ]);
  await write({ "y.conf": `${minimal}extends = x\n` });
  assert.equal((await load("y")).backup.source, "/src");
});
