/** The package managers whose databases can be read. */
export const managers = ["dpkg", "rpm", "pacman"] as const;
export type Manager = (typeof managers)[number];

/** A regular file as its package shipped it. */
export interface OwnedFile {
  /** Below the root of the system, without a leading slash; one byte a character (Latin-1). */
  readonly path: string;
  /** In hexadecimal; its length tells the algorithm. */
  readonly digest: string;
  /** In bytes; undefined where the package manager doesn't know it. */
  readonly size?: number | undefined;
}

/** Files of one package. A large package may come in several such pages. */
export interface PackageFiles {
  readonly manager: Manager;
  readonly package: string;
  readonly files: readonly OwnedFile[];
}

export type Packages = AsyncIterable<PackageFiles>;

/** The path of a database's line without the slash or the dot that it begins with. */
export function belowRoot(path: string): string {
  return path.replace(/^\.?\/+/, "");
}
