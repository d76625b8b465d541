/** One line of /proc/self/mountinfo, its bytes in Latin-1 strings. */
export interface Mount {
  readonly id: number;
  readonly parent: number;
  /** major:minor, another one after each boot. */
  readonly device: string;
  /** The part of the file system that is mounted, such as a bind mount's or a subvolume's path; escaped. */
  readonly root: string;
  readonly mountPoint: string;
  readonly type: string;
  /** Escaped, so that no blank is in it. */
  readonly source: string;
}

/** Kinds that hold no files of a user's, and come and go by themselves. */
const pseudoTypes = new Set(
  (
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs " +
    "fuse.gvfsd-fuse fuse.lxcfs fuse.portal fusectl hugetlbfs mqueue nfsd nsfs proc pstore " +
    "ramfs resctrl rpc_pipefs securityfs selinuxfs smackfs sysfs tracefs"
  ).split(" "),
);

/** Whether a mount is of a kind that the kernel or a session makes up, such as proc. */
export function isPseudo({ type }: Mount): boolean {
  return pseudoTypes.has(type);
}

/** The mounts that the text of a mountinfo file (read as Latin-1) names; other lines are passed over. */
export function parseMountinfo(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before, after] = line.split(" - ", 2);
    const [id, parent, device, root, mountPoint] = before?.split(" ") ?? [];
    const [type, source] = after?.split(" ") ?? [];
    if (root === undefined || mountPoint === undefined || type === undefined) return [];
    const mount = { id: Number(id), parent: Number(parent), device: device ?? "", root, type };
    return [{ ...mount, mountPoint: unescapeField(mountPoint), source: source ?? "" }];
  });
}

/**
 * The mount on which an absolute path without links lies. Follows the path from mount to mount as the
 * kernel does, because one that is hidden under a later one stands in the list too.
 */
export function mountAt(mounts: readonly Mount[], path: string): Mount | undefined {
  return follow(byParent(mounts), path);
}

/** The mounts strictly below an absolute path that can be reached, by mount point. */
export function mountsBelow(mounts: readonly Mount[], path: string): Mount[] {
  const children = byParent(mounts);
  return mounts
    .filter(({ mountPoint }) => mountPoint !== path && isWithin(mountPoint, path))
    .filter((mount) => follow(children, mount.mountPoint) === mount)
    .toSorted((a, b) => (a.mountPoint < b.mountPoint ? -1 : 1));
}

/** The path of a mount point as seen from a directory above it, in the system's bytes. */
export function relativeTo(directory: string, mountPoint: string): string {
  return mountPoint.slice(directory === "/" ? 1 : directory.length + 1);
}

/** Mounts by the id of the mount they stand on; the top ones, whose parent is out of sight, by undefined. */
type Children = ReadonlyMap<number | undefined, readonly Mount[]>;

function byParent(mounts: readonly Mount[]): Children {
  const ids = new Set(mounts.map(({ id }) => id));
  const children = new Map<number | undefined, Mount[]>();
  for (const mount of mounts) {
    const { id, parent } = mount;
    const key = ids.has(parent) && parent !== id ? parent : undefined;
    const siblings = children.get(key);
    if (siblings === undefined) children.set(key, [mount]);
    else siblings.push(mount);
  }
  return children;
}

function follow(children: Children, path: string): Mount | undefined {
  let found: Mount | undefined;
  for (;;) {
    let next: Mount | undefined;
    for (const mount of children.get(found?.id) ?? []) {
      if (!isWithin(path, mount.mountPoint)) continue;
      // The path meets the shortest first; of equals the last one listed is on top.
      if (next === undefined || mount.mountPoint.length <= next.mountPoint.length) next = mount;
    }
    if (next === undefined) return found;
    found = next;
  }
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}

/** The bytes of a field: blanks and the like stand there as a backslash and three octal digits. */
export function unescapeField(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
