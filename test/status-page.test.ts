import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { statusPage } from "../lib/output/statushtml.ts";
import { contrast, styleOf, useBrowser } from "./helpers/browser.ts";
import { lastWas, makeStateDir, runBefore, type StateDir } from "./helpers/keptstate.ts";

const show = useBrowser();

const hostile = "<img src=x onerror=alert(1)>";

const coverage = {
  version: 1,
  at: "2026-03-05T12:00:00.000Z",
  total: { files: 10, bytes: 1000 },
  never: { files: 4, bytes: 400 },
  begun: { files: 0, bytes: 0 },
  uncoverable: { files: 0, bytes: 0 },
  days: [
    { day: "2025-10-01", files: 1, bytes: 100 },
    { day: "2026-03-05", files: 5, bytes: 500 },
  ],
};

/** A good backup with a history, a failing one with hostile names, one that can't be loaded. */
async function world(t: TestContext): Promise<StateDir> {
  const dir = await makeStateDir(t);
  const runs = Array.from({ length: 30 }, (_, at) =>
    runBefore((30 - at) * 24 - 20, {
      source: { files: 10, bytes: 1000 * (at + 1) },
      ...(at % 10 === 5 ? { result: "failure" as const, exitCode: 1 } : {}),
      ...(at % 10 === 7 ? { result: "skipped" as const, exitCode: 75 } : {}),
    }),
  );
  const last = runs.at(-1) ?? runBefore(4);
  await dir.writeConfig("good");
  await dir.writeState("good", {
    record: lastWas(last),
    runs,
    files: { "coverage.json": JSON.stringify(coverage) },
  });
  await dir.writeConfig(`evil ${hostile.replaceAll("/", "")}`);
  const failing = runBefore(1, {
    result: "failure",
    exitCode: 1,
    message: `</ul>${hostile}\n${hostile}`,
  });
  await dir.writeState("evil", {
    record: {
      ...lastWas(failing),
      config: `${dir.config}/evil ${hostile}.conf`,
      told: [`</style>${hostile}`],
    },
    runs: [failing],
    files: { "mend.list": `${hostile}\n\u202Egnp.exe\n` },
  });
  await dir.writeConfig("broken", "[default]\nsuorce = <b>\n");
  return dir;
}

test("the page: a table and a card with charts for each, and names are text", async (t) => {
  const page = await show(t, statusPage(await (await world(t)).status()));
  assert.equal(await page.title(), "Backups: 1 of 3 good");
  const states = await page.locator("tbody .state").allTextContents();
  assert.deepEqual(states, ["broken", "failed", "good"]);
  assert.equal(await page.locator("article").count(), 3);
  assert.equal(await page.locator("img, script, b").count(), 0);
  const evil = page.locator("article").nth(1);
  assert.equal(await evil.locator("h2 bdi").textContent(), `evil ${hostile}`);
  assert.ok((await evil.textContent())?.includes("\\u202egnp.exe"));
  assert.ok((await evil.textContent())?.includes(`</style>${hostile}`));

  const good = page.locator("article").nth(2);
  const charts = await Promise.all(
    (await good.locator("svg").all()).map(async (chart) => chart.getAttribute("aria-label")),
  );
  assert.deepEqual(charts, [
    "Size of the source: 29.3 KiB, 1000 B to 29.3 KiB",
    "Duration: 90 s, at most 90 s",
    "Read back and compared: within 1 day 50.0 %, within 7 days 50.0 %, within 30 days 50.0 %, within 90 days 50.0 %, longer ago 10.0 %, never 40.0 %",
  ]);
  assert.equal(await good.locator(".cross").count(), 6);
  assert.equal(await good.locator(".bar.failed").count(), 3);
  assert.match(
    (await good.locator(".hit title").first().textContent()) ?? "",
    /^2026-02-04 08:00 UTC: success, took 90 s, 10 files \(1000 B\), 1 new, 0 changed, 2 deleted$/,
  );
  await page.getByRole("link", { name: "good" }).click();
  assert.ok(await good.locator("h2").isVisible());
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`the page can be read in ${colorScheme}, and nothing is wider than a phone`, async (t) => {
    const page = await show(t, statusPage(await (await world(t)).status()), {
      colorScheme,
      viewport: { width: 380, height: 700 },
    });
    const back = await styleOf(page, "body", "backgroundColor");
    assert.equal(contrast(back, "rgb(255,255,255)") > 10, colorScheme === "dark");
    for (const card of [back, await styleOf(page, "article", "backgroundColor")])
      for (const selector of ["article", "dt", "figcaption span", ".state.good", ".state.bad"]) {
        const text = await styleOf(page, selector, "color");
        assert.ok(contrast(text, card) > 4.5, `${selector}: ${text} on ${card}`);
      }
    assert.ok(Number(await page.evaluate("document.documentElement.scrollWidth")) <= 380);
  });
}
