// What the browser tests have in common.
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const DESKTOP = { width: 1280, height: 900 }, PHONE = { width: 375, height: 740 };

/** A browser, and `open`, which opens the address in a page: whatever the browser complains of, and whatever it asks for
 *  that `allowed` does not name, is in `complaints`. */
export const launch = async (address, allowed = (url) => url === address) => {
  const profile = mkdtempSync(join(tmpdir(), "report-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  const open = async ({ size = DESKTOP, dark = false, calm = false } = {}) => {
    const page = await browser.newPage();
    const complaints = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => {
      if (!allowed(request.url()) && !request.url().startsWith("data:")) complaints.push(`asks for ${request.url()}`);
    });
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light", reducedMotion: calm ? "reduce" : "no-preference" });
    await page.goto(address);
    return { page, complaints };
  };
  const close = async () => {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { open, close };
};

/** Runs tests, each of which may return a page to be closed; how many failed. */
export const runAll = async (tests) => {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await (await test())?.close();
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
  }
  return failed;
};

/** Pixels that a page needs and has across. */
export const across = (page) => page.evaluate(() => {
  const root = document.documentElement;
  return [root.scrollWidth, root.clientWidth];
});

export const folder = (path) => {
  mkdirSync(path, { recursive: true });
  return path;
};
