import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { run } from "./command.ts";

/** Files by their path below a root. */
export type Files = Readonly<Record<string, string>>;

/** Writes files below a directory. */
export async function writeFiles(root: string, files: Files): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

/** A system below `root` for the real dpkg, with merged directories as Debian has them. */
export async function makeDpkgRoot(root: string): Promise<void> {
  await mkdir(path.join(root, "usr/bin"), { recursive: true });
  await symlink("usr/bin", path.join(root, "bin"));
  await writeFiles(root, { "var/lib/dpkg/status": "", "var/lib/dpkg/available": "" });
  for (const name of ["info", "updates", "triggers"])
    await mkdir(path.join(root, "var/lib/dpkg", name));
}

/** Builds a package with the real dpkg-deb and installs it with the real dpkg. */
export async function installDeb(
  scratch: string,
  root: string,
  name: string,
  files: Files,
  conffiles: readonly string[],
): Promise<void> {
  const tree = path.join(scratch, name);
  const isShipped = ([file]: readonly [string, string]): boolean => !conffiles.includes(`/${file}`);
  await writeFiles(tree, {
    ...files,
    "DEBIAN/control": `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: none <none@example.org>\nDescription: none\n`,
    "DEBIAN/conffiles": conffiles.map((file) => `${file}\n`).join(""),
    // As dh_md5sums writes them.
    "DEBIAN/md5sums": Object.entries(files)
      .filter(isShipped)
      .map(([file, text]) => `${digest("md5", text)}  ${file}\n`)
      .join(""),
  });
  await chmod(path.join(tree, "DEBIAN"), 0o755);
  const deb = path.join(scratch, `${name}.deb`);
  await succeed("dpkg-deb", ["-Znone", "--root-owner-group", "-b", tree, deb]);
  await dpkg(root, "-i", deb);
}

/** Runs the real dpkg on the system below `root`, by any user. */
export async function dpkg(root: string, ...args: readonly string[]): Promise<void> {
  const force = "--force-not-root,bad-path,depends";
  await succeed("dpkg", [`--root=${root}`, `--log=${root}/dpkg.log`, force, ...args]);
}

async function succeed(file: string, args: readonly string[]): Promise<void> {
  const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  const result = await run(file, args, { env: { PATH } });
  if (result.code !== 0) throw new Error(`${file}: ${result.stderr}`);
}

/** Puts a package into pacman's database below `root`, as pacman 6 leaves it; names are as in mtree(5). */
export async function addPacman(root: string, name: string, files: Files): Promise<void> {
  const lines = Object.entries(files).map(
    ([file, text]) =>
      `./${file} time=1700000000.0 size=${text.length} sha256digest=${digest("sha256", text)}`,
  );
  const mtree = [
    "#mtree",
    "/set type=file uid=0 gid=0 mode=644",
    `./.BUILDINFO time=1700000000.0 size=3 sha256digest=${digest("sha256", "abc")}`,
    "/set mode=755",
    "./usr time=1700000000.0 type=dir",
    "./usr/lib.so time=1700000000.0 mode=777 type=link link=lib.so.1",
    "/set mode=644",
    ...lines,
  ];
  const directory = path.join(root, "var/lib/pacman/local", name);
  await mkdir(directory, { recursive: true });
  await writeFile(path.join(directory, "mtree"), gzipSync(`${mtree.join("\n")}\n`));
}

export function digest(algorithm: string, text: string): string {
  return createHash(algorithm).update(text).digest("hex");
}
