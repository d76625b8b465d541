import { squarify } from "../usage/squarify.ts";

/**
 * The script of the page that `rclone-du --html` writes. The place on the page is in the address: after
 * the #, the numbers of the directories from the top down, so that the browser's own back works.
 */
export const pageScript = `"use strict";
const squarify = ${String(squarify)};
const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const rowsShown = 500;
const id = (name) => document.getElementById(name);
const read = ([name, isFile, currentBytes, currentFiles, oldBytes, oldFiles, children, more]) =>
  ({ name, isFile: isFile === 1, currentBytes, currentFiles, oldBytes, oldFiles, children, more });
const top_ = read(JSON.parse(id("data").textContent));
let of = "all";

function bytes(count) {
  let unit = 0;
  let value = count;
  while (value >= 1023.5 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return (unit === 0 ? value : value.toFixed(value < 9.95 ? 1 : 0)) + " " + units[unit];
}
function sizeOf(node) {
  return (of === "deleted" ? 0 : node.currentBytes) + (of === "current" ? 0 : node.oldBytes);
}
function filesOf(node) {
  return (of === "deleted" ? 0 : node.currentFiles) + (of === "current" ? 0 : node.oldFiles);
}
function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
function plural(count, one, many) { return count.toLocaleString("en") + " " + (count === 1 ? one : many); }

/** What is in a directory, largest first; what was folded, and files without a place of their own, as one. */
function contents(node) {
  const all = node.children.map((child, at) => ({ ...read(child), at }));
  const [nodes, currentBytes, currentFiles, oldBytes, oldFiles] = node.more;
  const rest = { at: -1, isFile: true, isRest: true, currentBytes, currentFiles, oldBytes, oldFiles };
  rest.name = nodes > 0 ? nodes.toLocaleString("en") + " more" : plural(filesOf(rest), "file", "files");
  return [...all, rest].filter((each) => sizeOf(each) > 0).sort((a, b) => sizeOf(b) - sizeOf(a));
}
/** The directories from the top to the one that the address names. */
function trail() {
  const found = [top_];
  for (const step of location.hash.replace(/^#\\/?/, "").split("/")) {
    const child = found.at(-1).children[Number(step)];
    if (step === "" || child === undefined || child[1] === 1) break;
    found.push(read(child));
  }
  return found;
}
function steps() { return location.hash.replace(/^#\\/?/, "").split("/").filter((step) => step !== "").slice(0, trail().length - 1); }
function go(path) { location.hash = "#/" + path.join("/"); }

function place(tile, box) {
  for (const [key, value] of [["left", box.x], ["top", box.y], ["width", box.width], ["height", box.height]])
    tile.style[key] = value + "px";
}
function paint(tile, node) {
  const share = of === "current" ? 0 : of === "deleted" ? 1 : node.oldBytes / (node.currentBytes + node.oldBytes);
  if (share <= 0) return;
  const old = element("span", "old deleted");
  old.style.width = share * 100 + "%";
  tile.append(old);
}
function tellSize(node) {
  return bytes(sizeOf(node)) + (of === "all" && node.oldBytes > 0 ? ", " + bytes(node.oldBytes) + " of it deleted" : "");
}
function drawTile(node, box) {
  const opens = !node.isFile;
  const tile = element(opens ? "button" : "div", "tile" + (node.isRest ? " rest" : ""));
  place(tile, box);
  const told = node.name + ": " + tellSize(node);
  tile.title = told;
  if (opens) {
    tile.type = "button";
    tile.setAttribute("aria-label", told);
    tile.addEventListener("click", () => go([...steps(), node.at]));
  }
  paint(tile, node);
  if (opens && box.width > 110 && box.height > 80) drawInside(tile, node, box.width - 8, box.height - 29);
  if (box.width > 40 && box.height > 18) {
    const label = element("span", "label");
    label.append(element("bdi", "", node.name + (opens ? "/" : "")), " ", element("small", "", bytes(sizeOf(node))));
    tile.append(label);
  }
  return tile;
}
/** The next level, too small to be opened but enough to see what a directory is made of. */
function drawInside(tile, node, width, height) {
  const inside = element("span", "inside");
  inside.setAttribute("aria-hidden", "true");
  const within = contents(node).slice(0, 60);
  squarify(within.map(sizeOf), width, height).forEach((box, at) => {
    if (box.width < 3 || box.height < 3) return;
    const small = element("span", "tile");
    place(small, box);
    paint(small, within[at]);
    if (box.width > 60 && box.height > 20) {
      const label = element("span", "label");
      label.append(element("bdi", "", within[at].name + (within[at].isFile ? "" : "/")));
      small.append(label);
    }
    inside.append(small);
  });
  tile.append(inside);
}
function drawMap(within) {
  const map = id("map");
  const boxes = squarify(within.map(sizeOf), map.clientWidth, map.clientHeight);
  map.replaceChildren(...within.flatMap((node, at) => boxes[at].width < 2 || boxes[at].height < 2 ? [] : [drawTile(node, boxes[at])]));
  if (within.length === 0) map.append(element("p", "", "Nothing here."));
}
function drawRow(node, total) {
  const row = element("tr");
  const name = element("td");
  if (node.isFile) name.append(element("bdi", "", node.name));
  else {
    const open = element("button");
    open.type = "button";
    open.append(element("bdi", "", node.name + "/"));
    open.addEventListener("click", () => go([...steps(), node.at]));
    name.append(open);
  }
  const share = total > 0 ? (100 * sizeOf(node) / total).toFixed(1) + " %" : "";
  row.append(name, ...[bytes(sizeOf(node)), share, bytes(node.currentBytes), bytes(node.oldBytes), filesOf(node).toLocaleString("en")].map((text) => element("td", "", text)));
  return row;
}
function drawCrumbs(all) {
  id("crumbs").replaceChildren(...all.map((node, at) => {
    if (at === all.length - 1) {
      const here = element("span", "", node.name);
      here.setAttribute("aria-current", "page");
      return here;
    }
    const crumb = element("button", "", node.name);
    crumb.type = "button";
    crumb.addEventListener("click", () => go(steps().slice(0, at)));
    return crumb;
  }));
}
function draw() {
  const all = trail();
  const here = all.at(-1);
  const within = contents(here);
  id("summary").textContent = tellSize(here) + " in " + plural(filesOf(here), "file", "files") + (of !== "current" && here.oldFiles > 0 ? " and old versions" : "");
  drawCrumbs(all);
  drawMap(within);
  const rows = within.slice(0, rowsShown).map((node) => drawRow(node, sizeOf(here)));
  if (within.length > rowsShown) {
    const row = element("tr");
    row.append(element("td", "", (within.length - rowsShown).toLocaleString("en") + " more"));
    rows.push(row);
  }
  id("rows").replaceChildren(...rows);
}
id("which").hidden = top_.oldFiles === 0;
id("which").addEventListener("change", (event) => { of = event.target.value; draw(); });
addEventListener("hashchange", () => {
  draw();
  (document.querySelector("button.tile") ?? document.querySelector("nav button"))?.focus();
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && trail().length > 1) go(steps().slice(0, -1));
});
let waiting = 0;
addEventListener("resize", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); });
draw();
`;
