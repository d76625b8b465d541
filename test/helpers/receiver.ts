import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { projectRoot, run, type Result } from "./command.ts";
import { freePort, startServer } from "./s3server.ts";
import type { Sandbox } from "./sandbox.ts";
import { tool } from "./tools.ts";

/**
 * A machine for the playbook to change: this one, seen from a mount namespace with an /etc, a /srv and a
 * /run of its own. Accounts that are made there exist nowhere else, and go with the test.
 */
export interface ReceivingMachine {
  readonly port: number;
  /** Runs a program there. */
  inside: (...argv: readonly string[]) => Promise<Result>;
  /** Runs the playbook with these accounts, on it as on a remote host. */
  play: (accounts: readonly Account[]) => Promise<Result>;
  /** Starts the real sshd there, with its configuration as it then is. */
  startSshd: () => Promise<void>;
  /** Where the playbook left the configuration for a sending host. */
  readonly push: string;
}

export interface Account {
  readonly name: string;
  readonly keys: readonly string[];
  readonly access?: "rsync";
  readonly from?: string;
  readonly source?: string;
}

/** Ends what follows in the namespace when the test does. */
const world = `
cp -a /etc "$ROOT/etc"
mount --bind "$ROOT/etc" /etc
mount -t tmpfs -o mode=755 srv /srv
mount -t tmpfs -o mode=755 run /run
mkdir -m 755 /run/sshd
rm -rf /etc/ssh
mkdir -p /etc/ssh/sshd_config.d
ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
cat >/etc/ssh/sshd_config
echo "made for the test"
exec sleep infinity`;

/** Makes the machine; needs root. */
export async function makeReceivingMachine(
  scope: { after(action: () => unknown): void },
  sandbox: Sandbox,
): Promise<ReceivingMachine> {
  const { root } = sandbox;
  const port = await freePort();
  const rrsync = path.join(root, "rrsync");
  await writeFile(rrsync, '#!/bin/sh\necho "rrsync $*: $SSH_ORIGINAL_COMMAND"\n');
  await chmod(rrsync, 0o755);
  const settings = [
    "Include /etc/ssh/sshd_config.d/*.conf",
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    "HostKey /etc/ssh/ssh_host_ed25519_key",
    `PidFile ${path.join(root, "sshd.pid")}`,
    "UsePAM no",
    "Subsystem sftp internal-sftp",
  ];
  const script = path.join(root, "world.sh");
  await writeFile(
    script,
    world.replace(
      "cat >/etc/ssh/sshd_config",
      `cat >/etc/ssh/sshd_config <<END\n${settings.join("\n")}\nEND`,
    ),
  );
  const pidFile = path.join(root, "world.pid");
  await startServer(
    scope,
    "unshare",
    ["-m", "sh", "-ec", `echo $$ >"$ROOT/world.pid"; . "${script}"`],
    { ROOT: root },
    /made for the test/,
  );
  const pid = (await readFile(pidFile, "utf8")).trim();
  const enter = ["-m", "-t", pid, "--"];
  const push = path.join(root, "push");
  const home = path.join(root, "ansible");
  await mkdir(home);
  const env = { HOME: home, ANSIBLE_PIPELINING: "1", LANG: "C.UTF-8" };
  return {
    port,
    push,
    inside: async (...argv) => run("nsenter", [...enter, ...argv], { env }),
    play: async (accounts) => {
      const inventory = path.join(root, "inventory.json");
      const host = {
        ansible_connection: "local",
        ansible_become: false,
        ansible_python_interpreter: "{{ ansible_playbook_python }}",
        receiver_accounts: accounts,
        receiver_push: push,
        receiver_address: "127.0.0.1",
        receiver_port: port,
        receiver_rrsync: rrsync,
        receiver_sshd: tool("sshd"),
        receiver_reload: `sh -c 'echo reloaded >>${path.join(root, "reloads")}'`,
      };
      await writeFile(inventory, JSON.stringify({ receivers: { hosts: { receiver: host } } }));
      return run(
        "nsenter",
        [
          ...enter,
          tool("ansible-playbook"),
          "-i",
          inventory,
          path.join(projectRoot, "deploy/receiver.yml"),
        ],
        { env },
      );
    },
    startSshd: async () => {
      await startServer(
        scope,
        "nsenter",
        [...enter, tool("sshd"), "-D", "-e"],
        {},
        /Server listening on 127\.0\.0\.1 port/,
      );
    },
  };
}
