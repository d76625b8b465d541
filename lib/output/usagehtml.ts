import type { Folded, Leftover } from "../usage/fold.ts";
import type { Amount } from "../usage/tree.ts";
import { textFromRaw, type RawPath } from "../units/rawpath.ts";
import { escapeText } from "./escape.ts";
import { digest, escapeHtml } from "./html.ts";
import { pageScript } from "./usagescript.ts";
import { pageStyle } from "./usagestyle.ts";

/** No name on the page is longer, in characters. */
const longestName = 200;

/**
 * A page of its own: a map of rectangles, one level of directories at a time. It needs nothing from
 * anywhere, and its policy lets it load nothing. Names can't be taken for markup: all of them are in one
 * block of JSON without a `<`, and the script writes them as text.
 */
export function usagePage(top: Folded, { title, at }: { title: string; at: Date }): string {
  const data = JSON.stringify(nodeJson(top, title)).replaceAll("<", "\\u003c");
  const policy = `default-src 'none'; script-src '${digest(pageScript)}'; style-src '${digest(pageStyle)}'; base-uri 'none'; form-action 'none'`;
  const heading = escapeHtml(escapeText(title));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Space used: ${heading}</title>
<style>${pageStyle}</style>
</head>
<body>
<header>
<h1>Space used: <bdi>${heading}</bdi></h1>
<p id="summary" role="status"></p>
<nav id="crumbs" aria-label="Path of this directory"></nav>
<fieldset id="which" hidden><legend>Show</legend>
<label><input type="radio" name="of" value="all" checked> all</label>
<label><input type="radio" name="of" value="current"> <span class="key current"></span> current files</label>
<label><input type="radio" name="of" value="deleted"> <span class="key deleted"></span> deleted and superseded versions</label>
</fieldset>
</header>
<main>
<noscript><p>This page draws its map with a script, and scripts are switched off here.</p></noscript>
<section id="map" aria-label="Map: areas are sizes"></section>
<div class="scroll"><table>
<caption>In this directory</caption>
<thead><tr><th scope="col">name</th><th scope="col">size</th><th scope="col">share</th><th scope="col">current</th><th scope="col">deleted</th><th scope="col">files</th></tr></thead>
<tbody id="rows"></tbody>
</table></div>
</main>
<footer>Made by rclone-du on <time datetime="${at.toISOString()}">${at.toISOString().slice(0, 16).replace("T", " ")} UTC</time>. Enter opens a directory, Escape goes up.</footer>
<script type="application/json" id="data">${data}</script>
<script>${pageScript}</script>
</body>
</html>
`;
}

/** Arrays, as keys would be most of a large page: see the script's `read`. */
function nodeJson({ name, isFile, current, old, children, more }: Folded, title?: string): unknown {
  return [
    title === undefined ? shownName(name) : escapeText(title),
    isFile ? 1 : 0,
    ...amounts(current, old),
    children.map((child) => nodeJson(child)),
    moreJson(more),
  ];
}

function moreJson({ nodes, current, old }: Leftover): readonly number[] {
  return [nodes, ...amounts(current, old)];
}

function amounts(current: Amount, old: Amount): readonly number[] {
  return [current.bytes, current.files, old.bytes, old.files];
}

function shownName(name: RawPath): string {
  const text = escapeText(textFromRaw(name));
  return text.length <= longestName
    ? text
    : `${text.slice(0, longestName).replace(/[\ud800-\udbff]$/, "")}…`;
}
