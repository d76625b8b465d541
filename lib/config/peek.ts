import { Failure } from "../errors.ts";
import { readChain } from "./chain.ts";
import { keys } from "./definition.ts";
import type { FindOptions } from "./find.ts";
import { backupName } from "./find.ts";
import { settle } from "./settle.ts";

/** What another configuration backs up and where to, or why that can't be told. */
export type Peek = FoundDestination | { readonly file: string; readonly reason: string };

export interface FoundDestination {
  readonly file: string;
  readonly name: string;
  readonly source: string;
  readonly destination: string;
  /** Where it keeps dated directories, if it does; an undefined `dir` means beside the destination. */
  readonly dated: { readonly dir: string | undefined } | undefined;
  /** The rclone configuration that its remotes are in; undefined for rclone's own. */
  readonly rcloneConfig: string | undefined;
}

/**
 * Source, destination and dated directories of each configuration, whatever else is wrong with it. Overrides of this
 * run don't count, since they are not meant for the others. Never throws a Failure.
 */
export async function peekDestinations(
  files: readonly string[],
  options: FindOptions,
): Promise<Peek[]> {
  const { default: pMap } = await import("p-map");
  return pMap(files, async (file) => peek(file, options), { concurrency: 16 });
}

async function peek(file: string, options: FindOptions): Promise<Peek> {
  try {
    const chain = await readChain(file, options);
    const { values, problems } = settle(chain, new Map(), options.env);
    const source = values.get(keys.source.id);
    const destination = values.get(keys.destination.id);
    const kind = values.get(keys.historyKind.id);
    const dir = values.get(keys.historyDir.id);
    const spoilt = [source, destination].find((settled) => settled?.spoilt === true);
    if (spoilt !== undefined) {
      const why = problems.find(({ where }) => where.startsWith(`${spoilt.origin}:`));
      return { file, reason: `${why?.where}: ${why?.message}` };
    }
    if (source?.text && destination?.text) {
      return {
        file,
        name: backupName(file),
        source: source.text,
        destination: destination.text,
        dated:
          kind?.text === "dir" && dir?.spoilt !== true
            ? { dir: dir?.text || undefined }
            : undefined,
        rcloneConfig: values.get(keys.config.id)?.text || undefined,
      };
    }
    const [first] = chain.problems;
    const none = source?.text ? "it has no destination" : "it has no source";
    return { file, reason: first === undefined ? none : `${first.where}: ${first.message}` };
  } catch (error) {
    if (error instanceof Failure) return { file, reason: error.message };
    throw error;
  }
}
