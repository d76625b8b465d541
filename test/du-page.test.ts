import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { rawFromText } from "../lib/units/rawpath.ts";
import { usagePage } from "../lib/output/usagehtml.ts";
import { foldTree, type FoldLimits } from "../lib/usage/fold.ts";
import { SizeTree, type Part } from "../lib/usage/tree.ts";
import { contrast, styleOf, useBrowser } from "./helpers/browser.ts";
import { compiled, run } from "./helpers/command.ts";

const show = useBrowser();

type Files = readonly (readonly [string, number, Part?])[];

function pageOf(files: Files, title = "home", limits?: FoldLimits): string {
  const tree = new SizeTree({ files: true, names: "standard" });
  for (const [name, size, part = "current"] of files) tree.add(rawFromText(name), size, part);
  return usagePage(foldTree(tree.total(), limits), { title, at: new Date(0) });
}

const small: Files = [
  ["docs/deep/a", 600_000],
  ["docs/deep/a", 200_000, "old"],
  ["docs/b", 100_000],
  ["photos/one", 300_000, "old"],
  ["c", 50],
];

const summary = async (page: Page): Promise<string | null> =>
  page.locator("#summary").textContent();
const rows = async (page: Page): Promise<string[]> =>
  (await page.locator("#rows tr td:first-child").allTextContents()).toSorted();

/** Looks again at every frame until it is so: the address changes first, the page after it. */
async function until(page: Page, isSo: () => Promise<boolean>): Promise<boolean> {
  for (let frame = 0; frame < 200; frame += 1) {
    if (await isSo()) return true;
    await page.evaluate("new Promise(requestAnimationFrame)");
  }
  return false;
}

/** Waits until the table has these rows. */
async function rowsBecome(page: Page, expected: readonly string[]): Promise<void> {
  await until(page, async () => JSON.stringify(await rows(page)) === JSON.stringify(expected));
  assert.deepEqual(await rows(page), expected);
}

test("directories can be clicked through, there and back", async (t) => {
  const page = await show(t, pageOf(small));
  assert.equal(await page.title(), "Space used: home");
  assert.equal(await summary(page), "1.1 MiB, 488 KiB of it deleted in 5 files and old versions");
  await rowsBecome(page, ["c", "docs/", "photos/"]);
  await page.getByRole("button", { name: /^docs: / }).click();
  await rowsBecome(page, ["b", "deep/"]);
  await page.locator("#rows button", { hasText: "deep/" }).click();
  await rowsBecome(page, ["a"]);
  assert.deepEqual(await page.locator("#crumbs > *").allTextContents(), ["home", "docs", "deep"]);
  await page.goBack();
  await rowsBecome(page, ["b", "deep/"]);
  await page.locator("#crumbs button").first().click();
  await rowsBecome(page, ["c", "docs/", "photos/"]);
});

test("current and deleted are told apart by colour, and can be shown alone", async (t) => {
  const page = await show(t, pageOf(small));
  assert.notEqual(
    await styleOf(page, "#map > .tile", "background"),
    await styleOf(page, "#map > .tile > .old", "background"),
  );
  const share = async (name: string): Promise<number> => {
    const tile = `document.querySelector('#map > [aria-label^="${name}: "]')`;
    const [old, all] = await Promise.all(
      [`${tile}.querySelector(":scope > .old").clientWidth`, `${tile}.clientWidth`].map(
        async (text) => Number(await page.evaluate(text)),
      ),
    );
    return (old ?? 0) / (all ?? 0);
  };
  assert.ok(Math.abs((await share("docs")) - 2 / 9) < 0.01);
  assert.ok((await share("photos")) > 0.99);
  await page.getByLabel("current files").check();
  assert.equal(await summary(page), "684 KiB in 3 files");
  await rowsBecome(page, ["c", "docs/"]);
  assert.equal(await page.locator("#map .old").count(), 0);
  await page.getByLabel("deleted and superseded versions").check();
  assert.match((await summary(page)) ?? "", /^488 KiB in 2 files/);
  await rowsBecome(page, ["docs/", "photos/"]);
});

test("without old versions there is nothing to choose between", async (t) => {
  const page = await show(t, pageOf([["a", 5]]));
  assert.equal(await page.locator("#which").isVisible(), false);
  assert.equal(await summary(page), "5 B in 1 file");
  const empty = await show(t, pageOf([]));
  assert.match((await empty.locator("#map").textContent()) ?? "", /Nothing here/);
});

test("everything can be reached by keyboard", async (t) => {
  const page = await show(t, pageOf(small));
  const focused = async (): Promise<string> =>
    String(await page.evaluate("document.activeElement.getAttribute('aria-label')"));
  for (let presses = 0; presses < 10 && !(await focused()).startsWith("docs: "); presses += 1)
    await page.keyboard.press("Tab");
  assert.match(await focused(), /^docs: /);
  const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
  assert.equal(outline, "solid");
  await page.keyboard.press("Enter");
  assert.ok(await until(page, async () => (await focused()).startsWith("deep: ")));
  await page.keyboard.press("Enter");
  await rowsBecome(page, ["a"]);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await rowsBecome(page, ["c", "docs/", "photos/"]);
});

const hostile = [
  "</script><script>alert(1)</script>",
  "<img src=x onerror=alert(2)>",
  "<!--<script>",
  "]]>",
  "&lt;b&gt;",
  "'\"`${alert(3)}",
  "__proto__",
  "constructor",
  "\u202Egnp.exe",
  "\u2028\u2029",
  "javascript:alert(4)",
  "x".repeat(5000),
];

test("hostile names are text, in a title too", async (t) => {
  const files = hostile.map((name, at) => [`${name.replaceAll("/", "∕")}/f`, 100 + at] as const);
  for (const title of ["</title><script>alert(5)</script>", '"><img src=x onerror=alert(6)>']) {
    const page = await show(t, pageOf([...files, ["</script>", 9]], title));
    const shown = await rows(page);
    assert.equal(shown.length, files.length + 1);
    assert.equal(await page.locator("h1").textContent(), `Space used: ${title}`);
    assert.ok(shown.includes("<img src=x onerror=alert(2)>/"));
    assert.ok(shown.includes("\\u202egnp.exe/"));
    assert.ok(shown.every((name) => name.length < 250));
    assert.equal(await page.locator("script").count(), 2);
    assert.equal(await page.locator("img").count(), 0);
    await page.getByRole("button", { name: /^__proto__: / }).click();
    await rowsBecome(page, ["f"]);
  }
});

test("a large tree is folded, and the page stays small", async (t) => {
  const files = Array.from(
    { length: 100_000 },
    (_, at) => [`d${at % 100}/${"n".repeat(40)}${at}`, 1000 + (at % 977)] as const,
  );
  const html = pageOf(files);
  assert.ok(html.length < 4_000_000, `${html.length} bytes`);
  const page = await show(t, html);
  assert.match((await summary(page)) ?? "", /in 100,000 files$/);
  assert.equal((await rows(page)).length, 100);
  await page.locator("#map button.tile").first().click();
  const shown = await rows(page);
  assert.ok(
    shown.some((name) => /^[\d,]+ more$/.test(name)),
    shown.at(-1),
  );
  const counts = await page.locator("#rows tr td:last-child").allTextContents();
  const sum = counts.reduce((all, text) => all + Number(text.replaceAll(",", "")), 0);
  assert.equal(sum, 1000);
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`the text can be read in ${colorScheme}, and nothing is wider than a phone`, async (t) => {
    const page = await show(t, pageOf(small), {
      colorScheme,
      viewport: { width: 380, height: 700 },
    });
    const text = await styleOf(page, "body", "color");
    for (const back of [
      await styleOf(page, "body", "backgroundColor"),
      await styleOf(page, "#map > .tile", "backgroundColor"),
      ...((await styleOf(page, ".old", "backgroundImage")).match(/rgb\([^)]*\)/g) ?? ["none"]),
    ])
      assert.ok(contrast(text, back) > 4.5, `${text} on ${back}`);
    const isDark =
      contrast(await styleOf(page, "body", "backgroundColor"), "rgb(255,255,255)") > 10;
    assert.equal(isDark, colorScheme === "dark");
    assert.ok(Number(await page.evaluate("document.documentElement.scrollWidth")) <= 380);
  });
}

test("the map fills its place after the window was resized", async (t) => {
  const page = await show(t, pageOf(small));
  await page.setViewportSize({ width: 500, height: 900 });
  const filled = `(() => {
    const map = document.getElementById("map").getBoundingClientRect();
    const tiles = [...document.querySelectorAll("#map > .tile")].map((e) => e.getBoundingClientRect());
    const area = tiles.reduce((sum, { width, height }) => sum + width * height, 0);
    return Math.abs(area / (map.width * map.height) - 1) < 0.02;
  })()`;
  assert.ok(await until(page, async () => Boolean(await page.evaluate(filled))));
});

test("what the built command writes works too", async (t) => {
  const { stdout, stderr } = await run(process.execPath, [compiled("du"), "--html", "-"], {
    input: "5 a/b\n3 c\n",
  });
  assert.equal(stderr, "");
  const page = await show(t, stdout);
  assert.equal(await summary(page), "8 B in 2 files");
  await page.getByRole("button", { name: /^a: / }).click();
  await rowsBecome(page, ["1 file"]);
});
