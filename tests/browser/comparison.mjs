// A comparison of three runs in Chromium, opened from disk: node comparison.mjs REPORT.HTML FOLDER-FOR-SCREENSHOTS
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PHONE, across, folder, launch, runAll } from "./shared.mjs";

const [page_, shots] = process.argv.slice(2).map((path) => resolve(path));
folder(shots);
const { open, close } = await launch(pathToFileURL(page_).href);

const tests = {
  async "loads from disk without a complaint, and shows every run by its name and colour"() {
    const { page, complaints } = await open();
    const names = await page.locator(".runs b").allTextContents();
    assert.equal(names.length, 3);
    const head = await page.locator("#results table").first().locator("thead th").allTextContents();
    assert.deepEqual(head.slice(1), names);
    const colours = await page.locator(".runs li").evaluateAll((items) =>
      items.map((item) => getComputedStyle(item, "::before").borderTopColor));
    assert.equal(new Set(colours).size, 3);
    // The curve of a run has the colour of its name.
    const strokes = await page.locator("#curves figure.by-epoch").first().evaluate((figure) =>
      [0, 1, 2].map((k) => getComputedStyle(figure.querySelector(`.line.c${k}`)).stroke));
    assert.deepEqual(strokes, colours);
    assert.deepEqual(complaints, []);
    return page;
  },

  async "the switch changes the axes"() {
    const { page, complaints } = await open();
    assert.ok(await page.isVisible("#curves figure.by-epoch >> nth=0"));
    assert.ok(await page.isHidden("#curves figure.by-error >> nth=0"));
    await page.locator("#by-epoch").focus();
    await page.keyboard.press("ArrowRight");
    assert.ok(await page.isHidden("#curves figure.by-epoch >> nth=0"));
    assert.ok(await page.isVisible("#curves figure.by-error >> nth=0"));
    assert.deepEqual(complaints, []);
    return page;
  },

  async "a phone needs no sideways scroll, in the light and in the dark"() {
    for (const dark of [false, true]) {
      const { page, complaints } = await open({ size: PHONE, dark });
      const [needs, has] = await across(page);
      assert.ok(needs <= has, `${needs} of ${has} pixels`);
      assert.deepEqual(complaints, []);
      await page.close();
    }
  },
};

const failed = await runAll(tests);
for (const [name, how] of Object.entries({ desktop: {}, dark: { dark: true }, phone: { size: PHONE } })) {
  const { page } = await open(how);
  await page.screenshot({ path: join(shots, `comparison-${name}.png`), fullPage: true });
  await page.close();
}
await close();
console.log(`${Object.keys(tests).length - failed} of ${Object.keys(tests).length} passed; the page has ${statSync(page_).size} bytes`);
process.exit(failed ? 1 : 0);
