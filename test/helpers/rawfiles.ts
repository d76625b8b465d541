import { mkdir, readdir, writeFile } from "node:fs/promises";

/** Writes files below a directory. Paths are the bytes of the system in Latin-1 strings. */
export async function writeRawFiles(
  directory: string,
  paths: Iterable<string>,
  content: string | Uint8Array = "",
): Promise<void> {
  for (const path of paths) {
    const file = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, "latin1")]);
    await mkdir(file.subarray(0, file.lastIndexOf("/")), { recursive: true });
    await writeFile(file, content);
  }
}

/** The paths of all files below a directory, their bytes in Latin-1 strings. */
export async function listRawFiles(directory: string): Promise<string[]> {
  const files: string[] = [];
  const walk = async (below: string): Promise<void> => {
    const here = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(below, "latin1")]);
    for (const entry of await readdir(here, { encoding: "buffer", withFileTypes: true })) {
      const path = below + entry.name.toString("latin1");
      if (entry.isDirectory()) await walk(`${path}/`);
      else files.push(path);
    }
  };
  await walk("");
  return files;
}
