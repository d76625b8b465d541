import { rawFromSystem } from "../units/encoding.ts";
import type { Mount } from "./mounttable.ts";
import { isPseudo, mountAt, mountsBelow, relativeTo, unescapeField } from "./mounttable.ts";

/**
 * What is mounted somewhere, told by names that stay the same after a reboot: type and source such as
 * "ext4:/dev/sda1" or "nfs4:nas:/export", the mounted part of it (see Mount), and the UUID or "-", with
 * blanks between. Made to be stored; only this file looks into it.
 */
export type MountIdentity = string;

export interface NestedMount {
  /** Relative to the source, as rclone would list it (see RawPath). */
  readonly path: string;
  readonly identity: MountIdentity;
}

export interface SourceMounts {
  readonly source: MountIdentity;
  readonly nested: readonly NestedMount[];
}

export interface MountFinding {
  readonly kind: "unmounted" | "replaced" | "source" | "new";
  /** Relative to the source; empty for the source itself. */
  readonly path: string;
  /** For the user; holds names raw. */
  readonly text: string;
}

/**
 * What a source at an absolute path without links consists of; `uuid` finds the UUID of a mount's file
 * system. Undefined if no mount holds the path. Pseudo file systems below it are left out.
 */
export function describeSource(
  mounts: readonly Mount[],
  path: string,
  uuid: (mount: Mount) => string | undefined,
): SourceMounts | undefined {
  const identify = (mount: Mount): MountIdentity =>
    `${mount.type}:${mount.source} ${mount.root} ${uuid(mount) ?? "-"}`;
  const own = mountAt(mounts, path);
  if (own === undefined) return undefined;
  const nested = mountsBelow(mounts, path).filter((mount) => !isPseudo(mount));
  return {
    source: identify(own),
    nested: nested.map((mount) => ({
      path: rawFromSystem(relativeTo(path, mount.mountPoint)),
      identity: identify(mount),
    })),
  };
}

/** What is missing or exchanged now. A mount that is new is no finding: nothing gets lost by it. */
export function compareMounts(before: SourceMounts, now: SourceMounts): MountFinding[] {
  const findings: MountFinding[] = [];
  if (!sameIdentity(before.source, now.source)) {
    const text = `source is on another device (${change(before.source, now.source)})`;
    findings.push({ kind: "source", path: "", text });
  }
  const current = new Map(now.nested.map(({ path, identity }) => [path, identity]));
  for (const { path, identity } of before.nested) {
    const other = current.get(path);
    const name = `nested mount ${textOf(path)}`;
    if (other === undefined) {
      const text = `${name} is no longer mounted (was ${describe(identity)})`;
      findings.push({ kind: "unmounted", path, text });
    } else if (!sameIdentity(identity, other)) {
      const text = `${name} is another device (${change(identity, other)})`;
      findings.push({ kind: "replaced", path, text });
    }
  }
  return findings;
}

/**
 * What differs between two looks of one run, new mounts too: the listing may be from before it was
 * there, without its files.
 */
export function changedMounts(before: SourceMounts, now: SourceMounts): MountFinding[] {
  const known = new Set(before.nested.map(({ path }) => path));
  const added = now.nested.filter(({ path }) => !known.has(path));
  return [
    ...compareMounts(before, now),
    ...added.map(({ path, identity }): MountFinding => {
      const text = `nested mount ${textOf(path)} was not mounted before (now ${describe(identity)})`;
      return { kind: "new", path, text };
    }),
  ];
}

/** The same without the nested mounts that no file of the backup lies under. */
export function mountsWithFiles(
  mounts: SourceMounts,
  hasFileUnder: (path: string) => boolean,
): SourceMounts {
  return { ...mounts, nested: mounts.nested.filter(({ path }) => hasFileUnder(path)) };
}

/** A UUID may be out of sight for one of two runs (in a container, say): then the names decide. */
function sameIdentity(before: MountIdentity, now: MountIdentity): boolean {
  const [device, root, uuid] = before.split(" ");
  const [nowDevice, nowRoot, nowUuid] = now.split(" ");
  if (root !== nowRoot) return false;
  return uuid === "-" || nowUuid === "-" ? device === nowDevice : uuid === nowUuid;
}

function change(before: MountIdentity, now: MountIdentity): string {
  return `was ${describe(before)}, now ${describe(now)}`;
}

function describe(identity: MountIdentity): string {
  const [device = "", root = "/", uuid = "-"] = identity.split(" ");
  const part = root === "/" ? "" : ` ${textOf(unescapeField(root))}`;
  return `${textOf(unescapeField(device))}${part}${uuid === "-" ? "" : ` UUID ${uuid}`}`;
}

function textOf(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString();
}
