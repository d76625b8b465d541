import { lstatSync } from "node:fs";
import path from "node:path";
import { refused } from "../errors.ts";
import { lockFile, ownDirectory, type CollectionPlace } from "./place.ts";

/** Throws refused() where one of these is a symbolic link: what is written or removed behind it may not be the export's. */
export function refuseLinks(...files: readonly string[]): void {
  for (const file of files)
    if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true)
      throw refused(`${file}: expected a directory or file of the export's own, found a link`, {
        hint: "nothing is written or removed through links: put the directory itself in its place",
      });
}

/** The same of the exporter's own directory. */
export function refuseLinksOfExport(root: string): void {
  refuseLinks(path.join(root, ownDirectory), lockFile(root));
}

/** The same of the directories that a collection and its state lie in. */
export function refuseLinksOfPlace({ directory, staging, state }: CollectionPlace): void {
  for (const each of [directory, staging]) refuseLinks(path.dirname(each), each);
  for (const each of [staging, state].map((name) => path.dirname(name)))
    refuseLinks(path.dirname(each), each);
}
