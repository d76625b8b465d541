// scripts/setup.sh --tests on made-up machines: the database servers that tests need.
import assert from "node:assert/strict";
import { mkdir, readFile, readdir, readlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { run } from "./helpers/command.ts";
import { makeMachine, namedServers, pick, type Machine } from "./helpers/machine.ts";
import { newRclone } from "./helpers/rclones.ts";

const namedTools = Object.fromEntries(
  "SSHD CHROMIUM SYSTEMD_ANALYZE ZSH FISH GROFF MOTO B2 HADOLINT ANSIBLE VERSITYGW"
    .split(" ")
    .map((name) => [`RCLONE_BACKUPS_TEST_${name}`, "/bin/sh"]),
);

/** A machine on which all but the database servers is there, and what its set-up is called with. */
async function machineWithoutServers(
  t: TestContext,
): Promise<{ machine: Machine; env: Record<string, string>; cache: string }> {
  const machine = await makeMachine(t);
  const chmod = (await run("sh", ["-c", "command -v chmod"])).stdout.trim();
  await machine.program("chmod", `exec ${chmod} "$@"`);
  // Blind for what this machine has outside of PATH.
  const file = path.join(machine.root, "checkout/scripts/lib/testservers.sh");
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replaceAll(/ \/usr\/(sbin|libexec|lib\/postgresql)\/[^ ;]+/g, ""));
  const cache = path.join(machine.root, "the cache");
  const env = {
    ...namedTools,
    RCLONE_BACKUPS_TEST_CACHE: cache,
    RCLONE_OLD: newRclone.path,
    RCLONE_NEW: newRclone.path,
  };
  return { machine, env, cache };
}

/**
 * An apt that downloads what it is asked for, a dpkg that unpacks a loader and what the packages of that name
 * hold, and a Go that builds one program. The loader says what it was called with.
 */
async function addSources(machine: Machine): Promise<void> {
  await machine.program(
    "apt-get",
    `conf=$3; shift 3
case $1 in
update) [ -z "\${BROKEN:-}" ] || { echo "E: no network"; exit 100; } ;;
-y)
  shift 3
  echo "apt-get install $*" >>"$CALLS"
  sed -n 's/^deb .* \\(http[^ ]* .*\\)/\\1/p' "$(sed -n 's/^Dir::Etc::sourcelist "\\(.*\\)";/\\1/p' "$conf")" 2>/dev/null >>"$CALLS"
  [ -z "\${BROKEN:-}" ] || exit 100
  archives=$(sed -n 's/^Dir::Cache::archives "\\(.*\\)";/\\1/p' "$conf")
  for package; do echo "$package" >"$archives/$package.deb"; done ;;
esac`,
  );
  await machine.program(
    "dpkg",
    `[ "$1" = -x ] || exit 1
root=$3
program() { mkdir -p "$root/\${1%/*}"; printf '\\177ELF' >"$root/$1"; chmod 755 "$root/$1"; }
mkdir -p "$root/lib/x86_64-linux-gnu" "$root/etc" "$root/usr/share/doc"
printf '#!/bin/sh\\nprintf "%%s|" "$@"' >"$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
chmod 755 "$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
program usr/bin/perl
case $(cat "$2") in
mariadb-server-core) program usr/sbin/mariadbd ;;
mariadb-client) program usr/bin/mariadb-dump; ln -s mariadb-dump "$root/usr/bin/mysqldump" ;;
postgresql) program usr/lib/postgresql/15/bin/postgres ;;
postgresql-18) program usr/lib/postgresql/18/bin/postgres ;;
postgresql-18-documentdb)
  mkdir -p "$root/usr/share/postgresql/18/extension"
  : >"$root/usr/share/postgresql/18/extension/postgis-3.control" ;;
mysql-server-core) program usr/sbin/mysqld ;;
esac`,
  );
  await machine.program(
    "go",
    `case $1 in
version) echo "go version go1.26.8 linux/amd64" ;;
build) echo "go $* in \${PWD##*/}" | sed "s, /.*/tmp[^ ]*, OUT," >>"$CALLS"; while [ "$1" != -o ]; do shift; done; cp "$0" "$2" ;;
esac`,
  );
  await mkdir(path.join(machine.root, "checkout/test/ferretdb"), { recursive: true });
}

test("the tests' servers: what is missing is fetched into the cache, once, and runs from there", async (t) => {
  const { machine, env, cache } = await machineWithoutServers(t);
  await addSources(machine);
  const done = await machine.setup(["--tests"], env);
  assert.equal(done.code, 0, done.stderr);
  const calls = (await machine.calls()).toSorted();
  assert.deepEqual(
    calls.map((call) => call.replace(/^http\S+/, "MIRROR")),
    [
      "apt-get install mariadb-server-core mariadb-client mariadb-backup",
      "apt-get install mysql-server-core mysql-client-core postgresql-18 postgresql-18-documentdb",
      "apt-get install postgresql",
      "go build -trimpath -o OUT . in ferretdb",
      "MIRROR sid main",
    ],
  );
  const links = ["ferretdb", "mariadbd", "mysqld", "postgres-new", "postgres-old"];
  const kept = await readdir(cache);
  assert.deepEqual(
    kept.filter((name) => links.includes(name)),
    links,
  );
  assert.ok(kept.every((name) => !name.startsWith("tmp")));
  // A program is started by the loader of its own packages, under its own name.
  const root = path.join(
    cache,
    path.dirname(await readlink(path.join(cache, "mariadbd"))),
    "../..",
  );
  assert.equal(
    (await run(path.join(root, "usr/sbin/mariadbd"), ["--an option"])).stdout,
    `--library-path|${root}/lib/x86_64-linux-gnu|--argv0|${root}/usr/sbin/mariadbd|${root}/usr/sbin/.real/mariadbd|--an option|`,
  );
  // Nothing stays that a PATH should not have, or that nothing here needs.
  assert.deepEqual((await readdir(path.join(root, "usr/bin"))).toSorted(), [
    ".real",
    "mariadb-dump",
    "mysqldump",
  ]);
  assert.deepEqual((await readdir(root)).toSorted(), ["lib", "usr"]);
  const control = "mysql-postgresql18-1/usr/share/postgresql/18/extension/postgis.control";
  assert.equal(await readlink(path.join(cache, control)), "postgis-3.control");
  // The second time nothing is done, nor where the cache is not asked.
  assert.deepEqual(pick(await machine.setup(["--tests"], env)), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  const named = { ...env, ...namedServers, RCLONE_BACKUPS_TEST_CACHE: "/nonexistent" };
  assert.deepEqual(pick(await machine.setup(["--tests"], named)), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  assert.equal((await machine.calls()).length, 5);
});

test("the tests' servers: what can't be fetched is told, and how to name another one", async (t) => {
  const { machine, env } = await machineWithoutServers(t);
  await addSources(machine);
  const { RCLONE_BACKUPS_TEST_MARIADB: _, ...named } = namedServers;
  const broken = await machine.setup(["--tests"], { ...env, ...named, BROKEN: "1" });
  assert.equal(broken.code, 1, broken.stderr);
  assert.match(
    broken.stderr,
    /E: no network\n[^]*MariaDB could not be fetched.*\n.*RCLONE_BACKUPS_TEST_MARIADB=/,
  );
});

test("the tests' servers: those on the PATH are used, if they are what is meant and complete", async (t) => {
  const { machine, env } = await machineWithoutServers(t);
  await addSources(machine);
  const only = { ...env, RCLONE_BACKUPS_TEST_POSTGRES_NEW: "/bin/sh", BROKEN: "1" };
  const add = async (names: string): Promise<void> => {
    for (const name of names.split(" ")) await machine.program(name, "echo Ver 9.7.4 for Linux");
  };
  await add("mariadbd mariadb mariadb-dump mariadb-install-db mysqld mysql mysqldump");
  await add("postgres initdb psql pg_dump pg_dumpall mongod");
  const half = await machine.setup(["--tests"], only);
  assert.match(half.stderr, /into .*: mariadb \(/);
  await add("mariadb-backup");
  assert.deepEqual(pick(await machine.setup(["--tests"], only)), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  // MariaDB's server is called mysqld, too.
  await machine.program("mysqld", "echo mysqld Ver 10.11.19-MariaDB for debian-linux-gnu");
  assert.match((await machine.setup(["--tests"], only)).stderr, /into .*: current \(/);
});
