import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { run } from "./command.ts";
import { freePort, startServer, type Scope } from "./s3server.ts";
import { tool } from "./tools.ts";

/** A real sshd that serves sftp to the user who runs the tests. */
export interface Sshd {
  /** Options of an rclone sftp remote that reaches it; paths are those of this machine. */
  readonly options: ReadonlyMap<string, string>;
}

/** Starts an sshd on this machine until the scope ends; nothing of the system's ssh is used or changed. */
export async function startSshd(scope: Scope): Promise<Sshd> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-sshd-"));
  scope.after(() => rm(root, { recursive: true, force: true }));
  await chmod(root, 0o700);
  const at = (name: string): string => path.join(root, name);
  for (const name of ["host", "user"]) {
    const made = await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)]);
    if (made.code !== 0) throw new Error(`ssh-keygen: ${made.stderr}`);
  }
  await writeFile(at("authorized_keys"), await readFile(at("user.pub")), { mode: 0o600 });
  const port = await freePort();
  const { username } = userInfo();
  await writeFile(
    at("sshd_config"),
    [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${at("host")}`,
      `AuthorizedKeysFile ${at("authorized_keys")}`,
      `PidFile ${at("pid")}`,
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin prohibit-password",
      "StrictModes no",
      "UsePAM no",
      "Subsystem sftp internal-sftp",
      "",
    ].join("\n"),
  );
  // Where it locks itself in; the package's service makes it at its start.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  await startServer(
    scope,
    tool("sshd"),
    ["-D", "-e", "-f", at("sshd_config")],
    {},
    /Server listening on 127\.0\.0\.1 port/,
  );
  const [type = "", key = ""] = (await readFile(at("host.pub"), "utf8")).split(" ");
  await writeFile(at("known_hosts"), `[127.0.0.1]:${port} ${type} ${key}\n`);
  return {
    options: new Map([
      ["type", "sftp"],
      ["host", "127.0.0.1"],
      ["port", String(port)],
      ["user", username],
      ["key_file", at("user")],
      ["known_hosts_file", at("known_hosts")],
    ]),
  };
}
