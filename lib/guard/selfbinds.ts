import type { Mount } from "./mounttable.ts";
import { relativeTo, unescapeField } from "./mounttable.ts";

/**
 * The table without mounts that show, at their mount point, what would be there without them. A service
 * manager makes such a mount of every directory that it lets a service write to: with it, each of them
 * would pass for a mounted disk, and a source would look as if it had moved to another device.
 */
export function withoutSelfBinds(mounts: readonly Mount[]): Mount[] {
  const byId = new Map(mounts.map((mount) => [mount.id, mount]));
  const binds = mounts.filter((mount) => isSelfBind(mount, byId.get(mount.parent)));
  if (binds.length === 0) return [...mounts];
  const above = new Map(binds.map(({ id, parent }) => [id, parent]));
  const standsOn = (parent: number): number => {
    const next = above.get(parent);
    return next === undefined ? parent : standsOn(next);
  };
  const places = new Map(mounts.map((mount, index) => [mount.id, index]));
  // What had been mounted below its mount point before stands in the table, but can't be reached.
  const isHidden = (mount: Mount): boolean =>
    binds.some(
      (bind) =>
        bind.id !== mount.id &&
        bind.parent === mount.parent &&
        (places.get(mount.id) ?? 0) < (places.get(bind.id) ?? 0) &&
        mount.mountPoint.startsWith(`${bind.mountPoint}/`),
    );
  return mounts
    .filter((mount) => !above.has(mount.id) && !isHidden(mount))
    .map((mount) => ({ ...mount, parent: standsOn(mount.parent) }));
}

function isSelfBind(mount: Mount, parent: Mount | undefined): boolean {
  if (parent === undefined || parent.id === mount.id || parent.device !== mount.device)
    return false;
  const inside = relativeTo(parent.mountPoint, mount.mountPoint);
  const root = unescapeField(parent.root);
  const same = inside === "" ? root : `${root === "/" ? "" : root}/${inside}`;
  return unescapeField(mount.root) === same;
}
