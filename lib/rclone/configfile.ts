import { readFile, stat, type FileHandle } from "node:fs/promises";
import { failed, systemCode, usage } from "../errors.ts";
import { atomicStream } from "../state/atomic.ts";
import { realpathOfMissing } from "../state/realpath.ts";
import { runRclone, type Rclone } from "./run.ts";

/** A remote as rclone's configuration holds it; passwords in it are obscured. */
export interface Section {
  readonly name: string;
  readonly options: ReadonlyMap<string, string>;
}

/** Where rclone keeps its configuration, whether the file is there or not. Throws failed. */
export async function configFile(rclone: Rclone, signal?: AbortSignal): Promise<string> {
  let last = "";
  const { code, lastError } = await runRclone(rclone, {
    args: ["config", "file"],
    signal,
    onLine: (line) => {
      if (line.trim() !== "") last = line.trim();
    },
  });
  if (code === 0 && last.startsWith("/")) return last;
  throw failed(
    `rclone config file: expected the path of its configuration, found ${lastError ?? (last || "no output")}`,
    { hint: "name one with --rclone-config FILE" },
  );
}

/** The lines of a remote. Throws a usage failure for a value that rclone would read otherwise. */
export function sectionText({ name, options }: Section): string {
  const lines = [...options].map(([key, value]) => {
    // rclone's reader takes off quotes and puts other values in for %(name)s.
    if (/[\p{Cc}]|^[\s"'`]|\s$|%\(/u.test(value))
      throw usage(
        `${key} of the remote ${name}: expected a text without line breaks, %( and outer spaces or quotes, found such a one`,
        { hint: "rename the directory, or make the remote with rclone config" },
      );
    return `${key} = ${value}\n`;
  });
  return `[${name}]\n${lines.join("")}`;
}

/** How an encrypted configuration begins, its comments aside. */
const encrypted = /^\s*RCLONE_ENCRYPT_V\d+:/m;

/**
 * The bytes of a configuration file, none where there is no file. Throws a usage failure for one that
 * nothing can be added to, since it is encrypted.
 */
export async function readPlainConfig(file: string): Promise<Buffer> {
  let text: Buffer;
  try {
    text = await readFile(file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return Buffer.alloc(0);
    throw usage(
      `rclone's configuration: expected a file ${file} that can be read, found ${systemCode(error) ?? "none"}`,
      { cause: error },
    );
  }
  if (encrypted.test(text.toString("latin1")))
    throw usage(
      `rclone's configuration: expected one that a remote can be added to, found ${file} encrypted`,
      {
        hint: "make the crypt remote with rclone config and name it: --remote REMOTE:; or keep a configuration for backups: --rclone-config FILE",
      },
    );
  return text;
}

/**
 * Adds a remote to a configuration file, whole or not at all, or makes the file, for its owner alone.
 * What stands in it stays byte for byte, with its owner and its mode.
 */
export async function addSection(file: string, section: Section): Promise<void> {
  const target = realpathOfMissing(file);
  const before = await readPlainConfig(target);
  const end = before.subarray(-2).toString("latin1");
  const gap = end === "" || end === "\n\n" ? "" : end.endsWith("\n") ? "\n" : "\n\n";
  const found = await stat(target).catch(() => undefined);
  const output = await atomicStream(target, (found?.mode ?? 0o600) & 0o777);
  try {
    if (found !== undefined) await keepOwner(output.handle, found);
    await output.handle.writeFile(Buffer.concat([before, Buffer.from(gap + sectionText(section))]));
    await output.commit();
  } finally {
    await output.abandon();
  }
}

async function keepOwner(
  handle: FileHandle,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const own = await handle.stat();
  if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid);
}
