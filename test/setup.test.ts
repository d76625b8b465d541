import assert from "node:assert/strict";
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { projectRoot, run } from "./helpers/command.ts";
import type { Result } from "./helpers/command.ts";
import { newRclone } from "./helpers/rclones.ts";

// scripts/setup.sh on made-up machines: a PATH with little but what a test puts there.

interface Machine {
  readonly root: string;
  readonly env: Record<string, string>;
  readonly setup: (args: readonly string[], env?: Record<string, string>) => Promise<Result>;
  /** Adds a program: a shell script with this body. */
  readonly program: (name: string, body: string) => Promise<void>;
  /** What programs that change something were called with, a line each. */
  readonly calls: () => Promise<string[]>;
}

const ordinary =
  "sh cat cp dirname env find grep head id ln mkdir mktemp mv rm sed tail uname node".split(" ");

const programs: Readonly<Record<string, string>> = {
  rclone: "echo rclone v1.60.1",
  tar: "echo 'tar (GNU tar) 1.34'",
  flock: "echo 'flock from util-linux 2.38'",
  setpriv: "echo ' --pdeathsig keep'",
  npm: 'echo "npm $*" >>"$CALLS"',
};

async function makeMachine(t: TestContext, without: readonly string[] = []): Promise<Machine> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-setup-"));
  t.after(async () => rm(root, { recursive: true, force: true }));
  const at = (name: string): string => path.join(root, name);
  await cp(path.join(projectRoot, "scripts"), at("checkout/scripts"), { recursive: true });
  await writeFile(at("checkout/package-lock.json"), "{}");
  await mkdir(at("checkout/node_modules"));
  await writeFile(at("checkout/node_modules/.package-lock.json"), "{}");
  for (const folder of ["bin", "spare", "home"]) await mkdir(at(folder));
  for (const name of ordinary) {
    const real = await run("sh", ["-c", `command -v ${name}`]);
    await symlink(real.stdout.trim(), path.join(at("bin"), name));
  }
  const write = async (folder: string, name: string, body: string): Promise<void> => {
    const file = path.join(at(folder), name);
    await rm(file, { force: true });
    await writeFile(file, `#!${at("bin/sh")}\n${body}\n`);
    await chmod(file, 0o755);
  };
  for (const [name, body] of Object.entries(programs)) {
    await write(without.includes(name) ? "spare" : "bin", name, body);
  }
  const env = { PATH: at("bin"), HOME: at("home"), CALLS: at("calls"), SPARE: at("spare") };
  return {
    root,
    env,
    setup: async (args, more = {}) =>
      run("sh", [at("checkout/scripts/setup.sh"), ...args], { env: { ...env, ...more } }),
    program: async (name, body) => write("bin", name, body),
    calls: async () => {
      const text = await readFile(at("calls"), "utf8").catch(() => "");
      return text.split("\n").filter((line) => line !== "");
    },
  };
}

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

const toolVariables = ["SSHD", "CHROMIUM", "MOTO", "B2", "VERSITYGW"].map(
  (name) => `RCLONE_BACKUPS_TEST_${name}`,
);
/** Every tool of the tests but rclone, named. */
const namedTools = Object.fromEntries(toolVariables.map((name) => [name, "/bin/sh"]));

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
  for (const variable of toolVariables) {
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
  for name in moto_server b2; do cp "$0" "\${0%/*}/$name"; done ;;
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
  for (const name of ["sshd", "chromium"]) await machine.program(name, "exit 0");
  await addMakers(machine);
  const cache = path.join(machine.root, "the cache");
  const env = {
    RCLONE_BACKUPS_TEST_CACHE: cache,
    RCLONE_OLD: newRclone.path,
    RCLONE_NEW: newRclone.path,
  };
  const broken = await machine.setup(["--tests"], { ...env, BROKEN: "1" });
  assert.equal(broken.code, 1, broken.stderr);
  assert.match(
    broken.stderr,
    /no index\n.*moto and b2 could not be installed.*\n.*\n.*RCLONE_BACKUPS_TEST_MOTO=/,
  );
  const calls = (await machine.calls()).toSorted();
  assert.deepEqual(
    calls.map((call) => call.split(" ")[0]),
    ["go", "pip", "pip"],
  );
  assert.match(calls[1] ?? "", /moto\[server\]==5\.2\.\* b2==5\.0\.\*$/);
  assert.match(
    calls[0] ?? "",
    /^go install github\.com\/versity\/versitygw\/cmd\/versitygw@v1\.8\.0$/,
  );
  const done = await machine.setup(["--tests"], env);
  assert.equal(done.code, 0, done.stderr);
  assert.equal((await machine.calls()).length, 4);
  for (const name of ["moto_server", "b2", "versitygw"])
    assert.equal((await run(path.join(cache, name), [])).code, 0, name);
  assert.doesNotMatch((await run("ls", ["-A", cache])).stdout, /tmp/);
  // The second time nothing is fetched, and what was broken off is fetched anew.
  assert.deepEqual(pick(await machine.setup(["--tests"], env)), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  await rm(path.join(cache, "python-moto5.2-b25.0/complete"));
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
case "$*" in *openssh-server*) for name in sshd chromium python3 go; do cp "$0" "\${PATH%%:*}/$name"; done ;; esac`,
  );
  const env = {
    PATH: machine.env["PATH"] ?? "",
    RCLONE_OLD: newRclone.path,
    RCLONE_NEW: newRclone.path,
  };
  await machine.setup(["--tests", "--yes"], env);
  const calls = await machine.calls();
  const install = calls.find((call) => call.includes(" install ")) ?? "";
  assert.match(install, /openssh-server chromium python3-venv golang$/);
  const masked = calls.findIndex((call) => call.startsWith("systemctl mask ssh.service"));
  assert.ok(masked !== -1 && masked < calls.indexOf(install));
});

function pick({ code, stdout, stderr }: Result): Pick<Result, "code" | "stdout" | "stderr"> {
  return { code, stdout, stderr };
}
