import { opendir, readFile, readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import type { SourceMounts } from "./mounts.ts";
import { describeSource } from "./mounts.ts";
import type { Mount } from "./mounttable.ts";
import { isPseudo, mountAt, mountsBelow, parseMountinfo, relativeTo } from "./mounttable.ts";
import { withoutSelfBinds } from "./selfbinds.ts";

const uuidDirectory = "/dev/disk/by-uuid";

/**
 * What a local source is mounted from and what is mounted below it. Undefined where the system has no
 * /proc/self/mountinfo or the source does not exist.
 */
export async function observeMounts(source: string): Promise<SourceMounts | undefined> {
  const seen = await look(source);
  if (seen === undefined) return undefined;
  return describeSource(seen.mounts, seen.real, await uuids(seen.mounts));
}

/** Mounts below a local source, such as /proc, that hold no files; relative, bytes in Latin-1 strings. */
export async function pseudoMounts(source: string): Promise<readonly string[]> {
  const seen = await look(source);
  if (seen === undefined) return [];
  const { mounts, real } = seen;
  return mountsBelow(mounts, real)
    .filter((mount) => isPseudo(mount) && mount.type !== "autofs")
    .map(({ mountPoint }) => relativeTo(real, mountPoint));
}

/** Whether something is mounted at a path; false if it does not exist. `/` is a mount point. */
export async function isMountPoint(place: string): Promise<boolean> {
  const seen = await look(place);
  if (seen !== undefined) {
    const mount = mountAt(seen.mounts, seen.real);
    return seen.real === "/" || (mount?.mountPoint === seen.real && mount.type !== "autofs");
  }
  try {
    const real = await realpath(place);
    if (real === "/") return true;
    const [own, above] = await Promise.all([stat(real), stat(path.dirname(real))]);
    return own.dev !== above.dev;
  } catch {
    return false;
  }
}

interface Look {
  /** The path without links, bytes in a Latin-1 string. */
  readonly real: string;
  readonly mounts: readonly Mount[];
}

async function look(place: string): Promise<Look | undefined> {
  let real: string;
  try {
    real = (await realpath(place, { encoding: "buffer" })).toString("latin1");
  } catch {
    return undefined;
  }
  const first = await mountTable();
  if (first === undefined) return undefined;
  // An automount that is asleep looks like one that is gone; opening it wakes it up.
  const asleep = [mountAt(first, real), ...mountsBelow(first, real)].filter(
    (mount) => mount?.type === "autofs",
  );
  if (asleep.length === 0) return { real, mounts: first };
  await wake(real);
  for (const mount of asleep) if (mount !== undefined) await wake(mount.mountPoint);
  return { real, mounts: (await mountTable()) ?? first };
}

async function wake(directory: string): Promise<void> {
  try {
    await (await opendir(Buffer.from(directory, "latin1").toString())).close();
  } catch {
    // What can't be mounted stays unmounted, and is found so.
  }
}

async function mountTable(): Promise<Mount[] | undefined> {
  try {
    return withoutSelfBinds(parseMountinfo(await readFile("/proc/self/mountinfo", "latin1")));
  } catch {
    return undefined;
  }
}

/**
 * Finds the UUID of a mount's file system by its device's number or, as with btrfs, which makes up
 * numbers, by its device's name.
 */
async function uuids(mounts: readonly Mount[]): Promise<(mount: Mount) => string | undefined> {
  const known = new Map<string, string>();
  for (const uuid of await readdir(uuidDirectory).catch(() => [])) {
    const device = await resolveDevice(path.join(uuidDirectory, uuid));
    if (device === undefined) continue;
    known.set(device.name, uuid);
    known.set(device.numbers, uuid);
  }
  if (known.size === 0) return () => undefined;
  for (const source of new Set(mounts.map((mount) => mount.source))) {
    if (!source.startsWith("/dev/")) continue;
    // /dev/mapper/NAME and /dev/VG/LV are other names of a device.
    const uuid = known.get((await resolveDevice(source))?.name ?? "");
    if (uuid !== undefined) known.set(source, uuid);
  }
  return ({ device, source }) => known.get(device) ?? known.get(source);
}

async function resolveDevice(file: string): Promise<{ name: string; numbers: string } | undefined> {
  try {
    const name = await realpath(file);
    return { name, numbers: numbers((await stat(name)).rdev) };
  } catch {
    return undefined;
  }
}

/** Linux's device number as mountinfo writes it. */
function numbers(device: number): string {
  const wide = BigInt(device);
  const major = ((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn);
  const minor = (wide & 0xffn) | ((wide >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}
