import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { tool } from "./tools.ts";

/** Opens the page from a file, as a user does; nothing may go wrong in it, and it may ask for nothing. */
export type Show = (t: TestContext, html: string, options?: BrowserContextOptions) => Promise<Page>;

/** Starts a browser for the tests of a file, and stops it after them. */
export function useBrowser(): Show {
  let browser: Browser;
  before(async () => {
    browser = await chromium.launch({
      executablePath: tool("chromium"),
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  after(async () => browser.close());
  return async (t, html, options = {}) => {
    const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-page-"));
    const file = path.join(directory, "page.html");
    await writeFile(file, html);
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const wrong: string[] = [];
    const url = pathToFileURL(file).href;
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("console", (message) => wrong.push(message.text()));
    page.on("dialog", (dialog) => wrong.push(dialog.message()));
    page.on("request", (request) => {
      if (request.url().replace(/#.*/, "") !== url) wrong.push(request.url());
    });
    await page.goto(url);
    t.after(async () => {
      await context.close();
      await rm(directory, { recursive: true });
      assert.deepEqual(wrong, []);
    });
    return page;
  };
}

/** What the first element that a selector finds is computed to look like. */
export async function styleOf(page: Page, selector: string, key: string): Promise<string> {
  const element = `document.querySelector(${JSON.stringify(selector)})`;
  return String(await page.evaluate(`getComputedStyle(${element})[${JSON.stringify(key)}]`));
}

/** Contrast by WCAG 2. */
export function contrast(a: string, b: string): number {
  const [x, y] = [a, b].map((color) => {
    const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map((text) => {
      const part = Number(text) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  });
  return (Math.max(x ?? 0, y ?? 0) + 0.05) / (Math.min(x ?? 0, y ?? 0) + 0.05);
}
