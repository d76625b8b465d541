import { readFile, stat } from "node:fs/promises";
import { systemCode, usage } from "../../errors.ts";
import { readUri, readUriLines, type MongoUri } from "../../documents/uri.ts";

/** The variable that may hold a connection string. */
const uriVariable = "MONGODB_URI";

/**
 * The connection strings that a command was given: as arguments, in files, else in the environment.
 * Throws usage() where there is none, or one is wrong; none is in the message.
 */
export async function givenUris(
  args: readonly string[],
  files: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  onWarning: (text: string) => void,
): Promise<readonly MongoUri[]> {
  const found = args.map((text) => readUri(text, "argument"));
  for (const file of files) {
    if (/^mongodb(?:\+srv)?:/i.test(file))
      throw usage("--uri-file: expected the name of a file, found a connection string", {
        hint: "write it into a file of mode 0600; if it held a password, others on this machine may have seen it",
      });
    let text: string;
    try {
      text = await readFile(file, "utf8");
      const status = await stat(file);
      // Not a pipe that the shell made, as /dev/fd/63.
      if (status.isFile() && (status.mode & 0o004) !== 0)
        onWarning(`${file} can be read by others: a connection string in it holds a password`);
    } catch (cause) {
      throw usage(`--uri-file: cannot read ${file} (${systemCode(cause) ?? String(cause)})`, {
        cause,
      });
    }
    found.push(...readUriLines(text, file));
  }
  if (found.length > 0) return found;
  const variable = env[uriVariable] ?? "";
  if (variable !== "") return [readUri(variable, uriVariable)];
  throw usage(`expected a connection string, found none`, {
    hint: `--uri-file FILE names a file that holds one, mongodb://USER:PASSWORD@HOST:27017/DATABASE; or set ${uriVariable}`,
  });
}

/** Whether one of them was an argument that holds a password. */
export function hasOpenPassword(args: readonly string[]): boolean {
  return args.some((text) => readUri(text, "argument").secrets.length > 0);
}
