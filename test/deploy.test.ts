import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { compiled, run, type Result } from "./helpers/command.ts";
import { makeReceivingMachine, type Account } from "./helpers/receiver.ts";
import { blocksOf } from "./helpers/pages.ts";
import { eitherRclone } from "./helpers/rclones.ts";
import { makeSandbox } from "./helpers/sandbox.ts";

/* deploy/receiver.yml, run by Ansible on a machine whose accounts and sshd are real. */

const [rclone] = eitherRclone(import.meta.url);

/** `changed=2` and so on of the last lines. */
function counted(result: Result, what: string): number {
  const [, count] = new RegExp(`\\b${what}=(\\d+)`).exec(result.stdout) ?? [];
  return Number(count);
}

test(
  "a receiving machine holds each host to its own backups",
  { skip: process.getuid?.() !== 0 && "only root can make accounts" },
  async (t) => {
    const sandbox = await makeSandbox(t, rclone);
    const { root, source, config } = sandbox;
    const machine = await makeReceivingMachine(t, sandbox);
    const keyOf = async (name: string): Promise<string> => {
      const file = path.join(root, `${name}.key`);
      assert.equal(
        (await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file])).code,
        0,
      );
      return (await readFile(`${file}.pub`, "utf8")).trim();
    };
    const web: Account = {
      name: "rb-test-web",
      keys: [await keyOf("web")],
      from: "127.0.0.1",
      source,
    };
    const box: Account = { name: "rb-test-box", keys: [await keyOf("box")], access: "rsync" };
    const accounts = [web, box];

    await t.test("the playbook makes it, and changes nothing the second time", async () => {
      const first = await machine.play(accounts);
      assert.equal(first.code, 0, first.stdout + first.stderr);
      assert.ok(counted(first, "changed") > 5, first.stdout);
      const second = await machine.play(accounts);
      assert.equal(second.code, 0, second.stdout + second.stderr);
      assert.equal(counted(second, "changed"), 0, second.stdout);
      assert.equal(await readFile(path.join(root, "reloads"), "utf8"), "reloaded\n");
      const modes = await machine.inside(
        "stat",
        "-c",
        "%U %a",
        ...["", "/data"].map((sub) => `/srv/backups/${web.name}${sub}`),
      );
      assert.equal(modes.stdout, `root 750\n${web.name} 700\n`);
      // This machine itself has no such account.
      assert.equal((await run("getent", ["passwd", web.name])).code, 2);
    });
    await machine.startSshd();

    await t.test(
      "a host backs up with the configuration that was written for it, and restores",
      async () => {
        const { name } = web;
        await mkdir(path.join(source, "sub"));
        await writeFile(path.join(source, "a"), "content of a");
        await writeFile(path.join(source, "sub/b"), "content of b");
        await cp(path.join(machine.push, name), config, { recursive: true });
        await cp(path.join(root, "web.key"), path.join(config, `${name}.key`));
        const remotes = path.join(config, `${name}.rclone`);
        for (const file of [remotes, path.join(config, `${name}.conf`)]) {
          const text = await readFile(file, "utf8");
          await writeFile(file, text.replaceAll("/etc/rclone-backups/", `${config}/`));
        }
        // What docs/receiving.md says to type, but for the places.
        await writeFile(
          path.join(sandbox.bin, "rclone-backup"),
          `#!/bin/sh\nexec '${process.execPath}' '${compiled("rclone-backup")}' "$@"\n`,
          { mode: 0o755 },
        );
        const typed = blocksOf("docs/receiving.md").find(({ text }) => text.includes("obscure"));
        const script = typed?.text
          .replace("/etc/rclone-backups", config)
          .replaceAll("backup-web", name);
        const backup = await run("sh", ["-ec", script ?? "exit 9"], { env: sandbox.env });
        assert.equal(backup.code, 0, backup.stderr);
        assert.match(backup.stderr, /success: 2 files/);
        await writeFile(path.join(source, "a"), "changed");
        assert.equal((await sandbox.backup([name])).code, 0);
        const verified = await sandbox.backup(["--verify", "all", name]);
        assert.equal(verified.code, 0, verified.stderr);
        const target = path.join(root, "restored");
        const restored = await run(process.execPath, [compiled("restore"), name, "--to", target], {
          env: sandbox.env,
        });
        assert.equal(restored.code, 0, restored.stderr);
        assert.equal((await run("diff", ["-r", source, target])).code, 0);
        const stored = await machine.inside("ls", "-A", `/srv/backups/${name}/data`);
        assert.equal(
          stored.stdout.trim().split("\n").length,
          2,
          "the files, and old versions beside them",
        );
      },
    );

    const ssh = async (
      key: string,
      { name }: Account,
      ...args: readonly string[]
    ): Promise<Result> =>
      run("ssh", [
        ...["-F", "/dev/null", "-i", path.join(root, `${key}.key`), "-p", String(machine.port)],
        ...["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"],
        ...[
          "-o",
          `UserKnownHostsFile=${path.join(machine.push, web.name, `${web.name}.known_hosts`)}`,
        ],
        ...["-o", "StrictHostKeyChecking=yes"],
        ...args.slice(0, -1),
        `${name}@127.0.0.1`,
        ...args.slice(-1).filter((last) => last !== ""),
      ]);

    await t.test("its key gets no shell, no command, no forwarding", async () => {
      for (const args of [["id"], ["-tt", "id"], ["-tt", ""]]) {
        const result = await ssh("web", web, ...args);
        assert.notEqual(result.code, 0);
        assert.doesNotMatch(result.stdout, /uid=/);
        assert.match(
          result.stdout + result.stderr,
          /This service allows sftp connections only|PTY allocation request failed/,
        );
      }
      const forwarded = await ssh("web", web, "-W", `127.0.0.1:${machine.port}`, "");
      assert.notEqual(forwarded.code, 0);
      assert.match(forwarded.stderr, /administratively prohibited|forwarding failed/);
      assert.doesNotMatch(forwarded.stdout, /SSH-2\.0/);
      const back = await ssh(
        "web",
        web,
        "-o",
        "ExitOnForwardFailure=yes",
        "-N",
        "-R",
        "0:127.0.0.1:1",
        "",
      );
      assert.notEqual(back.code, 0);
      assert.match(back.stderr, /remote port forwarding failed/);
    });

    await t.test("nothing but its own directory can be reached or written to", async () => {
      const remote = `${web.name}-sftp:`;
      const conf = ["--config", path.join(config, `${web.name}.rclone`)];
      const rcloneThere = async (...args: readonly string[]): Promise<Result> =>
        sandbox.runRclone([...conf, ...args, "--retries", "1", "--low-level-retries", "1"]);
      const top = await rcloneThere("lsf", `${remote}/`);
      assert.equal(top.stdout, "data/\n", top.stderr);
      await machine.inside("sh", "-c", `echo secret >/srv/backups/${box.name}/data/theirs`);
      for (const place of [
        "/etc/passwd",
        "../../../etc/passwd",
        `../${box.name}/data/theirs`,
        `/srv/backups/${box.name}/data/theirs`,
      ]) {
        const { code, stdout } = await rcloneThere("cat", `${remote}${place}`);
        assert.notEqual(code, 0, place);
        assert.equal(stdout, "", place);
      }
      const written = await rcloneThere("touch", `${remote}/file`);
      assert.notEqual(written.code, 0);
      assert.match(written.stderr, /permission denied/i);
    });

    await t.test("other keys are refused", async () => {
      for (const [key, account] of [
        ["box", web],
        ["web", box],
      ] as const) {
        const result = await ssh(key, account, "id");
        assert.equal(result.code, 255);
        assert.match(result.stderr, /Permission denied \(publickey\)/);
      }
    });

    await t.test("an account for rsync can run that alone", async () => {
      const asked = await ssh("box", box, "id; cat /etc/passwd");
      assert.equal(
        asked.stdout,
        `rrsync -wo /srv/backups/${box.name}/data: id; cat /etc/passwd\n`,
        asked.stderr,
      );
      assert.match(
        (await ssh("box", box, "-W", "127.0.0.1:1", "")).stderr,
        /administratively prohibited|forwarding failed/,
      );
      assert.deepEqual(await readdir(machine.push), [web.name]);
    });

    await t.test("who is no longer named is locked out, and the backups stay", async () => {
      const fewer = await machine.play([web]);
      assert.equal(fewer.code, 0, fewer.stdout + fewer.stderr);
      assert.match((await ssh("box", box, "id")).stderr, /Permission denied/);
      assert.equal(
        (await machine.inside("cat", `/srv/backups/${box.name}/data/theirs`)).stdout,
        "secret\n",
      );
    });

    await t.test("what can't be made safe is refused, and no key is let in", async () => {
      const taken = await machine.play([{ ...web, name: "root" }]);
      assert.equal(taken.code, 2, taken.stdout);
      assert.match(taken.stdout, /root is an account of this machine/);
      const snippet = "/etc/ssh/sshd_config.d/10-rclone-backups.conf";
      const before = await machine.inside("cat", snippet);
      await machine.inside("sed", "-i", "$ a Nonsense yes", "/etc/ssh/sshd_config");
      const broken = await machine.play(accounts);
      assert.equal(broken.code, 2, broken.stdout);
      assert.match(broken.stdout, /failed to validate/);
      assert.deepEqual((await machine.inside("cat", snippet)).stdout, before.stdout);
      await machine.inside(
        "sed",
        "-i",
        "-e",
        "/Nonsense/d",
        "-e",
        "/Include/d",
        "/etc/ssh/sshd_config",
      );
      const alone = await machine.play([web, box]);
      assert.equal(alone.code, 2, alone.stdout);
      assert.match(alone.stdout, /sshd would not hold rb-test-web to its directory/);
      const keys = await machine.inside("ls", "/etc/ssh/rclone-backups");
      assert.equal(keys.stdout, `${web.name}\n`);
    });
  },
);
