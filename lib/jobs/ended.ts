import type { FileHistory } from "../history/history.ts";
import type { Pages } from "../manifest/pages.ts";
import { endOf, type Ends } from "../retention/ends.ts";
import { openEnds } from "../retention/endsfile.ts";
import { EndsWalk } from "../retention/endswalk.ts";
import type { OpenHistory } from "./openhistory.ts";

/**
 * The histories with what prune remembers on this machine of versions whose successors it removed: when they ended. Dated
 * directories tell that themselves.
 */
export async function* withEnds(
  { dir, files }: Pick<OpenHistory, "dir" | "files">,
  pages: Pages<FileHistory>,
): Pages<FileHistory> {
  if (dir !== undefined) {
    yield* pages;
    return;
  }
  // Prune tells of a damaged file; here it is as good as none.
  const ends = new EndsWalk(await openEnds(files.ends, () => {}), {
    write: () => {},
    visits: () => true,
  });
  try {
    for await (const page of pages) {
      const known: FileHistory[] = [];
      for (const file of page) {
        const remembered = ends.reaches(file.order) ? await ends.take(file.order) : undefined;
        known.push(remembered === undefined ? file : withEnded(file, remembered));
      }
      yield known;
    }
  } finally {
    await ends.close();
  }
}

function withEnded(file: FileHistory, remembered: Ends): FileHistory {
  const versions = file.versions.map((version) => {
    const end = endOf(version, remembered);
    return end === version.until ? version : { ...version, ended: end };
  });
  return { ...file, versions };
}
