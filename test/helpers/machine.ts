import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { projectRoot, run } from "./command.ts";
import type { Result } from "./command.ts";

export interface Machine {
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

/** Every database server of the tests, named. */
export const namedServers: Readonly<Record<string, string>> = Object.fromEntries(
  ["MARIADB", "MYSQL", "POSTGRES_OLD", "POSTGRES_NEW", "FERRETDB", "MONGOD"].map((name) => [
    `RCLONE_BACKUPS_TEST_${name}`,
    "/bin/sh",
  ]),
);

export async function makeMachine(
  t: TestContext,
  without: readonly string[] = [],
): Promise<Machine> {
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

export function pick({ code, stdout, stderr }: Result): Pick<Result, "code" | "stdout" | "stderr"> {
  return { code, stdout, stderr };
}
