// scripts/setup.sh on made-up machines: a PATH with little but what a test puts there.
import assert from "node:assert/strict";
import { rm, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { run } from "./helpers/command.ts";
import { makeMachine, pick } from "./helpers/machine.ts";

/** A package manager that puts every spare program on PATH. */
function manager(name: string): string {
  return `echo "${name} $*" >>"$CALLS"
case "$*" in *update*) ;; *) cp "$SPARE"/* "\${PATH%%:*}" ;; esac`;
}

test("nothing is missing: nothing is said, called or asked", async (t) => {
  const machine = await makeMachine(t);
  await machine.program("apt-get", 'echo "apt-get $*" >>"$CALLS"; exit 100');
  assert.deepEqual(pick(await machine.setup([])), { code: 0, stdout: "", stderr: "" });
  assert.deepEqual(await machine.calls(), []);
});

const expected: Readonly<Record<string, readonly string[]>> = {
  "apt-get": [
    "apt-get -q update",
    "apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends rclone tar util-linux",
  ],
  dnf: ["dnf install -y rclone tar util-linux"],
  zypper: ["zypper --non-interactive install rclone tar util-linux"],
  pacman: ["pacman -Sy --needed --noconfirm rclone tar util-linux"],
  apk: ["apk add --no-cache rclone tar flock setpriv"],
};

for (const [name, calls] of Object.entries(expected)) {
  test(`${name} installs what is missing`, async (t) => {
    const machine = await makeMachine(t, ["rclone", "tar", "flock", "setpriv"]);
    await machine.program("id", "echo 0");
    await machine.program(name, manager(name));
    const result = await machine.setup(["--yes"]);
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(await machine.calls(), calls);
    assert.match(result.stderr, /missing: rclone, tar, flock, setpriv\n/);
    assert.match(result.stderr, /will run: /);
  });
}

test("brew installs without sudo, and setpriv is asked of Linux only", async (t) => {
  const machine = await makeMachine(t, ["rclone", "tar", "flock", "setpriv"]);
  await machine.program("uname", "echo Darwin");
  await machine.program("id", "echo 501");
  await machine.program("sudo", "exit 1");
  await machine.program("brew", manager("brew"));
  const result = await machine.setup(["--yes"]);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(await machine.calls(), ["brew install rclone gnu-tar flock"]);
});

test("busybox's small flock and tar don't count", async (t) => {
  const machine = await makeMachine(t);
  for (const name of ["tar", "flock", "setpriv"]) {
    await machine.program(name, `echo "BusyBox v1.36.1"; exit 1`);
  }
  const result = await machine.setup([]);
  assert.equal(result.code, 2);
  assert.match(result.stderr, /missing: tar, flock, setpriv\n/);
});

test("who isn't root gets sudo, or is told what to type", async (t) => {
  const machine = await makeMachine(t, ["rclone"]);
  await machine.program("id", "echo 1000");
  await machine.program("dnf", manager("dnf"));
  const told = await machine.setup(["--yes"]);
  assert.equal(told.code, 2);
  assert.match(told.stderr, /type this as root.*\n.*dnf install -y rclone\n/);
  assert.deepEqual(await machine.calls(), []);
  await machine.program("sudo", 'echo "sudo $1" >>"$CALLS"; shift; "$@"');
  const done = await machine.setup(["--yes"]);
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(await machine.calls(), ["sudo -n", "dnf install -y rclone"]);
});

test("without a terminal and without --yes it stops and says what it would do", async (t) => {
  const machine = await makeMachine(t, ["rclone"]);
  await machine.program("id", "echo 0");
  await machine.program("apt-get", manager("apt-get"));
  const result = await machine.setup([]);
  assert.equal(result.code, 2);
  assert.match(result.stderr, /missing: rclone\n/);
  assert.match(result.stderr, /apt-get install -y --no-install-recommends rclone\n/);
  assert.match(result.stderr, /no terminal.*--yes/);
  assert.deepEqual(await machine.calls(), []);
});

for (const answer of ["n", "y"]) {
  test(`on a terminal it asks, and the answer ${answer} counts`, async (t) => {
    const machine = await makeMachine(t, ["rclone"]);
    await machine.program("id", "echo 0");
    await machine.program("dnf", manager("dnf"));
    const command = `sh ${path.join(machine.root, "checkout/scripts/setup.sh")}`;
    const script = (await run("sh", ["-c", "command -v script"])).stdout.trim();
    const result = await run(script, ["-qec", command, "/dev/null"], {
      env: { ...machine.env, SHELL: "/bin/sh" },
      input: `${answer}\n`,
    });
    assert.match(result.stdout, /go on\? \[y\/N\]/);
    assert.equal(result.code, answer === "y" ? 0 : 2, result.stdout);
    assert.deepEqual(await machine.calls(), answer === "y" ? ["dnf install -y rclone"] : []);
  });
}

test("an installation that fails, or that doesn't bring the program, is a failure", async (t) => {
  const machine = await makeMachine(t, ["rclone"]);
  await machine.program("id", "echo 0");
  await machine.program("dnf", "exit 1");
  const failed = await machine.setup(["--yes"]);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /installation failed.*rclone/);
  await machine.program("dnf", "exit 0");
  const useless = await machine.setup(["--yes"]);
  assert.equal(useless.code, 1);
  assert.match(useless.stderr, /still not found: rclone/);
});

test("without a known package manager it names what is missing", async (t) => {
  const machine = await makeMachine(t, ["rclone", "tar"]);
  const result = await machine.setup(["--yes"]);
  assert.equal(result.code, 2);
  assert.match(result.stderr, /none of apt, dnf, zypper, pacman, apk and brew.*\n.*rclone tar/);
});

test("npm packages come when they are missing or older than package-lock.json", async (t) => {
  const machine = await makeMachine(t);
  const installed = path.join(machine.root, "checkout/node_modules/.package-lock.json");
  await utimes(installed, 1, 1);
  assert.equal((await machine.setup([])).code, 2);
  assert.equal((await machine.setup(["--yes"])).code, 0);
  await rm(path.join(machine.root, "checkout/node_modules"), { recursive: true });
  assert.equal((await machine.setup(["--yes"])).code, 0);
  const call = "npm ci --include=dev --no-audit --no-fund --loglevel=error";
  assert.deepEqual(await machine.calls(), [call, call]);
});

test("Node that is missing or too old is told before anything else", async (t) => {
  const machine = await makeMachine(t, ["rclone"]);
  const bin = machine.env["PATH"] ?? "";
  await rm(path.join(bin, "node"));
  const without = await machine.setup(["--yes"]);
  assert.equal(without.code, 2);
  assert.match(without.stderr, /Node\.js 20\.19 or newer is needed, none was found/);
  for (const [version, code] of [
    ["18.20.4", 2],
    ["20.18.3", 2],
    ["20.19.0", 0],
    ["24.0.0", 0],
  ] as const) {
    // The real one, told another version.
    await machine.program("node", `exec ${process.execPath} --require "$HOME/version.cjs" "$@"`);
    await writeFile(
      path.join(machine.root, "home/version.cjs"),
      `Object.defineProperty(process.versions, "node", { value: "${version}" });`,
    );
    const result = await machine.setup(["--yes"], { PATH: `${bin}:${machine.root}/spare` });
    assert.equal(result.code, code, `${version}: ${result.stderr}`);
    if (code === 2)
      assert.match(result.stderr, new RegExp(`20.19 or newer is needed, found ${version}`));
  }
});

test("an unknown option is wrong usage", async (t) => {
  const machine = await makeMachine(t);
  const result = await machine.setup(["--ja"]);
  assert.equal(result.code, 2);
  assert.match(result.stderr, /found --ja/);
});
