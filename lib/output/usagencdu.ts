import { bytesOf, type Of } from "../usage/choose.ts";
import { Children } from "../usage/children.ts";
import type { SizeTree } from "../usage/tree.ts";

const pageLength = 65_536;

/**
 * What `ncdu -f` reads, format 1.0, some of it at a time. Names are written byte for byte, as ncdu itself
 * does, so that those that are not UTF-8 stay what they are. What is not among the
 * children of a directory, since the tree has no files, is the directory's own size.
 */
export function* usageNcdu(
  tree: SizeTree,
  { of, title, version, now }: { of: Of; title: string; version: string; now: Date },
): Generator<Buffer> {
  const children = new Children(tree);
  const head = {
    progname: "rclone-du",
    progver: version,
    timestamp: Math.floor(now.getTime() / 1000),
  };
  let page = `[1,0,${JSON.stringify(head)}`;
  const enter = (node: number): void => {
    let own = bytesOf(tree, node, of);
    for (let at = children.first(node); at !== undefined; at = children.next(at))
      own -= bytesOf(tree, at, of);
    const name =
      node === 0 ? Buffer.from(title, "utf8").toString("latin1") : String(tree.name(node));
    const block = `{"name":${rawJson(name)},"asize":${own},"dsize":${own}}`;
    page += tree.isFile(node) ? `,\n${block}` : `,\n[${block}`;
  };
  // Depth first, without recursion: a path may have any number of segments.
  const path = [0];
  enter(0);
  let next = children.first(0);
  while (path.length > 0) {
    if (page.length >= pageLength) {
      yield Buffer.from(page, "latin1");
      page = "";
    }
    if (next === undefined) {
      const done = path.pop() ?? 0;
      page += "]";
      next = children.next(done);
    } else if (bytesOf(tree, next, of) === 0 && tree.isFile(next)) {
      next = children.next(next);
    } else {
      enter(next);
      if (tree.isFile(next)) next = children.next(next);
      else {
        path.push(next);
        next = children.first(next);
      }
    }
  }
  yield Buffer.from(`${page}]\n`, "latin1");
}

/** A JSON string whose bytes stay as they are, but for those that JSON wants escaped. */
function rawJson(latin1: string): string {
  const escaped = latin1.replaceAll(
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    /["\\\u0000-\u001F\u007F]/g,
    (character) =>
      character === '"' || character === "\\"
        ? `\\${character}`
        : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${escaped}"`;
}
