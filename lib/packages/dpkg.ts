import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { failed, systemCode } from "../errors.ts";
import { fileLines } from "./lines.ts";
import { belowRoot, type OwnedFile, type Packages } from "./owned.ts";

/*
 * What dpkg keeps below /var/lib/dpkg: `status` (which packages are installed, and the MD5 of each
 * configuration file as shipped), info/PACKAGE.md5sums, info/PACKAGE.list (which files are still the
 * package's, since another one may have taken some over) and `diversions` (dpkg-divert(1)).
 */

interface Installed {
  readonly name: string;
  readonly architecture: string;
  readonly conffiles: readonly OwnedFile[];
}

/** The files of all packages that are installed as a whole. Throws failed where the database can't be read. */
export async function* dpkgFiles(root: string): Packages {
  const directory = join(root, "var/lib/dpkg");
  const diversions = await readDiversions(join(directory, "diversions"));
  for await (const installed of readStatus(join(directory, "status"))) {
    const { name, conffiles } = installed;
    const own = await readInfo(directory, installed, "list");
    const sums = await readInfo(directory, installed, "md5sums");
    if (own === undefined) continue;
    const list = new Set(own.split("\n").map(belowRoot));
    const files = [...conffiles, ...md5sums(sums ?? "")]
      .filter(({ path }) => list.has(path))
      .map((file) => ({ ...file, path: diversions(file.path, name) }));
    yield { manager: "dpkg", package: name, files };
  }
}

async function* readStatus(file: string): AsyncGenerator<Installed> {
  let fields = new Map<string, string>();
  let field = "";
  try {
    for await (const line of fileLines(file)) {
      if (line === "") {
        yield* installedOf(fields);
        fields = new Map();
      } else if (/^[ \t]/.test(line)) {
        fields.set(field, `${fields.get(field) ?? ""}\n${line}`);
      } else {
        const colon = line.indexOf(":");
        field = line.slice(0, colon);
        fields.set(field, line.slice(colon + 1).trim());
      }
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  yield* installedOf(fields);
}

/** A package that is removed, or half installed, can't be had back as it is. */
const whole = /^\S+ ok (installed|triggers-awaited|triggers-pending)$/;

function* installedOf(fields: ReadonlyMap<string, string>): Generator<Installed> {
  const name = fields.get("Package");
  if (name === undefined || !whole.test(fields.get("Status") ?? "")) return;
  const architecture = fields.get("Architecture") ?? "";
  yield { name, architecture, conffiles: conffilesOf(fields.get("Conffiles") ?? "") };
}

/** Lines `/PATH MD5`; one that is marked, as obsolete or to be removed, is no longer in the package. */
function conffilesOf(text: string): OwnedFile[] {
  return text.split("\n").flatMap((line) => {
    const [, path = "", digest = ""] = /^ (\/.*) ([0-9a-f]{32})$/.exec(line) ?? [];
    return path === "" ? [] : [{ path: belowRoot(path), digest }];
  });
}

/** Lines as md5sum(1) writes them; one with an escaped name begins with a backslash and is left out. */
function md5sums(text: string): OwnedFile[] {
  return text.split("\n").flatMap((line) => {
    const [, digest = "", path = ""] = /^([0-9a-f]{32}) [ *](.+)$/.exec(line) ?? [];
    return path === "" ? [] : [{ path: belowRoot(path), digest }];
  });
}

/** A package that may be installed for several architectures has the one in its file's name. */
async function readInfo(
  directory: string,
  { name, architecture }: Installed,
  kind: "list" | "md5sums",
): Promise<string | undefined> {
  for (const full of [`${name}:${architecture}`, name]) {
    const file = join(directory, "info", `${full}.${kind}`);
    try {
      return await readFile(file, "latin1");
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw unreadable(file, error);
    }
  }
  return undefined;
}

/** Where a package's file really is: triples of lines say from, to, and the one package that stays. */
async function readDiversions(file: string): Promise<(path: string, name: string) => string> {
  const diverted = new Map<string, { to: string; except: string }>();
  try {
    const lines: string[] = [];
    for await (const line of fileLines(file)) lines.push(line);
    for (let at = 0; at + 2 < lines.length; at += 3) {
      const [from = "", to = "", except = ""] = lines.slice(at, at + 3);
      diverted.set(belowRoot(from), { to: belowRoot(to), except });
    }
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw unreadable(file, error);
  }
  return (path, name) => {
    const diversion = diverted.get(path);
    return diversion === undefined || diversion.except === name ? path : diversion.to;
  };
}

function unreadable(file: string, cause: unknown): Error {
  return failed(
    `${file}: expected dpkg's database, found that it can't be read: ${systemCode(cause) ?? String(cause)}`,
    { cause },
  );
}
